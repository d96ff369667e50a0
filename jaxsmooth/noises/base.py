"""What every noise is: a frozen pytree with a sigma, a scale and a sampler for one event."""

import abc
import math
from collections.abc import Sequence
from typing import Any, Self

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check
from jaxsmooth._noise import plus_sample
from jaxsmooth._types import Array, ArrayLike


class AbstractNoise(abc.ABC):
    """Additive noise, described by ``sigma`` and the parameters of its family.

    ``sigma`` is the per-coordinate root mean square, :math:`\\sqrt{E\\|\\delta\\|_2^2 / d}`, for every
    family, so that families compare at equal ``sigma``. It is data: sweeping it does not re-trace.
    Parameters that shape the law (k, j, a, p) are static.

    Subclasses are made with ``jaxsmooth.frozen_pytree``; they define ``sample`` and ``scale`` and are never
    subclassed again.
    """

    sigma: Any

    def __post_init__(self) -> None:
        _check.require_positive_leaf("sigma", self.sigma)
        for name, field in getattr(self, "__dataclass_fields__", {}).items():
            value = getattr(self, name, None)  # what is made last is not there yet
            if not field.metadata.get("static") or _check.is_traced(value):
                continue
            if isinstance(value, np.generic | np.ndarray | jax.Array) and value.ndim == 0:
                # A law is computed in double precision: NumPy's types of fewer bits would stay what they are.
                _check.keep(self, **{name: value.item()})

    @abc.abstractmethod
    def sample(self, key: Array, shape: Sequence[int]) -> Array:
        """Draw the noise of one event.

        Args:
            key: a JAX random key.
            shape: the shape of one event.

        Returns:
            float32 of this shape.
        """

    @abc.abstractmethod
    def scale(self, dim: int) -> Any:
        """The family's scale parameter lambda for ``dim`` coordinates, in the units of ``x``; float64 on the host."""

    def check_event(self, dim: int) -> None:
        """Refuse static parameters with which float32 draws of ``dim`` coordinates would not have the law of the noise.

        ``sample`` asks it while it is traced. Sigma is checked where it is concrete, by everything that takes a noise.

        Args:
            dim: the number of coordinates of one event.

        Raises:
            ValueError: naming the parameter, its value, and one that can be drawn.
        """
        del dim

    def perturb(self, key: Array, x: Array) -> Array:
        """What a draw makes of one event: ``x`` plus a ``sample``; what certification and training call.

        Attacks in training differentiate through it, and through the identity if it has none, as after rounding.

        Args:
            key: a JAX random key.
            x: float32, one event.

        Returns:
            float32 of the shape of ``x``, unless the noise says otherwise.
        """
        return plus_sample(self, key, x)

    def checked_images(self, x: ArrayLike) -> Array | np.ndarray:
        """The images as this noise takes them, before anything is sampled.

        Args:
            x: what a user passes.

        Returns:
            float32 ``(images, *event)``, finite.

        Raises:
            ValueError: naming what is wrong, and the remedy.
        """
        return _check.image_batch(x)

    @property
    def depends_on_input(self) -> bool:
        """Whether sigma is a function of the image, so that radii are claims about given images."""
        return False

    def frozen_at(self, x: ArrayLike) -> "AbstractNoise":
        """The noise at these images as radius rules see it, on the host: itself, unless it depends on them.

        Args:
            x: ``(images, *event)``.

        Returns:
            A noise without tracers.
        """
        del x
        return self

    def at(self, x: Array | np.ndarray) -> Self:
        """The noise used at each image: leaves gain a leading axis ``(images,)``.

        Args:
            x: ``(images, *event)``.

        Returns:
            This noise, repeated; input-dependent noises override it.
        """
        return jax.tree.map(lambda leaf: jnp.broadcast_to(jnp.asarray(leaf, jnp.float32), x.shape[:1]), self)


def is_additive(noise: Any) -> bool:
    """Whether a draw adds a ``sample``: the noise has no ``perturb`` of its own."""
    own = getattr(noise, "perturb", None)
    return own is None or getattr(own, "__func__", None) is AbstractNoise.perturb


def check_order(j: Any, dim: int | None = None) -> None:
    """Refuse an order j of the pole at the origin for which the density has no finite mass."""
    if not 0 <= _check.number("j", j) < math.inf:
        raise ValueError(f"j must be finite and at least 0; got {j!r}")
    if dim is not None and j >= dim:
        raise ValueError(f"j must be below the dimension {dim} of one input, else the density has no mass; got {j!r}")
