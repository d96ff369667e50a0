"""The UNets of improved and guided diffusion, of which released models denoise CIFAR-10 and ImageNet."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth._types import Array
from jaxsmooth.interop.papers.layers import Params, average_pool, conv, group_norm, linear
from jaxsmooth.interop.papers.network import Architecture
from jaxsmooth.interop.papers.state import Shapes

_PERIOD = 10_000


@dataclasses.dataclass(frozen=True)
class UNetSizes:
    """What a UNet is made of; widths are those of its tensors.

    Attributes:
        channels: width of the first level.
        blocks: ResBlocks in a level.
        multipliers: of the width, by level.
        attention: the levels' factors of size, 1, 2, 4, ..., at which there is attention.
        heads: of attention, or None for ``head_channels``.
        head_channels: width of a head, where their number follows from the width.
        block_resampling: ResBlocks resample, by mean and repetition, instead of convolutions.
    """

    channels: int
    blocks: int
    multipliers: tuple[int, ...]
    attention: tuple[int, ...]
    heads: int | None = None
    head_channels: int | None = None
    block_resampling: bool = False


CIFAR10 = UNetSizes(128, 3, (1, 2, 2, 2), (2, 4), heads=4)
IMAGENET256 = UNetSizes(256, 2, (1, 1, 2, 2, 4, 4), (8, 16, 32), head_channels=64, block_resampling=True)


def architecture(name: str, sizes: UNetSizes) -> Architecture:
    """A UNet of these sizes."""
    if not isinstance(sizes, UNetSizes):
        raise TypeError(f"sizes must be UNetSizes of jaxsmooth.interop.papers.unet; got {sizes!r}")
    return Architecture(name, "time_embed.0.weight", lambda found: shapes(sizes), _UNet(sizes), sides=None)


def shapes(sizes: UNetSizes) -> Shapes:
    """Names and shapes, in the order of PyTorch."""
    wide, found = 4 * sizes.channels, Shapes()
    for name, taken in (("time_embed.0", sizes.channels), ("time_embed.2", wide)):
        found |= {f"{name}.weight": (wide, taken), f"{name}.bias": (wide,)}
    for name, kind, taken, given in _layout(sizes):
        if kind in ("res", "res down", "res up"):
            found |= _res_shapes(name, taken, given, wide)
        elif kind == "attention":
            found |= _attention_shapes(name, taken)
        else:
            place = {"conv": name, "down": f"{name}.op", "up": f"{name}.conv"}[kind]
            found |= {f"{place}.weight": (given, taken, 3, 3), f"{place}.bias": (given,)}
    return {
        **found,
        **_scale_and_shift("out.0", sizes.channels),
        "out.2.weight": (6, sizes.channels, 3, 3),
        "out.2.bias": (6,),
    }


def _res_shapes(name: str, taken: int, given: int, wide: int) -> Shapes:
    found = _scale_and_shift(f"{name}.in_layers.0", taken)
    found |= {f"{name}.in_layers.2.weight": (given, taken, 3, 3), f"{name}.in_layers.2.bias": (given,)}
    found |= {f"{name}.emb_layers.1.weight": (2 * given, wide), f"{name}.emb_layers.1.bias": (2 * given,)}
    found |= _scale_and_shift(f"{name}.out_layers.0", given)
    found |= {f"{name}.out_layers.3.weight": (given, given, 3, 3), f"{name}.out_layers.3.bias": (given,)}
    if taken != given:
        found |= {f"{name}.skip_connection.weight": (given, taken, 1, 1), f"{name}.skip_connection.bias": (given,)}
    return found


def _attention_shapes(name: str, width: int) -> Shapes:
    found = _scale_and_shift(f"{name}.norm", width)
    found |= {f"{name}.qkv.weight": (3 * width, width, 1), f"{name}.qkv.bias": (3 * width,)}
    return found | {f"{name}.proj_out.weight": (width, width, 1), f"{name}.proj_out.bias": (width,)}


def _scale_and_shift(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


Layer = tuple[str, str, int, int]  # name, kind, channels taken, channels given


def _layout(sizes: UNetSizes) -> list[Layer]:
    """All layers in order; the first number of a name is its place in its part."""
    down, up = ("res down", "res up") if sizes.block_resampling else ("down", "up")
    layers: list[Layer] = [("input_blocks.0.0", "conv", 3, sizes.channels)]
    width, factor, place, kept = sizes.channels, 1, 0, [sizes.channels]
    for level, multiplier in enumerate(sizes.multipliers):
        for _ in range(sizes.blocks):
            place += 1
            given = multiplier * sizes.channels
            layers.append((f"input_blocks.{place}.0", "res", width, given))
            width = given
            if factor in sizes.attention:
                layers.append((f"input_blocks.{place}.1", "attention", width, width))
            kept.append(width)
        if level < len(sizes.multipliers) - 1:
            place, factor = place + 1, 2 * factor
            layers.append((f"input_blocks.{place}.0", down, width, width))
            kept.append(width)
    for i, kind in enumerate(("res", "attention", "res")):
        layers.append((f"middle_block.{i}", kind, width, width))
    place = -1
    for level in reversed(range(len(sizes.multipliers))):
        for i in range(sizes.blocks + 1):
            place, part = place + 1, 1
            given = sizes.multipliers[level] * sizes.channels
            layers.append((f"output_blocks.{place}.0", "res", width + kept.pop(), given))
            width = given
            if factor in sizes.attention:
                layers.append((f"output_blocks.{place}.1", "attention", width, width))
                part = 2
            if level and i == sizes.blocks:
                layers.append((f"output_blocks.{place}.{part}", up, width, width))
                factor //= 2
    return layers


@dataclasses.dataclass(frozen=True)
class _UNet:
    """The function of weights, images and timesteps; equal sizes are one program."""

    sizes: UNetSizes

    def __call__(self, params: Params, x: Array, t: Array) -> Array:
        return _forward(self.sizes, params, x, t)


def _forward(sizes: UNetSizes, params: Params, x: Array, t: Array) -> Array:
    embedding = linear(params, "time_embed.0", _timestep_embedding(t, sizes.channels).astype(x.dtype))
    embedding = jax.nn.silu(linear(params, "time_embed.2", jax.nn.silu(embedding)))
    skips: list[Array] = []
    before = ""
    for name, kind, _, _ in _layout(sizes):
        stage, place = name.split(".")[:2]
        if f"{stage}.{place}" != before:
            if before.startswith("input_blocks"):
                skips.append(x)
            if stage == "output_blocks":
                x = jnp.concatenate([x, skips.pop()], -1)
        before = f"{stage}.{place}"
        x = _layer(params, sizes, name, kind, x, embedding)
    x = jax.nn.silu(group_norm(params, "out.0", x))
    return conv(params, "out.2", x, padding=1)


def _layer(params: Params, sizes: UNetSizes, name: str, kind: str, x: Array, embedding: Array) -> Array:
    if kind.startswith("res"):
        return _res_block(params, name, x, embedding, kind.removeprefix("res").strip())
    if kind == "attention":
        return _attention(params, name, x, sizes.heads or x.shape[-1] // (sizes.head_channels or x.shape[-1]))
    if kind == "conv":
        return conv(params, name, x, padding=1)
    if kind == "down":
        return conv(params, f"{name}.op", x, stride=2, padding=1)
    return conv(params, f"{name}.conv", _repeated(x), padding=1)


def _res_block(params: Params, name: str, x: Array, embedding: Array, resample: str) -> Array:
    change = {"": lambda x: x, "down": average_pool, "up": _repeated}[resample]
    y = change(jax.nn.silu(group_norm(params, f"{name}.in_layers.0", x)))
    y, x = conv(params, f"{name}.in_layers.2", y, padding=1), change(x)
    scale, shift = jnp.split(linear(params, f"{name}.emb_layers.1", embedding)[:, None, None], 2, -1)
    y = group_norm(params, f"{name}.out_layers.0", y) * (1 + scale) + shift
    y = conv(params, f"{name}.out_layers.3", jax.nn.silu(y), padding=1)
    if f"{name}.skip_connection.weight" in params:
        x = conv(params, f"{name}.skip_connection", x)
    return x + y


def _attention(params: Params, name: str, x: Array, heads: int) -> Array:
    n, h, w, width = x.shape
    size = width // heads
    qkv = linear(params, f"{name}.qkv", group_norm(params, f"{name}.norm", x).reshape(n, h * w, width))
    # Heads first, then q, k and v inside each of them.
    q, k, v = jnp.moveaxis(qkv.reshape(n, h * w, heads, 3, size), 3, 0)
    scale = size**-0.25
    weights = jnp.einsum("nqhc,nkhc->nhqk", q * scale, k * scale).astype(jnp.float32)
    mixed = jnp.einsum("nhqk,nkhc->nqhc", jax.nn.softmax(weights, -1).astype(x.dtype), v)
    return x + linear(params, f"{name}.proj_out", mixed.reshape(n, h * w, width)).reshape(x.shape)


def _timestep_embedding(t: Array, width: int) -> Array:
    frequencies = np.exp(-math.log(_PERIOD) * np.arange(width // 2) / (width // 2)).astype(np.float32)
    angles = jnp.asarray(t, jnp.float32)[:, None] * frequencies[None]
    return jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], -1)


def _repeated(x: Array) -> Array:
    """Every pixel as 2x2 pixels."""
    return jnp.repeat(jnp.repeat(x, 2, 1), 2, 2)


UNETS = (architecture("unet_cifar", CIFAR10), architecture("unet_imagenet", IMAGENET256))
