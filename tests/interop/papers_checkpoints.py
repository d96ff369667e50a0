"""Weights by formula, as the reference values have them, and the papers' modules in PyTorch."""

import hashlib

import numpy as np

from jaxsmooth.interop.papers import cifar_resnet, denoising_cnn, densenet, imagenet_resnet, mnist_lenet, unet, wide

CIFAR10 = {"mu": (0.4914, 0.4822, 0.4465), "log_sig": np.log((0.2023, 0.1994, 0.2010))}
SMALL_UNET = unet.UNetSizes(32, 1, (1, 2, 2, 2), (2, 4), heads=4)


def _of_rs4a(shapes):
    statistics = {"norm.module.mu": (3, 1, 1), "norm.module.log_sig": (3, 1, 1)}
    return {**statistics, **{f"model.module.{name}": shape for name, shape in shapes.items()}}


def _below(prefix, shapes):
    return {prefix + name: shape for name, shape in shapes.items()}


# By their names in the reference: names and shapes as PyTorch saves them.
SHAPES = {
    "cohen cifar_resnet20": _below("1.", cifar_resnet.shapes(3, 10)),
    "cohen cifar_resnet110": _below("1.", cifar_resnet.shapes(18, 10)),
    "jeong lenet": _below("1.", mnist_lenet.shapes(10)),
    "jeong cifar_densenet40": _below("1.", densenet.shapes(10)),
    "rs4a WideResNet-40-2": _of_rs4a(wide.shapes(10)),
    "rs4a ResNet-110 (option A)": _of_rs4a(cifar_resnet.shapes_a(18, 10)),
    "denoised-smoothing DnCNN": denoising_cnn.shapes(),
    "cohen resnet50": _below("1.module.", imagenet_resnet.shapes(1000)),
    "improved-diffusion UNet, model_channels 32, 1 block, mult (1,2,2,2), attention at 2 and 4, 4 heads, t=289.5, "
    "output flattened NCHW": unet.shapes(SMALL_UNET),
}
LAYOUTS = {
    "improved-diffusion CIFAR-10, 128 channels, 3 blocks": unet.shapes(unet.CIFAR10),
    "guided-diffusion ImageNet 256, unconditional": unet.shapes(unet.IMAGENET256),
}


def weights(shapes):
    """The rule of the reference, float32."""
    return {
        name: _values(name.rpartition(".")[2], j, shape).reshape(shape).astype(np.float32)
        for j, (name, shape) in enumerate(shapes.items())
    }


def _values(last, j, shape):
    i = np.arange(np.prod(shape, dtype=int), dtype=np.float64)
    if last in CIFAR10:
        return np.asarray(CIFAR10[last])
    if len(shape) > 1:
        return np.sqrt(2 / np.prod(shape[1:])) * np.sin(0.7 * i + j)
    return {
        "num_batches_tracked": 0 * i,
        "weight": 0.25 + 0.1 * np.sin(i + j),
        "bias": 0.1 * np.cos(i + j),
        "running_mean": 0.1 * np.sin(i + j),
        "running_var": 0.75 + 0.25 * np.sin(i + j),
    }[last]


def images(shape, batch):
    """NHWC images of the reference, which numbers pixels in NCHW."""
    size = batch * int(np.prod(shape))
    return (0.5 + 0.5 * np.sin(0.1 * np.arange(size))).reshape(batch, *shape).transpose(0, 2, 3, 1).astype(np.float32)


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()
