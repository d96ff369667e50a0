"""Random numbers for noise: a counter-based generator and the transforms the families share.

The generator is Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as easy as
1, 2, 3", 2011), the one behind JAX's default keys, written in array operations so that XLA fuses it with
what consumes it, and using both words of every block. On CPUs this makes a normal about three times
cheaper than ``jax.random.normal`` (``benchmarks/throughput.py``), whose cost is otherwise seen next to
that of a small network. Words are 32 bits, so tails reach further: 6.6 sigma instead of 5.4.
"""

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth._keys import bits, key_words, threefry
from jaxsmooth._keys import index as index
from jaxsmooth._keys import split as split
from jaxsmooth._types import Array

_STREAM = np.uint32(0x736D6F6F)

# Compiled once where a draw is made outside of programs, and part of the program inside of one.
_drawn = functools.partial(jax.jit, inline=True)


def word_pairs(key: Array, size: int) -> tuple[Array, Array]:
    """Two independent arrays of ``size`` random uint32 words, a pure function of the key."""
    counter = jax.lax.iota(jnp.uint32, size)
    # A high word of its own keeps the stream apart from those of jax.random, whose high word is 0 here.
    return threefry(key_words(key), (jnp.full_like(counter, _STREAM), counter))


def word_at(key: Array, index: Array) -> Array:
    """One more random uint32 word for the number at an index, of a stream of its own."""
    return threefry(key_words(key), (jnp.full_like(index, _STREAM + np.uint32(1)), index))[0]


