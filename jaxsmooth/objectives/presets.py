"""Published hyperparameters, keyed by method, data set and sigma."""

import dataclasses
from collections.abc import Callable
from typing import Any

from jaxsmooth import _check
from jaxsmooth.objectives.base import AbstractObjective
from jaxsmooth.objectives.cat_rs import CatRS
from jaxsmooth.objectives.consistency import Consistency
from jaxsmooth.objectives.gaussian_augmentation import GaussianAugmentation
from jaxsmooth.objectives.macer import MACER
from jaxsmooth.objectives.schedules import Deferred, Ramp
from jaxsmooth.objectives.smooth_adv import SmoothAdv
from jaxsmooth.objectives.smooth_mix import SmoothMix
from jaxsmooth.objectives.stability import Stability

_COHEN = "Cohen et al. 2019"
_SALMAN = "Salman et al. 2019"
_JEONG = "Jeong and Shin 2020"
_SMOOTHMIX = "Jeong et al. 2021 (SmoothMix)"
_CATRS = "Jeong et al. 2023 (CAT-RS)"


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a network is trained on a data set: stochastic gradient descent with steps of the learning rate.

    Attributes:
        epochs: passes over the training images.
        batch_size: noisy copies in a step: the published code splits a batch into ``num_samples`` steps, each
            of ``batch_size / num_samples`` images, for all methods but MACER, whose steps have whole batches.
        learning_rate: at first.
        drops: epochs at which it is divided by ten.
        momentum: plain, not Nesterov's.
        weight_decay: of all parameters.
        source: the paper.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    drops: tuple[int, ...]
    momentum: float
    weight_decay: float
    source: str


@dataclasses.dataclass(frozen=True)
class Preset:
    """An objective with published hyperparameters, and a published recipe for the data set, each with its source.

    Attributes:
        objective: ready to call.
        recipe: of the optimizer.
        source: where the hyperparameters of the objective come from.
    """

    objective: AbstractObjective
    recipe: Recipe
    source: str


_RECIPES = {
    "mnist": Recipe(90, 256, 0.01, (30, 60), 0.9, 1e-4, _JEONG),
    "cifar10": Recipe(150, 256, 0.1, (50, 100), 0.9, 1e-4, _JEONG),
    "imagenet2012": Recipe(90, 200, 0.1, (30, 60), 0.9, 1e-4, _JEONG),
}
_SIGMAS = (0.25, 0.5, 1.0)
_PIXEL = 1 / 256  # the unit the published radii are written in


def _adversarial(epoch: int, epsilon: int, steps: int, objective: AbstractObjective) -> AbstractObjective:
    """Published runs multiply epsilon by (e + 1) / 10 in epoch e; here it rises with every step."""
    radius = epsilon * _PIXEL
    return SmoothAdv(Ramp(radius, 9 * epoch, first=0.1 * radius), steps, objective)


def _mixed(epoch: int, step_size: float, steps: int, num_samples: int, one_step: bool) -> AbstractObjective:
    """The warm-up is smooth here too."""
    return SmoothMix(
        eta=5.0,
        steps=steps,
        step_size=step_size,
        warmup=Ramp(1.0, 9 * epoch, first=0.1),
        num_samples=num_samples,
        one_step=one_step,
    )


def _macer(epoch: int, lam: float, deferred_epochs: int) -> AbstractObjective:
    return MACER(Deferred(lam, deferred_epochs * epoch) if deferred_epochs else lam)


def _gaussian(epoch: int) -> AbstractObjective:
    return GaussianAugmentation()


def _stability(epoch: int, lam: float) -> AbstractObjective:
    return Stability(lam)


def _consistency(epoch: int, lam: float, eta: float) -> AbstractObjective:
    return Consistency(lam, eta, 2)


def _cat_rs(epoch: int, lam: float) -> AbstractObjective:
    return CatRS(lam)


def _copies(number: int) -> AbstractObjective:
    return GaussianAugmentation(number)


@dataclasses.dataclass(frozen=True)
class _Row:
    """The settings of a method on a data set, for each of ``_SIGMAS``, after the steps in an epoch."""

    source: str
    make: Callable[..., AbstractObjective]
    settings: tuple[Any, ...]


