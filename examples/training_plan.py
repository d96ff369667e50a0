"""What ``train.py`` runs: objectives by name, or the published preset, with the optimizer that goes with it."""

import argparse
import dataclasses
from collections.abc import Iterable

import jax
import optax

import jaxsmooth.objectives as jo

OBJECTIVES = (
    "gaussian",
    "stability",
    "noisy_stability",
    "consistency",
    "smoothadv",
    "smoothadv_consistency",
    "macer",
    "smoothmix",
    "catrs",
)


@dataclasses.dataclass(frozen=True)
class Plan:
    """How a network is trained.

    Attributes:
        objective: with its hyperparameters.
        size: images in a step.
        per_epoch: steps in an epoch.
        epochs: how many.
        optimizer: for all weights.
        source: of the hyperparameters.
    """

    objective: jo.AbstractObjective
    size: int
    per_epoch: int
    epochs: int
    optimizer: optax.GradientTransformation
    source: str


def named_objective(options: argparse.Namespace, per_epoch: int) -> jo.AbstractObjective:
    """The objective with the options as hyperparameters."""
    steps = int(options.ramp_epochs * per_epoch)
    ramp = lambda value: jo.Ramp(value, steps) if steps else value
    lam, eta, epsilon, attack = ramp(options.lam), ramp(options.eta), ramp(options.epsilon), options.attack_steps
    copies = lambda default: options.num_samples or default
    made = {
        "gaussian": lambda: jo.GaussianAugmentation(copies(1)),
        "stability": lambda: jo.Stability(lam, copies(1)),
        "noisy_stability": lambda: jo.Stability(lam, copies(2), "noisy_noisy"),
        "consistency": lambda: jo.Consistency(lam, eta, copies(2)),
        "smoothadv": lambda: jo.SmoothAdv(epsilon, attack, jo.GaussianAugmentation(copies(4))),
        "smoothadv_consistency": lambda: jo.SmoothAdv(epsilon, attack, jo.Consistency(lam, eta, copies(4))),
        "macer": lambda: jo.MACER(lam, num_samples=copies(16)),
        "smoothmix": lambda: jo.SmoothMix(lam, attack, num_samples=copies(2)),
        "catrs": lambda: jo.CatRS(lam, epsilon, attack, copies(4)),
    }
    return made[options.objective]()


def divisions(drops: Iterable[float], per_epoch: int) -> dict[int, float]:
    """At which steps the learning rate is multiplied, and by what, if it is divided by ten at these epochs."""
    found: dict[int, float] = {}
    for step in (round(drop * per_epoch) for drop in drops):
        if step > 0:
            found[step] = 0.1 * found.get(step, 1.0)
    return found


def make_plan(options: argparse.Namespace, images: int) -> Plan:
    """Everything that follows from the options and the number of training images."""
    if options.preset:
        published = lambda per_epoch: jo.preset(
            options.objective, options.dataset, options.sigma, steps_per_epoch=per_epoch
        )
        recipe, source = published(1).recipe, published(1).source
        make = lambda per_epoch: published(per_epoch).objective
    else:
        recipe, source = jo.Recipe(60, 256, 0.05, (), 0.9, 1e-4, ""), "the command line"
        make = lambda per_epoch: named_objective(options, per_epoch)
    batch = options.batch_size or recipe.batch_size
    copies = 1 if options.objective == "macer" else make(1).num_samples
    devices = jax.device_count()
    size = max(1, batch // (copies * devices)) * devices
    if size > images:
        raise SystemExit(f"--batch-size {batch} is {size} images in a step, but there are {images} training images")
    per_epoch = images // size
    epochs = options.epochs or recipe.epochs
    # A published schedule with its warm-ups, in as many epochs as there are.
    share = epochs / recipe.epochs if options.preset else 1.0
    drops = [share * drop for drop in recipe.drops] if options.preset else [epochs // 2, 3 * epochs // 4]
    optimizer = optax.chain(
        optax.clip_by_global_norm(options.clip) if options.clip else optax.identity(),
        optax.add_decayed_weights(recipe.weight_decay if options.weight_decay is None else options.weight_decay),
        optax.sgd(
            optax.piecewise_constant_schedule(
                options.learning_rate or recipe.learning_rate, divisions(drops, per_epoch)
            ),
            momentum=recipe.momentum,
            nesterov=options.nesterov,
        ),
    )
    return Plan(make(max(1, round(share * per_epoch))), size, per_epoch, epochs, optimizer, source)
