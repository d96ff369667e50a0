"""self_check: whether certificates can be trusted on the user's own devices, mesh and settings."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from scipy import special

from jaxsmooth._printed import Printed
from jaxsmooth._program import jit
from jaxsmooth._transfers import deliberate
from jaxsmooth._types import Array, Votes
from jaxsmooth._verbs import certify
from jaxsmooth.noises.gaussian import Gaussian
from jaxsmooth.noises.lattice import lattice_of
from jaxsmooth.noises.lattice_gaussian import LatticeGaussian
from jaxsmooth.noises.lattice_uniform import LatticeUniform, share
from jaxsmooth.sampling.count_votes import count_votes

# A sound installation fails a check of chance by chance less often than this.
FALSE_ALARM = 1e-6
_DIM, _SIGMA = 64, 0.5
_DRAWS = 50_000
_BATCH_SIZE = 128
_BUCKETS = 1024


@dataclasses.dataclass(frozen=True)
class Check:
    """One check.

    Attributes:
        name: what must hold.
        passed: whether it does.
        found: what was found.
    """

    name: str
    passed: bool
    found: str


@dataclasses.dataclass(frozen=True, repr=False)
class SelfCheck(Printed):
    """The report of ``self_check``; prints as a table.

    Attributes:
        checks: in the order in which they ran.
        device: what they ran on.
    """

    checks: tuple[Check, ...]
    device: str

    @property
    def passed(self) -> bool:
        """Whether all checks passed."""
        return all(check.passed for check in self.checks)

    def __str__(self) -> str:
        lines = [f"{'ok  ' if check.passed else 'FAIL'}  {check.name}: {check.found}" for check in self.checks]
        verdict = "passed" if self.passed else "NOT PASSED: do not trust certificates made with these settings"
        return "\n".join([self.device, *lines, verdict])


@deliberate
def self_check(*, mesh: Mesh | None = None) -> SelfCheck:
    """Check noise, votes and certificates through the user's own devices and settings; takes seconds.

    Classifiers with known answers go through the whole path: half-spaces, whose true radius is known, are
    certified and the wrong certificates counted; draws are hashed to see that they are not repeated; their
    bits are looked at to see that the noise is float32; votes are counted over the mesh, on one device and in
    other batches, and must be the same. Checks of chance have a false alarm of one in a million.

    Args:
        mesh: the ``jax.sharding.Mesh`` to check, or None for the default device.

    Returns:
        A ``SelfCheck`` that says what passed and, if something did not, what is wrong; it prints as a table.

    Raises:
        TypeError: if ``mesh`` is not a mesh.

    Example:
        >>> import jaxsmooth as js
        >>> js.self_check().passed
        True
    """
    checks = []
    for direction in ("one coordinate", "all coordinates"):
        checks += [_law(direction, mesh), _error_rate(direction, mesh)]
    devices = [jax.devices()[0]] if mesh is None else list(mesh.devices.flat)
    checks += [_fresh_noise(mesh), _float32_noise(mesh), _same_counts(mesh), _invalid_scores(mesh)]
    checks += [_exact_integers(devices)]
    return SelfCheck(tuple(checks), f"{len(devices)} x {devices[0].device_kind}, jax {jax.__version__}")


def _half_space(w: Array, batch: Array) -> Array:
    margin = jnp.dot(batch.reshape(len(batch), -1), w, precision=jax.lax.Precision.HIGHEST)
    return jnp.stack([-margin, margin], -1)


def _buckets(batch: Array) -> Array:
    """One class for each value of ten bits of the first coordinate's float32."""
    bits = jax.lax.bitcast_convert_type(batch[:, 0], jnp.int32)
    return jax.nn.one_hot((bits >> 4) % _BUCKETS, _BUCKETS)


def _needs_float32(batch: Array) -> Array:
    """Class 1 if bfloat16 and float16 cannot represent the first coordinate."""
    lossy = lambda dtype: batch[:, 0].astype(dtype).astype(jnp.float32) != batch[:, 0]
    fine = lossy(jnp.bfloat16) & lossy(jnp.float16)
    return jnp.stack([~fine, fine], -1).astype(jnp.float32)


def _not_finite(batch: Array) -> Array:
    return jnp.where(batch[:, :1] > 0, jnp.nan, batch[:, :2])


def _normal(direction: str) -> np.ndarray:
    one_hot = np.eye(1, _DIM, dtype=np.float32)[0]
    return one_hot if direction == "one coordinate" else np.full(_DIM, 1 / math.sqrt(_DIM), np.float32)


def _count(
    classify: Callable[..., Array], x: np.ndarray, n: int, mesh: Mesh | None, batch_size: int = _BATCH_SIZE
) -> Votes:
    votes = count_votes(jax.random.key(20), classify, Gaussian(_SIGMA), x, n, mesh=mesh, batch_size=batch_size)
    return Votes(np.asarray(votes.counts), np.asarray(votes.invalid))


def _two_sided(successes: Any, trials: int, p: Any) -> Any:
    """Twice the smaller tail of the binomial distribution."""
    tail = np.minimum(special.bdtr(successes, trials, p), special.bdtrc(successes - 1, trials, p))
    return np.minimum(1, 2 * tail)


