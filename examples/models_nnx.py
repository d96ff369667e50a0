"""The small networks of ``models.py`` in Flax NNX: an MLP, LeNet and the ResNets for 32x32 images."""

import itertools

import jax.numpy as jnp
from flax import nnx
from models import STATISTICS, depth_of, halved


class MLP(nnx.Module):
    """Dense layers with ReLUs."""

    def __init__(self, inputs, classes, rngs, hidden=(128, 128)):
        sizes = (inputs, *hidden)
        self.hidden = nnx.List([nnx.Linear(a, b, rngs=rngs) for a, b in itertools.pairwise(sizes)])
        self.output = nnx.Linear(sizes[-1], classes, rngs=rngs)

    def __call__(self, x):
        x = x.reshape(x.shape[0], -1)
        for layer in self.hidden:
            x = nnx.relu(layer(x))
        return self.output(x)


class LeNet(nnx.Module):
    """Two 5x5 convolutions and two dense layers, for 28x28x1."""

    def __init__(self, classes, rngs):
        self.first = nnx.Conv(1, 20, (5, 5), padding="VALID", rngs=rngs)
        self.second = nnx.Conv(20, 50, (5, 5), padding="VALID", rngs=rngs)
        self.hidden = nnx.Linear(800, 500, rngs=rngs)
        self.output = nnx.Linear(500, classes, rngs=rngs)

    def __call__(self, x):
        for convolution in (self.first, self.second):
            x = halved(nnx.relu(convolution(x)))
        return self.output(nnx.relu(self.hidden(x.reshape(x.shape[0], -1))))


def convolution(inputs, features, size, stride, rngs, dtype):
    """A convolution without bias and a BatchNorm."""
    init = nnx.initializers.variance_scaling(2.0, "fan_out", "normal")
    return nnx.Sequential(
        nnx.Conv(
            inputs,
            features,
            (size, size),
            stride,
            padding=size // 2,
            use_bias=False,
            kernel_init=init,
            dtype=dtype,
            rngs=rngs,
        ),
        nnx.BatchNorm(features, momentum=0.9, epsilon=1e-5, dtype=dtype, rngs=rngs),
    )


class Block(nnx.Module):
    """Two 3x3 convolutions beside the identity, or a 1x1 convolution where the shape changes."""

    def __init__(self, inputs, features, stride, rngs, dtype):
        self.first = convolution(inputs, features, 3, stride, rngs, dtype)
        self.second = convolution(features, features, 3, 1, rngs, dtype)
        same = inputs == features and stride == 1
        self.shortcut = None if same else convolution(inputs, features, 1, stride, rngs, dtype)

    def __call__(self, x):
        y = self.second(nnx.relu(self.first(x)))
        return nnx.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class ResNet(nnx.Module):
    """6n + 2 layers in three stages of n basic blocks, for 32x32."""

    def __init__(self, depth, channels, classes, rngs, mean=(0.0,), std=(1.0,), dtype=jnp.float32):
        self.mean, self.std = mean, std
        self.stem, blocks, inputs = convolution(channels, 16, 3, 1, rngs, dtype), [], 16
        for features, stride in ((16, 1), (32, 2), (64, 2)):
            for block in range((depth - 2) // 6):
                blocks.append(Block(inputs, features, stride if block == 0 else 1, rngs, dtype))
                inputs = features
        self.blocks, self.output = nnx.List(blocks), nnx.Linear(64, classes, rngs=rngs)

    def __call__(self, x):
        x = nnx.relu(self.stem((x - jnp.array(self.mean)) / jnp.array(self.std)))
        for block in self.blocks:
            x = block(x)
        return self.output(x.mean((1, 2)).astype(jnp.float32))


def network(name, dataset, classes, shape, rngs, dtype=jnp.float32):
    """A network by name, for images of this shape: mlp, lenet, or resnetN for 32x32 with N = 6n + 2."""
    mean, std = STATISTICS.get(dataset.partition("/")[0], ((0.0,), (1.0,)))
    if name == "resnet50":
        raise SystemExit("--network resnet50 is written in Linen: pass --framework linen")
    if name == "mlp":
        return MLP(shape[0] * shape[1] * shape[2], classes, rngs)
    if name == "lenet":
        return LeNet(classes, rngs)
    return ResNet(depth_of(name), shape[-1], classes, rngs, mean, std, dtype)
