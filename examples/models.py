"""Networks of the field in Flax Linen: an MLP, LeNet, the ResNets for 32x32 images and ResNet-50.

Every one takes pixels in [0, 1], with noise or without, and normalises them itself: ``mean`` and ``std`` are of the
data set, per channel. Layers are the papers': padding is the same on all sides (XLA's "SAME" is not, at stride 2), and
BatchNorm has PyTorch's defaults, momentum 0.1 and epsilon 1e-5. These are for training. LeNet, ResNet-20, ResNet-110
and ResNet-50 are the functions of ``jaxsmooth.interop.papers``, which takes the weights that the papers released, layer
for layer (``tests/interop/test_papers.py`` compares their scores).
"""

import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
from convolution import in_parts, one_cpu, small_convolution
from flax import linen as nn
from jax import lax

from jaxsmooth.interop.papers.network import STATISTICS as PAPERS

STATISTICS = {"cifar10": PAPERS["cifar10"], "imagenet2012": PAPERS["imagenet"]}
_fan_in = nn.initializers.variance_scaling(1 / 3, "fan_in", "uniform")  # uniform on +-1/sqrt(fan in)
_fan_out = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


def _bias(fan_in: int) -> Any:
    bound = 1 / math.sqrt(fan_in)
    return lambda key, shape, dtype=jnp.float32: jax.random.uniform(key, shape, dtype, -bound, bound)


def halved(x: jax.Array) -> jax.Array:
    """The largest of every 2x2 pixels, height and width even; on CPUs its gradient beats that of ``nn.max_pool``."""
    rows = jnp.maximum(x[:, ::2], x[:, 1::2])
    return jnp.maximum(rows[:, :, ::2], rows[:, :, 1::2])


class MLP(nn.Module):
    """Dense layers with ReLUs."""

    hidden: tuple[int, ...] = (128, 128)
    classes: int = 10

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        x = x.reshape(x.shape[0], -1)
        for features in self.hidden:
            x = nn.relu(nn.Dense(features)(x))
        return nn.Dense(self.classes)(x)


class ConvolvedAndHalved(nn.Module):
    """A 5x5 convolution, the largest of every 2x2 pixels, a ReLU."""

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        channels = x.shape[-1]
        kernel = self.param("kernel", _fan_in, (5, 5, channels, self.features))
        bias = self.param("bias", _bias(25 * channels), (self.features,))
        if one_cpu() and channels == 1:  # the larger images
            return in_parts(_convolved_and_halved, x, kernel, bias)
        return _convolved_and_halved(x, kernel, bias)


def _convolved_and_halved(x, kernel, bias):
    convolution = small_convolution if one_cpu() else lax.conv_general_dilated
    x = convolution(x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))
    return nn.relu(halved(x + bias))


class LeNet(nn.Module):
    """Two 5x5 convolutions and two dense layers, for 28x28x1: 431,080 parameters; no state."""

    classes: int = 10

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        dense = functools.partial(nn.Dense, kernel_init=_fan_in)
        for number, features in enumerate((20, 50)):
            x = ConvolvedAndHalved(features, name=f"Conv_{number}")(x)
        x = x.reshape(x.shape[0], -1)
        x = nn.relu(dense(500, bias_init=_bias(x.shape[-1]))(x))
        return dense(self.classes, bias_init=_bias(500))(x)


class ResNet(nn.Module):
    """6n + 2 layers in three stages of n basic blocks, for 32x32: ResNet-20 has 272,474 parameters."""

    depth: int
    classes: int = 10
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        norm = functools.partial(_norm, train, self.dtype)
        conv = functools.partial(nn.Conv, use_bias=False, kernel_init=_fan_out, dtype=self.dtype)
        if one_cpu():
            conv = functools.partial(conv, conv_general_dilated=small_convolution)
        x = (x - jnp.array(self.mean)) / jnp.array(self.std)
        x = nn.relu(norm()(conv(16, (3, 3), padding=1)(x)))
        for features, stride in ((16, 1), (32, 2), (64, 2)):
            for block in range((self.depth - 2) // 6):
                strides = (stride, stride) if block == 0 else (1, 1)
                y = nn.relu(norm()(conv(features, (3, 3), strides, padding=1)(x)))
                y = norm()(conv(features, (3, 3), padding=1)(y))
                if x.shape != y.shape:
                    x = norm()(conv(features, (1, 1), strides)(x))
                x = nn.relu(x + y)
        return nn.Dense(self.classes, dtype=jnp.float32)(x.mean((1, 2)))


class ResNet50(nn.Module):
    """Bottleneck blocks 3-4-6-3, for 224x224: 25,557,032 parameters."""

    classes: int = 1000
    mean: tuple[float, ...] = STATISTICS["imagenet2012"][0]
    std: tuple[float, ...] = STATISTICS["imagenet2012"][1]
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False) -> jax.Array:
        norm = functools.partial(_norm, train, self.dtype)
        conv = functools.partial(nn.Conv, use_bias=False, kernel_init=_fan_out, dtype=self.dtype)
        x = (x - jnp.array(self.mean)) / jnp.array(self.std)
        x = nn.relu(norm()(conv(64, (7, 7), (2, 2), padding=3)(x)))
        x = nn.max_pool(x, (3, 3), (2, 2), padding=((1, 1), (1, 1)))
        for stage, blocks in enumerate((3, 4, 6, 3)):
            features = 64 * 2**stage
            for block in range(blocks):
                strides = (2, 2) if stage > 0 and block == 0 else (1, 1)
                y = nn.relu(norm()(conv(features, (1, 1))(x)))
                y = nn.relu(norm()(conv(features, (3, 3), strides, padding=1)(y)))
                y = norm()(conv(4 * features, (1, 1))(y))
                if x.shape != y.shape:
                    x = norm()(conv(4 * features, (1, 1), strides)(x))
                x = nn.relu(x + y)
        return nn.Dense(self.classes, dtype=jnp.float32)(x.mean((1, 2)))


def _norm(train: bool, dtype: Any) -> nn.Module:
    return nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5, dtype=dtype)


def network(name: str, dataset: str, classes: int, dtype: Any = jnp.float32) -> nn.Module:
    """A network by name: mlp, lenet, resnet50, or resnetN for 32x32 with N = 6n + 2; normalised for the data set."""
    statistics = STATISTICS.get(dataset.partition("/")[0], ((0.0,), (1.0,)))
    made = {
        "mlp": lambda: MLP(classes=classes),
        "lenet": lambda: LeNet(classes),
        "resnet50": lambda: ResNet50(classes, *statistics, dtype),
    }
    return made[name]() if name in made else ResNet(depth_of(name), classes, *statistics, dtype)


def depth_of(name: str) -> int:
    """The depth of a ResNet for 32x32 images from its name."""
    depth = name.removeprefix("resnet")
    if depth == name or not depth.isdigit() or int(depth) % 6 != 2 or int(depth) < 8:
        raise SystemExit(f"--network must be mlp, lenet, resnet50 or resnetN with N = 8, 14, 20, ..., 110; got {name}")
    return int(depth)