_TABLE = {
    ("gaussian", "mnist"): _Row(_COHEN, _gaussian, ((),) * 3),
    ("gaussian", "cifar10"): _Row(_COHEN, _gaussian, ((),) * 3),
    ("gaussian", "imagenet2012"): _Row(_COHEN, _gaussian, ((),) * 3),
    ("stability", "mnist"): _Row(_JEONG, _stability, ((2.0,), (2.0,), (2.0,))),
    ("stability", "cifar10"): _Row(f"{_JEONG}; sigma 1: {_CATRS}", _stability, ((2.0,), (2.0,), (1.0,))),
    ("consistency", "mnist"): _Row(_JEONG, _consistency, ((10.0, 0.5), (5.0, 0.5), (5.0, 0.5))),
    ("consistency", "cifar10"): _Row(_JEONG, _consistency, ((20.0, 0.5), (10.0, 0.5), (10.0, 0.5))),
    ("consistency", "imagenet2012"): _Row(_JEONG, _consistency, ((10.0, 0.5), (5.0, 0.5), (5.0, 0.1))),
    ("smoothadv", "mnist"): _Row(
        f"{_JEONG}: the attack of smoothadv_consistency, without its regularizer",
        _adversarial,
        ((255, 10, _copies(4)), (255, 10, _copies(4)), (255, 10, _copies(4))),
    ),
    ("smoothadv", "cifar10"): _Row(
        f"{_SALMAN}, the best settings of each sigma",
        _adversarial,
        ((255, 10, _copies(4)), (255, 10, _copies(8)), (512, 10, _copies(2))),
    ),
    ("smoothadv_consistency", "mnist"): _Row(_JEONG, _adversarial, ((255, 10, Consistency(1.0, 0.5, 4)),) * 3),
    ("smoothadv_consistency", "cifar10"): _Row(
        _JEONG,
        _adversarial,
        (
            (255, 10, Consistency(2.0, 0.5, 4)),
            (512, 10, Consistency(1.0, 0.5, 2)),
            (512, 10, Consistency(1.0, 0.5, 2)),
        ),
    ),
    ("macer", "mnist"): _Row(f"{_JEONG}, deferred past the first drop", _macer, ((16.0, 31), (16.0, 31), (6.0, 31))),
    ("macer", "cifar10"): _Row(f"{_CATRS}; sigma 1 deferred", _macer, ((12.0, 0), (6.0, 0), (12.0, 51))),
    ("smoothmix", "mnist"): _Row(_SMOOTHMIX, _mixed, ((1.0, 2, 4, True), (1.0, 4, 4, True), (1.0, 8, 4, True))),
    ("smoothmix", "cifar10"): _Row(_SMOOTHMIX, _mixed, ((0.5, 4, 2, False), (1.0, 4, 2, True), (2.0, 4, 2, True))),
    ("catrs", "cifar10"): _Row(_CATRS, _cat_rs, ((0.5,), (1.0,), (2.0,))),
}


def preset(method: str, dataset: str, sigma: float, *, steps_per_epoch: int) -> Preset:
    """A published objective with its hyperparameters and its source.

    Args:
        method: ``"gaussian"``, ``"stability"``, ``"consistency"``, ``"smoothadv"``, ``"smoothadv_consistency"``,
            ``"macer"``, ``"smoothmix"`` or ``"catrs"``.
        dataset: ``"mnist"``, ``"cifar10"`` or ``"imagenet2012"``.
        sigma: 0.25, 0.5 or 1.0.
        steps_per_epoch: optimizer steps in an epoch, which warm-ups are counted in.

    Returns:
        ``Preset``.

    Raises:
        ValueError: if nothing is published for the combination; the message lists what is.

    Example:
        >>> import jaxsmooth.objectives
        >>> published = jaxsmooth.objectives.preset(
        ...     "consistency", "cifar10", 0.5, steps_per_epoch=390
        ... )
        >>> published.objective
        Consistency(lam=10.0, eta=0.5, num_samples=2, kind='decoupled')
        >>> published.source, published.recipe.epochs
        ('Jeong and Shin 2020', 150)

        Most warm up, so that the step has to be passed: ``published.objective(..., step=step)``.
    """
    steps_per_epoch = _check.integer("steps_per_epoch", steps_per_epoch, at_least=1)
    if not (isinstance(method, str) and isinstance(dataset, str) and (method, dataset) in _TABLE):
        known = ", ".join(f"({m}, {d})" for m, d in sorted(_TABLE))
        raise ValueError(f"no preset for method {method!r} and dataset {dataset!r}; there are {known}")
    if sigma not in _SIGMAS:
        raise ValueError(f"no preset for sigma = {sigma!r}; published are {', '.join(map(str, _SIGMAS))}")
    row = _TABLE[method, dataset]
    return Preset(row.make(steps_per_epoch, *row.settings[_SIGMAS.index(sigma)]), _RECIPES[dataset], row.source)
