r"""Noise schedules of diffusion models, in float64 on the host.

At timestep t a model expects :math:`x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon`, that is an
image :math:`x_0` with noise of size :math:`\sqrt{(1 - \bar\alpha_t) / \bar\alpha_t}`, scaled by
:math:`\sqrt{\bar\alpha_t}`.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from jaxsmooth import _check
from jaxsmooth._types import ArrayLike

_BISECTIONS = 200
_LARGEST_BETA = 0.999


class Matched(NamedTuple):
    """The timestep of a noise.

    Attributes:
        timestep: what the network is told.
        alpha_bar: there.
        noise: the noise of the model there, as a multiple of the image.
    """

    timestep: int | float
    alpha_bar: float
    noise: float


@dataclasses.dataclass(frozen=True, eq=False)
class Schedule:
    """A discrete schedule; made by ``schedule``, ``from_betas`` or ``from_alpha_bar``.

    Attributes:
        alpha_bar: float64 ``(steps,)``, decreasing.
        name: in words.
    """

    alpha_bar: np.ndarray
    name: str = "schedule"

    @property
    def noise(self) -> np.ndarray:
        """float64 ``(steps,)``, increasing: the noise at every timestep, as a multiple of the image."""
        return np.sqrt((1 - self.alpha_bar) / self.alpha_bar)

    @property
    def log_snr(self) -> np.ndarray:
        """float64 ``(steps,)``, decreasing: log of alpha-bar / (1 - alpha-bar)."""
        return np.log(self.alpha_bar) - np.log1p(-self.alpha_bar)

    def match(self, noise: float, how: Literal["first", "nearest"] = "first") -> Matched:
        """The timestep of a noise: the first that has at least as much, or the nearest in log.

        Args:
            noise: as a multiple of the image, whose range is [-1, 1]: twice the sigma of pixels in [0, 1].
            how: which timestep; the timestep 0 is never the first.

        Returns:
            ``(timestep, alpha_bar, noise)``.

        Raises:
            ValueError: for noise that no timestep has.
        """
        table = self.noise
        if not table[0] <= noise <= table[-1]:
            raise _out_of_range(noise, table[0], table[-1], self.name)
        first = max(int(np.searchsorted(table, noise)), 1)
        if how == "nearest":
            around = np.array([first - 1, first])
            first = int(around[np.argmin(np.abs(np.log(table[around]) - math.log(noise)))])
        return Matched(first, float(self.alpha_bar[first]), float(table[first]))

    def __repr__(self) -> str:
        low, high = self.noise[[0, -1]] / 2
        return (
            f"Schedule({self.name}, {len(self.alpha_bar)} steps, sigma in [0, 1] pixels from {low:.2g} to {high:.2g})"
        )


@dataclasses.dataclass(frozen=True, eq=False)
class ContinuousSchedule:
    """A schedule of real timesteps; made by ``continuous``.

    Attributes:
        log_snr: float64 timestep to log of alpha-bar / (1 - alpha-bar), decreasing.
        low: the first timestep.
        high: the last one.
    """

    log_snr: Callable[[float], float]
    low: float
    high: float

    def match(self, noise: float, how: Literal["first", "nearest"] = "first") -> Matched:
        """The timestep that has exactly this noise; see ``Schedule.match``.

        Args:
            noise: as a multiple of the image, whose range is [-1, 1].
            how: has no meaning here.

        Returns:
            ``(timestep, alpha_bar, noise)``.

        Raises:
            ValueError: for noise that no timestep has.
        """
        del how
        wanted, low, high = -2 * math.log(noise), self.low, self.high
        if not self.log_snr(high) <= wanted <= self.log_snr(low):
            least, most = (math.exp(-self.log_snr(t) / 2) for t in (low, high))
            raise _out_of_range(noise, least, most, "continuous")
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            low, high = (middle, high) if self.log_snr(middle) > wanted else (low, middle)
        return Matched((low + high) / 2, 1 / (1 + noise**2), noise)


def schedule(name: Literal["linear", "cosine"], steps: int) -> Schedule:
    r"""A published schedule by name.

    ``"linear"``: beta from 1e-4 to 0.02 in 1000 steps, scaled to other numbers of steps (DDPM, guided diffusion).
    ``"cosine"``: :math:`\bar\alpha(t) = \cos^2(\frac{t + 0.008}{1.008} \frac\pi2)`, beta at most 0.999 (improved
    diffusion).

    Args:
        name: ``"linear"`` or ``"cosine"``.
        steps: 1000 for guided diffusion on ImageNet, 4000 for improved diffusion on CIFAR-10.

    Returns:
        A ``Schedule``.

    Raises:
        ValueError: for another name, or fewer than 2 steps.
        TypeError: if ``steps`` is no integer.

    References:
        Ho et al., "Denoising diffusion probabilistic models", 2020; Nichol and Dhariwal, "Improved denoising diffusion
        probabilistic models", 2021.

    Example:
        >>> import jaxsmooth as js
        >>> js.denoisers.schedule("cosine", 4000).match(2 * 0.25).timestep
        1158
    """
    if name not in ("linear", "cosine"):
        raise ValueError(
            f'name must be "linear" or "cosine"; got {name!r}. Use from_betas or from_alpha_bar for others'
        )
    steps = _check.integer("steps", steps, at_least=2)
    if name == "linear":
        if steps < 21:  # the last beta would be 1 or more
            raise ValueError(f"steps must be at least 21 for the linear schedule; got {steps}")
        betas = np.linspace(0.1 / steps, 20 / steps, steps)
    else:
        curve = np.array([math.cos((t / steps + 0.008) / 1.008 * math.pi / 2) ** 2 for t in range(steps + 1)])
        betas = np.minimum(1 - curve[1:] / curve[:-1], _LARGEST_BETA)
    return Schedule(np.cumprod(1 - betas), name)


def from_betas(betas: ArrayLike) -> Schedule:
    """The schedule with these betas.

    Args:
        betas: ``(steps,)``, between 0 and 1.

    Returns:
        A ``Schedule``.

    Raises:
        ValueError: for values outside (0, 1), or fewer than 2.
        TypeError: if they are no numbers.

    Example:
        >>> import jaxsmooth as js
        >>> js.denoisers.from_betas([0.1, 0.2]).alpha_bar.round(2).tolist()
        [0.9, 0.72]
    """
    values = _column("betas", betas)
    if not ((values > 0) & (values < 1)).all():
        raise ValueError(f"betas must lie strictly between 0 and 1; got {_first(values, (values > 0) & (values < 1))}")
    return from_alpha_bar(np.cumprod(1 - values))


def from_alpha_bar(alpha_bar: ArrayLike) -> Schedule:
    """The schedule with these products of 1 - beta.

    Args:
        alpha_bar: ``(steps,)``, between 0 and 1, decreasing.

    Returns:
        A ``Schedule``.

    Raises:
        ValueError: for values outside (0, 1), that do not decrease, or fewer than 2.
        TypeError: if they are no numbers.

    Example:
        >>> import jaxsmooth as js
        >>> js.denoisers.from_alpha_bar([0.9, 0.5, 0.1]).match(1.0).timestep
        1
    """
    values = _column("alpha_bar", alpha_bar)
    inside = (values > 0) & (values < 1)
    if not inside.all():
        raise ValueError(f"alpha_bar must lie strictly between 0 and 1; got {_first(values, inside)}")
    if not (np.diff(values) < 0).all():
        at = int(np.flatnonzero(np.diff(values) >= 0)[0])
        raise ValueError(f"alpha_bar must decrease; got {values[at]} before {values[at + 1]}")
    return Schedule(values)


def continuous(
    log_snr: ArrayLike | Callable[[float], float], low: float = 0.0, high: float = 1.0
) -> ContinuousSchedule:
    """A schedule of real timesteps, from the log of the signal-to-noise ratio.

    Args:
        log_snr: log of alpha-bar / (1 - alpha-bar), decreasing: a function of the timestep; or its values at 0, 1, ...,
            such as ``Schedule.log_snr``, between which timesteps are interpolated.
        low: the first timestep of a function.
        high: the last timestep of a function.

    Returns:
        A ``ContinuousSchedule``.

    Raises:
        ValueError: if the values do not decrease, or ``low`` is not below ``high``.
        TypeError: if they are no numbers.

    Example:
        >>> import jaxsmooth as js
        >>> discrete = js.denoisers.schedule("cosine", 4000)
        >>> round(js.denoisers.continuous(discrete.log_snr).match(2 * 0.25).timestep, 1)
        1157.5
    """
    if callable(log_snr):
        low, high = _check.number("low", low), _check.number("high", high)
        if not low < high:
            raise ValueError(f"low must be below high; got {low} and {high}")
        function = lambda t: float(log_snr(t))  # pyright: ignore[reportCallIssue]
        values = np.array([function(t) for t in np.linspace(low, high, 9).tolist()])
    else:
        values = _column("log_snr", log_snr)
        low, high = 0.0, float(len(values) - 1)
        steps = np.arange(len(values))
        function = lambda t: float(np.interp(t, steps, values))
    if not (np.diff(values) < 0).all():
        raise ValueError(f"log_snr must decrease with the timestep; got {values[:9].tolist()}")
    return ContinuousSchedule(function, low, high)


def _column(name: str, value: object) -> np.ndarray:
    array = _check.as_float64(name, value)
    if array.ndim != 1 or len(array) < 2:
        raise ValueError(f"{name} must have shape (steps,), at least 2 steps; got {array.shape}")
    return array


def _first(values: np.ndarray, good: np.ndarray) -> float:
    return float(values[~good][0])


def _out_of_range(noise: float, low: float, high: float, name: str) -> ValueError:
    return ValueError(
        f"sigma must be within the range of the schedule, {low / 2:.4g} to {high / 2:.4g} in units of the value range "
        f"({name}); got {noise / 2:.4g}"
    )
