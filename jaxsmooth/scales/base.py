"""What a scale is: a frozen pytree that gives sigma(x), and says how sigma may move."""

import abc
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxsmooth._program import jit
from jaxsmooth._types import Array, ArrayLike

# The exponentials of XLA are right to 4 units in the last place, 2^-21 of themselves; the product that follows to half.
EXPONENTIAL_ERROR = 2.0**-21 + 2.0**-23


class AbstractScale(abc.ABC):
    r"""The scale of input-dependent noise, x -> sigma(x).

    The certificate needs to know how sigma moves around x. A scale declares at least one of

    - ``semi_elasticity``: r with :math:`|\log \sigma(x) - \log \sigma(y)| \le r \|x - y\|_2` for all x and y;
    - ``local_constancy_radius(x)``: an l2 radius around each x within which sigma is constant.

    What is declared is believed: it is the assumption of the certificate, to be proved by whoever writes the
    scale. A scale that declares neither is refused by ``InputDependentGaussian``. It must be a deterministic
    function of one image, the same when certifying, predicting and attacking: no other image of the batch
    and no earlier query may enter.

    Subclasses are made with ``jaxsmooth.frozen_pytree``; they define ``__call__`` and are never subclassed again.

    Example:
        >>> import jax.numpy as jnp, jaxsmooth as js, jaxsmooth.scales
        >>> @js.frozen_pytree
        ... class Brightness(js.scales.AbstractScale):
        ...     rate: float
        ...
        ...     def __call__(self, x):  # the norm of x is 1-Lipschitz
        ...         return 0.25 * jnp.exp(
        ...             self.rate * jnp.linalg.norm(x.reshape(len(x), -1), axis=-1)
        ...         )
        ...
        ...     @property
        ...     def semi_elasticity(self):
        ...         return self.rate
        >>> Brightness(0.1)(jnp.zeros((3, 8, 8, 1))).tolist()
        [0.25, 0.25, 0.25]
    """

    @abc.abstractmethod
    def __call__(self, x: ArrayLike) -> Array:
        """Sigma at each image.

        Args:
            x: ``(images, *event)``.

        Returns:
            float32 ``(images,)``, positive.
        """

    @property
    def semi_elasticity(self) -> Any:
        """A Lipschitz constant of log sigma in l2, or None if none is declared."""
        return None

    def local_constancy_radius(self, x: ArrayLike) -> Any:
        """An l2 radius around each image within which sigma is constant, or None if none is declared.

        Args:
            x: ``(images, *event)``.

        Returns:
            ``(images,)``, or None.
        """
        del x
        return None

    def rounding(self, x: ArrayLike, reach: Array) -> Any:
        r"""How much farther log sigma may move than the semi-elasticity says, because it is computed in float32.

        With s the function that has the declared semi-elasticity and e(x) a bound of
        :math:`|\log \sigma(x) - \log s(x)|`, this is :math:`e(x) + \sup e(y)` over y within ``reach``. The certificate
        adds it to :math:`r \|x - y\|_2`. Like the semi-elasticity, what is declared is believed; ``2e-5`` unless a
        scale says otherwise, for a log sigma that is computed to five decimals.

        Args:
            x: ``(images, *event)``.
            reach: an l2 distance that no certified radius exceeds, ``(images,)``.

        Returns:
            One number or ``(images,)``, at least 0.
        """
        del x, reach
        return 2e-5

    def on_host(self, x: ArrayLike) -> np.ndarray:
        """Sigma at each image as certificates see it: the float32 numbers that sampling uses.

        Args:
            x: ``(images, *event)``.

        Returns:
            float64 ``(images,)``, NumPy.

        Raises:
            ValueError: if the scale gives anything but one sigma for each image.
        """
        return np.asarray(_compiled(_free_to_move(self), jnp.asarray(x, jnp.float32)), np.float64)

    @property
    def declares_local_constancy(self) -> bool:
        """Whether ``local_constancy_radius`` is defined."""
        return type(self).local_constancy_radius is not AbstractScale.local_constancy_radius


def sigma_of(scale: AbstractScale, x: Array | np.ndarray) -> Array:
    """What the scale gives, if that is one sigma for each image."""
    sigma = scale(x)
    if jnp.shape(sigma) != x.shape[:1]:
        raise ValueError(
            f"{type(scale).__name__} must give one sigma for each image, shape {x.shape[:1]}; got {jnp.shape(sigma)}"
        )
    return sigma


def check_scale(name: str, scale: Any) -> None:
    """Refuse what is no scale, or a scale that does not say how sigma moves."""
    if not isinstance(scale, AbstractScale):
        raise TypeError(
            f"{name} must be a scale, for example jaxsmooth.scales.KNNScale or LipschitzScale(fn, constant), which "
            f"declares how fast sigma may change; got {type(scale).__name__}. One number is Constant(sigma)"
        )
    if scale.semi_elasticity is None and not scale.declares_local_constancy:
        raise ValueError(
            f"{name} = {type(scale).__name__} declares neither semi_elasticity nor local_constancy_radius, and without "
            "either nothing can be certified: sigma could change arbitrarily next to x"
        )
    if jax.tree_util.all_leaves([scale]):
        raise TypeError(f"{name} must be a pytree: put @js.frozen_pytree before the class {type(scale).__name__}")


def checked_images(x: Any) -> Array | np.ndarray:
    """The images, at least two-dimensional; from shapes alone."""
    if not hasattr(x, "shape"):
        x = np.asarray(x)
    if x.ndim < 2:
        raise ValueError(f"x must be a batch (images, *event); got shape {x.shape}. For one image pass x[None]")
    return x


def one_by_one(function: Callable[..., Any], *arrays: Array) -> Any:
    """``function`` of each image in a loop, so that its last bit does not depend on how many images there are.

    XLA compiles the body of a loop by itself, whatever the number of rounds; but a loop of one round is merged
    with what surrounds it, so there are at least two. Sigma enters the noise of every draw, and counts of votes
    must not depend on how images are batched.
    """
    number = arrays[0].shape[0]
    if number == 1:
        arrays = tuple(jnp.concatenate([array, array]) for array in arrays)
    return jax.tree.map(lambda leaf: leaf[:number], jax.lax.map(lambda image: function(*image), arrays))


def _free_to_move(scale: AbstractScale) -> AbstractScale:
    """The scale with what is held whole by certain devices on the host: one leaf may be on one, another elsewhere."""

    def free(leaf: ArrayLike) -> ArrayLike:
        if not (isinstance(leaf, jax.Array) and leaf.committed and leaf.sharding.is_fully_replicated):
            return leaf
        if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            data: Any = free(jax.random.key_data(leaf))
            return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))
        return np.asarray(leaf)

    return jax.tree.map(free, scale)


def rounding_on_host(scale: AbstractScale, x: ArrayLike, reach: np.ndarray) -> np.ndarray:
    """``scale.rounding`` of each image, float64 ``(images,)``, NumPy."""
    arrays = jnp.asarray(x, jnp.float32), jnp.asarray(reach, jnp.float32)
    return np.asarray(_compiled_rounding(_free_to_move(scale), *arrays), np.float64)


@jit
def _compiled_rounding(scale: AbstractScale, x: Array, reach: Array) -> Array:
    return jnp.broadcast_to(jnp.asarray(scale.rounding(x, reach), jnp.float32), x.shape[:1])


@jit
def _compiled(scale: AbstractScale, x: Array) -> Array:
    return sigma_of(scale, x)
