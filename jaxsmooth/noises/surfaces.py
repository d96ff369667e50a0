"""Uniform points on the unit spheres of the three norms: the directions of the radial families.

A radial noise is a radius times one of these, independent of it. On the cube and the cross-polytope the
cone measure, which that product needs, is the surface measure.
"""

import jax
import jax.numpy as jnp

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
    return normal * jax.lax.rsqrt(jnp.sum(normal * normal))


def cross_polytope(key: Array, dim: int) -> Array:
    """Uniform on the unit sphere of the l1 norm: a Laplace vector, divided by its norm."""
    laplace = random.laplace(key, (dim,))
    return laplace / jnp.sum(jnp.abs(laplace))
