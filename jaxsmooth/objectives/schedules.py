"""Numbers that may depend on the training step: constants, any callable of the step, and two schedules."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from jaxsmooth import _check
from jaxsmooth._types import Array, ArrayLike


def at_step(value: object, step: ArrayLike) -> Array:
    """The float32 value of a number or a schedule at a step."""
    return jnp.asarray(value(step) if callable(value) else value, jnp.float32)


def check_scalar(name: str, value: object, *, positive: bool = False) -> None:
    """Refuse a concrete number that is negative (or zero) or not finite; leave schedules and tracers alone."""
    if callable(value) or _check.is_traced(value):
        return
    if isinstance(value, bool | str | None):
        raise TypeError(f"{name} must be a number, or a callable from the step to a number; got {value!r}")
    if isinstance(value, int | float | np.integer | np.floating):
        good = value > 0 if positive else value >= 0
        if not (good and np.isfinite(value)):
            raise ValueError(f"{name} must be {'positive' if positive else 'at least 0'} and finite; got {value!r}")


def _keep_numbers(schedule: object, *names: str) -> None:
    """Python's floats for scalars of NumPy and JAX, so that schedules are compared and hashed by their values."""
    values = {name: getattr(schedule, name) for name in names}
    _check.keep(schedule, **{name: float(value) for name, value in values.items() if not _check.is_traced(value)})


@dataclasses.dataclass(frozen=True)
class Ramp:
    """A schedule that rises linearly from 0 to a value, then stays.

    Two equal ones are one program, unlike two closures. Any other callable of the step, such as a schedule
    of Optax, does as well.

    Args:
        value: the value in the end.
        steps: after how many steps it is reached; at least 1.
        first: the value at step 0; 0 by default.

    Example:
        >>> import jaxsmooth.objectives
        >>> weight = jaxsmooth.objectives.Ramp(10.0, steps=100)
        >>> [float(weight(step)) for step in (0, 50, 100, 1000)]
        [0.0, 5.0, 10.0, 10.0]
    """

    value: float
    steps: int
    first: float = 0.0

    def __post_init__(self) -> None:
        check_scalar("value", self.value)
        check_scalar("first", self.first)
        _keep_numbers(self, "value", "first")
        _check.keep(self, steps=_check.integer("steps", self.steps, at_least=1))

    def __call__(self, step: ArrayLike) -> Array:
        """The value at a step, which may be traced."""
        progress = jnp.minimum(jnp.asarray(step, jnp.float32) / int(self.steps), 1.0)
        return float(self.first) + (float(self.value) - float(self.first)) * progress


@dataclasses.dataclass(frozen=True)
class Deferred:
    """A schedule that is 0 until a step, then a value; MACER's weight is often deferred.

    Args:
        value: the value in the end.
        start: the first step with this value.

    Example:
        >>> import jaxsmooth.objectives
        >>> weight = jaxsmooth.objectives.Deferred(12.0, start=100)
        >>> [float(weight(step)) for step in (0, 99, 100)]
        [0.0, 0.0, 12.0]
    """

    value: float
    start: int

    def __post_init__(self) -> None:
        check_scalar("value", self.value)
        _keep_numbers(self, "value")
        _check.keep(self, start=_check.integer("start", self.start, at_least=0))

    def __call__(self, step: ArrayLike) -> Array:
        """The value at a step, which may be traced."""
        return jnp.where(jnp.asarray(step) >= int(self.start), jnp.float32(self.value), jnp.float32(0))
