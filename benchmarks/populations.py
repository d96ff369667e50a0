"""Images as vote probabilities: read from a certification log, or drawn from a documented mixture."""

import csv
import dataclasses
from pathlib import Path

import numpy as np
from scipy import special

from jaxsmooth import bounds

# A log cannot tell how close to 1 a unanimous image is.
_UNANIMOUS = 1 - 1e-6


@dataclasses.dataclass(frozen=True)
class Population:
    """What sequential certification sees of a data set.

    ``p_top`` is the probability of each image's most likely class, ``correct`` whether that is the label,
    ``p_label`` the probability of the label; ``radii`` is the grid of the certified-accuracy curve.
    """

    name: str
    sigma: float
    radii: np.ndarray
    p_top: np.ndarray
    p_label: np.ndarray
    correct: np.ndarray

    @property
    def nulls(self) -> np.ndarray:
        """The probability that each radius requires under Gaussian noise."""
        return special.ndtr(self.radii / self.sigma)


def _population(name: str, sigma: float, radii: np.ndarray, p_top: np.ndarray, correct: np.ndarray, seed: int):
    rng = np.random.default_rng(seed)
    p_label = np.where(correct, p_top, rng.uniform(0, 1, len(p_top)) * np.minimum(p_top, 1 - p_top))
    return Population(name, sigma, radii, p_top, p_label, correct)


def from_log(path: Path, sigma: float, radii: np.ndarray, *, n: int = 100_000, alpha: float = 1e-3) -> Population:
    """Invert a six-column log: radius -> lower bound -> count -> ``count / n``.

    Images that abstained have an unknown probability below about 1/2: they are spread evenly below 1/2 at
    the density found just above it, and are right half of the time. An image whose prediction is wrong
    gives its label a uniform share of the most that it can have.
    """
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    radius = np.array([float(row["radius"]) for row in rows])
    answered = np.array([int(row["predict"]) >= 0 for row in rows])
    correct = np.array([int(row["correct"]) > 0 for row in rows])
    log_plan = bounds.GroupSequential(n, alpha, first_look=n)
    count = np.minimum(log_plan.thresholds(special.ndtr(radius / sigma))[:, -1], n)
    p_top = np.minimum(count / n, _UNANIMOUS)
    rng = np.random.default_rng(0)
    density = np.sum(answered & (p_top < 0.6)) / 0.1
    width = min(np.sum(~answered) / max(density, 1.0), 0.4)
    p_top = np.where(answered, p_top, 0.5 - width * rng.uniform(size=len(rows)))
    correct = np.where(answered, correct, rng.uniform(size=len(rows)) < 0.5)
    return _population(Path(path).stem, sigma, radii, p_top, correct, seed=1)


def synthetic(name: str, images: int = 1000) -> Population:
    """A population that resembles a published model (``SYNTHETIC``), or one that nothing was tuned for (``UNSEEN``).

    The top probability is Phi(z), where z is unanimous for a share of the images and otherwise half-normal,
    ``lowest + spread * |N(0, 1)|``; the prediction is right with probability Phi(a + b z). Stratified and
    seeded, so the same for every run.
    """
    sigma, radii, unanimous, lowest, spread, a, b = (SYNTHETIC | UNSEEN)[name]
    strata = (np.arange(images) + 0.5) / images
    share = np.minimum(strata / (1 - unanimous), 1 - 1e-9)
    z = np.where(strata < 1 - unanimous, lowest + spread * special.ndtri((1 + share) / 2), np.inf)
    p_top = np.minimum(special.ndtr(z), _UNANIMOUS)
    right = np.random.default_rng(0).uniform(size=images) < special.ndtr(a + b * special.ndtri(p_top))
    return _population(f"synthetic {name}", sigma, np.array(radii), p_top, right, seed=1)


# sigma, radii, share of unanimous images, lowest z and its spread, intercept and slope of being right
SYNTHETIC = {
    "cifar10-0.5": (0.5, (0.0, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5), 0.02, -0.35, 1.95, 0.1, 0.65),
    "imagenet-0.5": (0.5, (0.0, 0.5, 1.0, 1.5), 0.18, -0.5, 2.45, -0.1, 0.4),
}
UNSEEN = {
    "digits": (0.25, (0.0, 0.25, 0.5, 0.75), 0.3, 0.5, 1.3, 1.0, 1.0),
    "easy": (0.25, (0.0, 0.25, 0.5, 0.75), 0.8, 2.0, 1.0, 2.5, 0.5),
    "hopeless": (1.0, (0.0, 0.5, 1.0, 1.5, 2.0), 0.0, -1.2, 0.6, -0.2, 0.3),
}
