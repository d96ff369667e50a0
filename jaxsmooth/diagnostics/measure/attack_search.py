"""The search of attack: projected gradients on the mean of softmax scores under noise, and votes at points."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxsmooth import _check, _keys
from jaxsmooth._classifier import classified, takes_keys
from jaxsmooth._noise import axes_of, perturbed
from jaxsmooth._program import jit
from jaxsmooth._types import Array, Classify, Noise
from jaxsmooth._verbs.run import run_array
from jaxsmooth.designs.base import AbstractDesign, Finished, Rows
from jaxsmooth.objectives import balls
from jaxsmooth.objectives.attacks import with_slope
from jaxsmooth.sampling import inputs
from jaxsmooth.sampling.kernel import OF_CLASSIFIER

# The keys of the gradients' noise: no stage of votes has this number.
_OF_GRADIENTS = 2**20
# Noisy copies in a batch of the search.
_COPIES = 1024
_LARGEST = np.float32(1e30)
_STEP = 2.5  # of the radius, over the number of steps


@dataclasses.dataclass(frozen=True)
class Search:
    """What an attack asks for votes and gradients."""

    key: Array
    classify: Classify
    noise: Noise
    surrogate: Classify | None
    norm: float
    steps: int
    draws: int
    clip: tuple[float, float] | None
    batch_size: int | None
    mesh: Mesh | None

    def ascend(self, x: np.ndarray, ids: np.ndarray, label: np.ndarray, radius: np.ndarray, attempt: int) -> np.ndarray:
        """Where the gradients lead within the radius: float32 ``(images, *event)``, relative to x."""
        size, moved = max(_COPIES // self.draws, 1), np.zeros_like(x)
        classify = inputs.as_pytree(self.classify if self.surrogate is None else self.surrogate)
        key = jax.random.fold_in(self.key, _OF_GRADIENTS + attempt)
        low, high = (-np.inf, np.inf) if self.clip is None else self.clip
        noise = _check.float32_noise(self.noise)
        for start in range(0, len(x), size):
            # One shape, hence one program: absent images are the last one.
            at = np.minimum(np.arange(start, start + size), len(x) - 1)
            delta = np.zeros((size, x[0].size), np.float32)
            given = (x[at], label[at].astype(np.int32), radius[at].astype(np.float32)[:, None])
            for step in range(self.steps):
                keys = jax.vmap(jax.random.fold_in, (None, 0))(jax.random.fold_in(key, step), ids[at])
                share, box = np.float32(_STEP / self.steps), (np.float32(low), np.float32(high))
                arguments = (classify, noise, *given, delta, keys, share, *box)
                delta = _step(*arguments, norm=self.norm, draws=self.draws)
            moved[at] = np.asarray(delta).reshape(-1, *x.shape[1:])
        return moved


@functools.partial(jit, static_argnames=("norm", "draws"))
def _step(
    classify: Classify,
    noise: Any,
    x: Array,
    label: Array,
    radius: Array,
    delta: Array,
    keys: Array,
    share: Array,
    low: Array,
    high: Array,
    *,
    norm: float,
    draws: int,
) -> Array:
    """One step of steepest ascent, back into the ball and into the box."""
    images = x.shape[0]
    flat = x.reshape(images, -1)
    split = jax.vmap(lambda key: _keys.split(key, draws))(keys)
    of_copies = _keys.folded(split.reshape(-1), OF_CLASSIFIER) if takes_keys(classify) else None

    def around(points: Array) -> Array:
        noises = noise.at(jax.lax.stop_gradient(points))
        copies = lambda noise, keys, point: jax.vmap(lambda key: perturbed(noise, key, point))(keys)
        return jax.vmap(copies, (axes_of(noises), 0, 0))(noises, split, points)

    def gain(delta: Array) -> Array:
        copies = with_slope(around, x)((flat + delta).reshape(x.shape))
        scores = classified(classify, copies.reshape(images * draws, *x.shape[1:]), of_copies)
        # Infinite scores have no gradient, and would leave none to the others.
        scores = jnp.clip(scores.astype(jnp.float32), -_LARGEST, _LARGEST)
        log_scores = jax.nn.log_softmax(scores, -1).reshape(images, draws, -1)
        log_p = jax.nn.logsumexp(log_scores, 1)
        own = jax.nn.one_hot(label, log_p.shape[-1], dtype=bool)
        return (jnp.where(own, -jnp.inf, log_p).max(-1) - jnp.where(own, log_p, 0.0).sum(-1)).sum()

    slope = jax.grad(gain)(delta)
    slope = jnp.where(jnp.isfinite(slope), slope, 0.0)
    moved = balls.project(delta + share * radius * balls.ascent(slope, norm), radius, norm)
    # A coordinate of x outside of the box may stay where it is.
    return jnp.clip(flat + moved, jnp.minimum(flat, low), jnp.maximum(flat, high)) - flat


@dataclasses.dataclass(frozen=True)
class _AtLooks(AbstractDesign):
    """The votes of draws up to each look, since the one before."""

    ends: tuple[int, ...] = (1,)

    @property
    def looks(self) -> np.ndarray:
        return np.array(self.ends)

    def init(self, images: int) -> Rows:
        return {"counts": np.zeros((images, len(self.ends), self.setting.classes), np.int64)}

    def look(
        self, rows: Rows, look: np.ndarray, counts: np.ndarray, labels: np.ndarray | None
    ) -> tuple[Rows, np.ndarray]:
        found = rows["counts"].copy()
        found[np.arange(len(look)), look] = counts - found.sum(1)
        return {"counts": found}, look == len(self.ends) - 1

    def conclude(self, rows: Rows, finished: Finished) -> list[np.ndarray]:
        return list(rows["counts"].swapaxes(0, 1))


def votes_at(search: Search, stage: int, points: np.ndarray, ids: np.ndarray, ends: list[int]) -> list[np.ndarray]:
    """Fresh votes at some points: int64 ``(images, classes)`` for each part of the draws."""
    return run_array(
        _AtLooks(tuple(ends)), jax.random.fold_in(search.key, stage), search.classify, search.noise, points,
        image_ids=ids, batch_size=search.batch_size, mesh=search.mesh, ledger=None, progress=False, verb="attack",
    )  # fmt: skip