@functools.partial(_drawn, static_argnames=("size",))
def words(key: Array, size: int) -> Array:
    """``size`` random uint32 words, a pure function of the key."""
    return _side_by_side(*word_pairs(key, (size + 1) // 2))[:size]


def _side_by_side(a: Array, b: Array) -> Array:
    """Both arrays, one after the other, where what they share is computed once.

    A CPU would compute it for each half in turn; an accelerator, which computes each number where it is used, does not
    write the halves to memory first.
    """
    return jax.lax.platform_dependent(
        a, b, cpu=lambda a, b: jnp.concatenate(_once(a, b)), default=lambda a, b: jnp.concatenate((a, b))
    )


def _once(a: Array, b: Array) -> tuple[Array, Array]:
    """The same two arrays, from one loop: XLA would compute what they share once for each half of a concatenation.

    A reduction of both over an axis of length two, the other entry being neutral; it changes no bit.
    """
    floating = jnp.issubdtype(a.dtype, jnp.floating)
    neutral = np.asarray(-0.0 if floating else 0, a.dtype)  # x + -0.0 is x, signed zeros included
    join = (lambda u, v: u + v) if floating else (lambda u, v: u | v)
    padded = tuple(jnp.stack([part, jnp.full_like(part, neutral)]) for part in (a, b))
    both = lambda p, q: (join(p[0], q[0]), join(p[1], q[1]))
    first, second = jax.lax.reduce(padded, (neutral, neutral), both, (0,))
    return first, second


def open_uniform(word: Array) -> Array:
    """float32 in (0, 1], centred in the cells of the 32-bit grid: never 0, so its logarithm is finite."""
    return (word.astype(jnp.float32) + 0.5) * np.float32(2.0**-32)


def normal(key: Array, shape: Sequence[int]) -> Array:
    """Standard normal numbers, float32, by the Box-Muller transform: two normals from two words.

    The radius comes from one word, the angle from the other: its two top bits name the quadrant, the
    rest the angle within +-45 degrees, where short polynomials for sine and cosine are right to 6e-8. The
    quadrants make the law exactly symmetric.
    """
    return _normal(key, math.prod(shape)).reshape(shape)


@functools.partial(_drawn, static_argnames=("size",))
def _normal(key: Array, size: int) -> Array:
    first, second = word_pairs(key, (size + 1) // 2)
    length = jnp.sqrt(-2.0 * jnp.log(open_uniform(first)))
    sine, cosine = _sine_cosine(second)
    return _side_by_side(length * cosine, length * sine)[:size]


def signed_uniform(key: Array, shape: Sequence[int]) -> Array:
    """Uniform numbers in [-1, 1], float32, one word each: its top bit is the sign, so the law is exactly symmetric."""
    return _signed_uniform(words(key, math.prod(shape))).reshape(shape)


@_drawn
def _signed_uniform(word: Array) -> Array:
    return _flip(_magnitude(word), word & _SIGN)


def laplace(key: Array, shape: Sequence[int]) -> Array:
    """Exponential numbers with random signs, float32: one word each, tails up to 21.8."""
    return _laplace(words(key, math.prod(shape))).reshape(shape)


@_drawn
def _laplace(word: Array) -> Array:
    return _flip(-jnp.log(_magnitude(word)), word & _SIGN)


def log_gamma(key: Array, shape: float) -> Array:
    """The logarithm of one Gamma(shape) number, float32: small shapes, whose numbers underflow, keep their law.

    Marsaglia and Tsang, "A simple method for generating gamma variables", 2000: the cube of a shifted normal
    number, accepted nineteen times out of twenty. Shapes below 1 are one larger, less an exponential number.
    """
    return _log_gamma_power(key, shape, 1.0, math.log(_centre(shape)))


def gamma_radius(key: Array, order: float, k: float, unit: float) -> Array:
    """``unit`` times r, where r^k is Gamma(order / k): in logs, where ``unit`` or r alone would leave float32."""
    shape = order / k
    return jnp.exp(_log_gamma_power(key, shape, k, math.log(_centre(shape)) / k + math.log(unit)))


def beta_prime_radius(keys: tuple[Array, Array], above: float, below: float, k: float, unit: float) -> Array:
    """``unit`` times r, where r^k is the ratio of Gamma(above) and Gamma(below) numbers; in logs, too."""
    constant = (math.log(_centre(above)) - math.log(_centre(below))) / k + math.log(unit)
    return jnp.exp(_log_gamma_power(keys[0], above, k, constant) - _log_gamma_power(keys[1], below, k, 0.0))


def _centre(shape: float) -> float:
    """The number whose multiples by a cube near 1 are Gamma(shape), or Gamma(shape + 1) for shapes below 1."""
    return (shape if shape >= 1 else shape + 1) - 1 / 3


@functools.partial(_drawn, static_argnames=("shape", "k", "constant"))
def _log_gamma_power(key: Array, shape: float, k: float, constant: float) -> Array:
    """The log of (G / centre)^(1 / k) for a Gamma(shape) number G, plus a constant, made in double precision."""
    d = _centre(shape)
    if d > 2.0**60:  # its spread, 2^-30 of itself, is below the resolution of float32
        return jnp.float32(constant)
    width = np.float32(1 / math.sqrt(9 * d))
    data = bits(key, (2,))

    def attempt(state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        index, _, _ = state
        lane = jax.lax.iota(jnp.uint32, 2)
        first, second = threefry((data[0], data[1]), (jnp.full_like(lane, index), lane))
        cosine = _sine_cosine(second[0])[1]
        t = jnp.maximum(width * jnp.sqrt(-2.0 * jnp.log(open_uniform(first[0]))) * cosine, np.float32(-1))
        accepted = (t > -1) & (jnp.log(open_uniform(first[1])) < np.float32(d) * _log_acceptance(t))
        value = np.float32(constant) + np.float32(3 / k) * jnp.log1p(t)
        if shape < 1:
            value = value + jnp.log(open_uniform(second[1])) * np.float32(1 / (shape * k))
        return index + np.uint32(1), accepted, value

    start = (jnp.uint32(0), jnp.bool_(False), jnp.float32(0))
    return jax.lax.while_loop(lambda state: ~state[1], attempt, start)[2]


def _log_acceptance(t: Array) -> Array:
    """3 (ln(1 + t) - t + t^2 / 2) - t^3, by its series near 0, where the terms cancel and large shapes live."""
    series = -(t**4) * _polynomial(t, [3 / 4, -3 / 5, 3 / 6, -3 / 7, 3 / 8, -3 / 9, 3 / 10])
    return jnp.where(jnp.abs(t) < 0.1, series, 3 * (jnp.log1p(t) - t + t * t / 2) - t**3)


_SIGN = np.uint32(0x80000000)


def _magnitude(word: Array) -> Array:
    """float32 in (0, 1] from the low 31 bits, which leaves the top bit for a sign independent of it."""
    return ((word & ~_SIGN).astype(jnp.float32) + np.float32(0.5)) * np.float32(2.0**-31)


def _sine_cosine(word: Array) -> tuple[Array, Array]:
    """Sine and cosine of a uniform angle, from 32 random bits."""
    # quarter turns in [-1/2, 1/2), from the low 30 bits
    turn = (word & np.uint32(0x3FFFFFFF)).astype(jnp.float32) * np.float32(2.0**-30) - np.float32(0.5)
    square = turn * turn
    sine = turn * _polynomial(square, _SINE)
    cosine = _polynomial(square, _COSINE)
    swap = (word >> np.uint32(30)) & np.uint32(1) == 1
    # quadrant q rotates (cos, sin) by q quarter turns: the signs are bits 31 and 31 xor 30
    sign_sine = word & np.uint32(0x80000000)
    sign_cosine = (word ^ (word << np.uint32(1))) & np.uint32(0x80000000)
    return _flip(jnp.where(swap, cosine, sine), sign_sine), _flip(jnp.where(swap, sine, cosine), sign_cosine)


# Taylor series of sin(pi t / 2) / t and cos(pi t / 2) in t**2; the remainders are below 2e-8 on |t| <= 1/2.
_SINE = [(-1) ** i * (math.pi / 2) ** (2 * i + 1) / math.factorial(2 * i + 1) for i in range(5)]
_COSINE = [(-1) ** i * (math.pi / 2) ** (2 * i) / math.factorial(2 * i) for i in range(6)]


def _polynomial(x: Array, coefficients: list[float]) -> Array:
    value = jnp.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        value = value * x + np.float32(coefficient)
    return value


def _flip(value: Array, sign: Array) -> Array:
    """``value`` with its sign bit toggled by the top bit of ``sign``."""
    bits = jax.lax.bitcast_convert_type(value, jnp.uint32) ^ sign
    return jax.lax.bitcast_convert_type(bits, jnp.float32)
