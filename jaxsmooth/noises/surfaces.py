"""Uniform points on the unit spheres of the three norms: the directions of the radial families.

A radial noise is a radius times one of these, independent of it. On the cube and the cross-polytope the
cone measure, which that product needs, is the surface measure.
"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth._types import Array
from jaxsmooth.noises import random


def cube(key: Array, dim: int) -> Array:
    """Uniform on the surface of the cube [-1, 1]^dim: one coordinate, any with the same chance, is put on a face."""
    key_face, key_inside = random.split(key)
    face = random.index(key_face, dim)
    inside = random.signed_uniform(key_inside, (dim,))
    return jnp.where(jax.lax.iota(jnp.int32, dim) == face, jnp.sign(inside), inside)


def sphere(key: Array, dim: int) -> Array:
    """Uniform on the Euclidean unit sphere: a normal vector, divided by its length."""
    normal = random.normal(key, (dim,))
    return _kept(normal * jax.lax.rsqrt(jnp.sum(normal * normal)), normal)


def cross_polytope(key: Array, dim: int) -> Array:
    """Uniform on the unit sphere of the l1 norm: a Laplace vector, divided by its norm."""
    laplace = random.laplace(key, (dim,))
    return _kept(laplace / jnp.sum(jnp.abs(laplace)), laplace)


def _kept(direction: Array, vector: Array) -> Array:
    """The direction, or the first axis for a vector of zeros, which float32 draws now and then in few dimensions."""
    dim = vector.shape[0]
    if dim > 4:  # less than one event in 2^60
        return direction
    axis = jnp.copysign(np.eye(1, dim, dtype=np.float32)[0], vector)
    return jnp.where((vector == 0).all(), axis, direction)