def _law(direction: str, mesh: Mesh | None) -> Check:
    w = _normal(direction)
    offsets = np.array([0.0, 1.0, 2.5])
    x = (offsets[:, None] * _SIGMA * w).astype(np.float32)
    won = _count(jax.tree_util.Partial(_half_space, w), x, _DRAWS, mesh).counts[:, 1]
    p = special.ndtr((x.astype(np.float64) @ w) / _SIGMA)
    tests = _two_sided(won, _DRAWS, p)
    shares = ", ".join(f"{k / _DRAWS:.4f} for {q:.4f}" for k, q in zip(won, p, strict=True))
    return Check(f"the noise is normal along {direction}", bool(tests.min() > FALSE_ALARM / len(tests)), shares)


def _error_rate(direction: str, mesh: Mesh | None) -> Check:
    images, alpha = 1000, 0.01
    w = _normal(direction)
    x = np.broadcast_to((_SIGMA / 2 * w).astype(np.float32), (images, _DIM))
    distance = float(x[0].astype(np.float64) @ w)
    classify = jax.tree_util.Partial(_half_space, w)
    certificates = certify(
        jax.random.key(21), classify, Gaussian(_SIGMA), x, n0=20, n=500, alpha=alpha, mesh=mesh, batch_size=_BATCH_SIZE
    )
    wrong = int(((certificates.label == 0) | (certificates.radius > distance)).sum())
    sound = wrong == 0 or special.bdtrc(wrong - 1, images, alpha) > FALSE_ALARM
    name = f"certificates along {direction} are wrong at most at rate alpha"
    return Check(name, bool(sound), f"{wrong} of {images} at alpha = {alpha:g}")


def _fresh_noise(mesh: Mesh | None) -> Check:
    counts = _count(_buckets, np.zeros((1, 2), np.float32), _DRAWS, mesh).counts[0]
    statistic = float(((counts - _DRAWS / _BUCKETS) ** 2).sum() / (_DRAWS / _BUCKETS))
    fresh = special.chdtrc(_BUCKETS - 1, statistic) > FALSE_ALARM
    return Check(
        "no draw is repeated", bool(fresh), f"chi-square {statistic / (_BUCKETS - 1):.3f} per degree of freedom"
    )


def _float32_noise(mesh: Mesh | None) -> Check:
    fine = int(_count(_needs_float32, np.zeros((1, 2), np.float32), 10_000, mesh).counts[0, 1])
    return Check("the noise is float32", fine > 9_900, f"{fine} of 10000 draws need it")


def _same_counts(mesh: Mesh | None) -> Check:
    x = np.linspace(-0.4, 0.4, 7 * _DIM, dtype=np.float32).reshape(7, _DIM)
    classify = jax.tree_util.Partial(_half_space, _normal("one coordinate"))
    here = _count(classify, x, 1001, mesh)
    others = [_count(classify, x, 1001, None), _count(classify, x, 1001, mesh, batch_size=100)]
    same = all((here.counts == other.counts).all() for other in others) and (here.total == 1001).all()
    return Check(
        "counts are those of one device and of other batches, and sum to n",
        bool(same),
        f"{int(here.total.sum())} votes",
    )


def _exact_integers(devices: list[Any]) -> Check:
    """Draws of integers on both sides of every threshold and of every share, and their sums, against the host's."""
    noise = LatticeGaussian(_SIGMA)
    t, lattice = noise.table.astype(np.uint64) @ np.array([2**32, 1], np.uint64), lattice_of(float(noise.step))
    u = np.concatenate([t - np.uint64(1), t, np.arange(2048, dtype=np.uint64)])
    expected, sums = len(t) - np.searchsorted(t[::-1], u, side="right"), np.arange(-4000, 4001, dtype=np.int32)
    values = sums.astype(np.float32) * np.float32(noise.step)
    draw = jit(lambda table, high, low: (table.magnitude(high, low), *table.by_upper_word(high)))
    number, even = LatticeUniform(_SIGMA).levels, jit(share)
    sides = [-(-(j << 64) // number) + d for j in range(1, number) for d in (-1, 0)]
    shares, ends = np.array([side * number >> 64 for side in sides]), np.array(sides, np.uint64)
    add = jit(lambda x, k: lattice.values(lattice.nearest(x) + k))
    wrong = 0
    for device in (device for device in devices if device.process_index == jax.process_index()):
        put = functools.partial(jax.device_put, device=device)
        words = put((u >> np.uint64(32)).astype(np.uint32)), put(u.astype(np.uint32))
        found, quick, undecided = map(np.asarray, draw(put(noise.tables.arrays), *words))
        wrong += int(((found != expected) | (~undecided & (quick != expected))).sum())
        halves = put((ends >> np.uint64(32)).astype(np.uint32)), put(ends.astype(np.uint32))
        wrong += int((np.asarray(even(halves, put(np.uint32(number)))) != shares).sum())
        for pixel in (0, 100, 255):
            found = np.asarray(add(put(np.float32(pixel * noise.step)), put(sums - np.int32(pixel))))
            wrong += int((found != values).sum())
    tried = f"{wrong} of {len(u) + len(ends)} draws and {3 * len(sums)} sums differ"
    return Check("noise on a lattice is drawn and added exactly", wrong == 0, tried)


def _invalid_scores(mesh: Mesh | None) -> Check:
    votes = _count(_not_finite, np.zeros((1, 2), np.float32), 10_000, mesh)
    share = int(votes.invalid[0])
    right = _two_sided(share, 10_000, 0.5) > FALSE_ALARM and votes.total[0] == 10_000
    return Check("scores that are not finite vote for nobody", bool(right), f"{share} of 10000 when half are not")
