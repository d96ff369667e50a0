"""table: several runs side by side, with intervals, ready for a paper."""

import dataclasses
import math
import os
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxsmooth import _check
from jaxsmooth._certificates import Certificates, TopKCertificates
from jaxsmooth._printed import norm_in_words, rounded_down, rounded_up
from jaxsmooth._types import ArrayLike
from jaxsmooth.analysis.log_format import alpha_in_words, draws_in_words, radius_text
from jaxsmooth.analysis.paired import paired_difference
from jaxsmooth.analysis.read_log import read_log, read_log_ids
from jaxsmooth.analysis.scores import abstained, interval_of_share, scored
from jaxsmooth.analysis.summary import draws_behind_bounds
from jaxsmooth.analysis.table_text import Column, check_runs, layout_of

# Where no radii are asked for: about this many columns, at round numbers.
_COLUMNS = 5
_ROUND = (1, 2, 2.5, 5, 10)


@dataclasses.dataclass(frozen=True)
class _Run:
    """A run as numbers of images: its radius where the label is certified, ``hit`` there."""

    radius: np.ndarray
    hit: np.ndarray
    abstained: np.ndarray
    labels: np.ndarray
    ids: np.ndarray | None
    norm: float
    n: tuple[int, int] | None
    alpha: float | None
    kind: str
    k: int


def table(
    runs: Mapping[str, Any],
    radii: ArrayLike | None = None,
    *,
    format: str = "text",
    baseline: str | None = None,
    alpha: float = 0.05,
) -> str:
    r"""Several runs as the table of a paper: average certified radius, certified accuracy, abstention, n.

    Every number has its interval over images: Clopper-Pearson for certified accuracy and abstention, normal
    for the average certified radius (ACR), the bootstrap over pairs for its difference from the baseline. An
    interval speaks of its own number, not of all of them. Accuracies are percentages to a tenth; radii are
    rounded down, and intervals outward. The best of each column is bold in Markdown and LaTeX, if all answers
    are of as many classes; for the ACR only at n and alpha that are known and equal, with which it grows.

    Args:
        runs: from the name of a run to the path of its log or to ``(certificates, labels)``; all of one norm.
        radii: the radii of the columns, in the units of the certificates; by default about five round ones.
        format: ``"text"``, ``"markdown"``, ``"latex"`` (for the package booktabs) or ``"csv"``, which holds the
            same numbers as fractions, not rounded.
        baseline: the name of a run; adds a column with the difference of each ACR from its, on the same images.
        alpha: the probability with which one interval misses, in (0, 1).

    Returns:
        The table, a row for each run.

    Raises:
        ValueError: if there is no run, a format or a baseline does not exist, norms differ, the images of the
            baseline are others, or a value is out of range.
        TypeError: for arguments of the wrong kind.

    Example:
        >>> import numpy as np, jaxsmooth as js, jaxsmooth.analysis
        >>> labels, radius = np.zeros(200, int), np.linspace(0, 1, 200)
        >>> first, second = (
        ...     js.Certificates(labels, r, r, r, labels, alpha=0.001)
        ...     for r in (radius, 1.1 * radius)
        ... )
        >>> runs = {"first": (first, labels), "second": (second, labels)}
        >>> print(js.analysis.table(runs, [0.5, 1]))
        run     images  ACR                   at 0.5             at 1             abstention      n        alpha
        first   200     0.500 [0.459, 0.541]  50.0 [42.8, 57.2]  0.5 [0.0, 2.8]   0.0 [0.0, 1.9]  unknown  0.001
        second  200     0.550 [0.505, 0.595]  54.5 [47.3, 61.6]  9.5 [5.8, 14.5]  0.0 [0.0, 1.9]  unknown  0.001
        certified accuracy at l2 radii and abstention in %; ACR: average certified radius; 95% intervals over images
        n or alpha is unknown: the ACR compares only where both are equal
    """
    layout = layout_of(format)
    alpha = _check.probability("alpha", alpha)
    found = _read(runs)
    values = list(found.values())
    norms = {run.norm for run in values}
    if len(norms) > 1:
        raise ValueError(f"runs of several norms, {sorted(norms)}, do not compare; make one table for each norm")
    at = _round_radii(values) if radii is None else np.atleast_1d(_check.nonnegative("radii", radii)).ravel()
    known = values[0].n is not None and values[0].alpha is not None
    comparable = known and len({(run.n, run.alpha, run.k) for run in values}) == 1
    columns = [
        _plain("images", "images", [str(len(run.labels)) for run in values]),
        _average(values, alpha, comparable),
        *([] if baseline is None else [_versus(found, baseline, alpha)]),
        *(_accuracy(values, float(radius), alpha) for radius in at),
        _shares("abstention", "abstention", [run.abstained for run in values], alpha),
        _plain("n", "n", [draws_in_words(run.n) for run in values]),
        _plain("alpha", "alpha", [alpha_in_words(run.alpha) for run in values]),
    ]
    return layout(list(found), columns, _notes(found, alpha, baseline, comparable))


def _read(runs: Any) -> dict[str, _Run]:
    check_runs(runs, "logs or (certificates, labels)")
    return {str(name): _run(f"runs[{name!r}]", value) for name, value in runs.items()}


def _run(name: str, value: Any) -> _Run:
    ids = None
    if isinstance(value, str | os.PathLike):
        value, ids = read_log(value), read_log_ids(value)
    if not (isinstance(value, tuple | list) and len(value) == 2):
        raise TypeError(f"{name} must be the path of a log or (certificates, labels); got {type(value).__name__}")
    certificates: Certificates = value[0]
    radius, correct = scored(*value)
    if not len(radius):
        raise ValueError(f"{name} must have images; got none")
    return _Run(
        radius=radius * correct,
        hit=correct,
        abstained=abstained(certificates),
        labels=np.asarray(value[1], np.int64),
        ids=ids,
        norm=float(certificates.norm),
        n=draws_behind_bounds(certificates),
        alpha=certificates.alpha,
        kind=certificates.votes_kind,
        k=certificates.k if isinstance(certificates, TopKCertificates) else 1,
    )


def _round_radii(runs: Sequence[_Run]) -> np.ndarray:
    largest = max(float(run.radius.max()) for run in runs)
    if not largest:
        return np.zeros(1)
    power = 10.0 ** math.floor(math.log10(largest / _COLUMNS))
    step = next(factor * power for factor in _ROUND if factor * power >= largest / _COLUMNS)
    # From the decimal text: the third multiple of 0.1 is 0.3.
    at = np.array([float(f"{k * step:.10g}") for k in range(_COLUMNS + 2)])
    return at[at <= largest]


def _accuracy(runs: Sequence[_Run], radius: float, alpha: float) -> Column:
    hits = [run.hit & (run.radius >= radius) for run in runs]
    text = radius_text(radius).removesuffix(".0")
    group = f"certified accuracy at {norm_in_words(runs[0].norm)} radius"
    column = _shares(f"accuracy_at_{text}", f"at {text}", hits, alpha)
    best = _best(column.texts) if len({run.k for run in runs}) == 1 else frozenset()
    return dataclasses.replace(column, best=best, group=group)


def _shares(key: str, title: str, hits: Sequence[np.ndarray], alpha: float) -> Column:
    """Fractions of images, in percent."""
    count, total = np.array([h.sum() for h in hits]), np.array([len(h) for h in hits])
    lower, upper = interval_of_share(count, total, alpha)
    percent = lambda rounded, values: [f"{rounded(1000 * float(v)) / 10:.1f}" for v in values]
    ends = zip(percent(math.floor, lower), percent(math.ceil, upper), strict=True)
    texts = percent(round, count / total)
    exact = [tuple(repr(float(v)) for v in row) for row in zip(count / total, lower, upper, strict=True)]
    return Column(key, title, texts, [f"[{a}, {b}]" for a, b in ends], exact)


def _average(runs: Sequence[_Run], alpha: float, comparable: bool) -> Column:
    mean = np.array([run.radius.mean() for run in runs])
    error = np.array(
        [run.radius.std(ddof=1) / math.sqrt(len(run.radius)) if len(run.radius) > 1 else 0 for run in runs]
    )
    half = statistics.NormalDist().inv_cdf(1 - alpha / 2) * error
    lower, upper = np.maximum(mean - half, 0), mean + half
    texts = [rounded_down(float(v), 3) for v in mean]
    ends = [f"[{rounded_down(float(a), 3)}, {rounded_up(float(b), 3)}]" for a, b in zip(lower, upper, strict=True)]
    known = [len(run.radius) > 1 for run in runs]
    exact = [
        (radius_text(float(m)), *((radius_text(float(a)), repr(float(b))) if sure else ("", "")))
        for m, a, b, sure in zip(mean, lower, upper, known, strict=True)
    ]
    intervals = [end if sure else "" for end, sure in zip(ends, known, strict=True)]
    return Column("acr", "ACR", texts, intervals, exact, _best(texts) if comparable else frozenset())


def _versus(found: Mapping[str, _Run], baseline: str, alpha: float) -> Column:
    if baseline not in found:
        raise ValueError(f"baseline must be the name of a run, {', '.join(map(repr, found))}; got {baseline!r}")
    base, texts, intervals, exact = found[baseline], [], [], []
    for name, run in found.items():
        if name == baseline:
            texts.append("-")
            intervals.append("")
            exact.append(("", "", ""))
            continue
        others = run.ids is not None and base.ids is not None and not np.array_equal(run.ids, base.ids)
        if others or not np.array_equal(run.labels, base.labels):
            raise ValueError(
                f"runs[{name!r}] is not of the images of baseline = {baseline!r} in their order; leave baseline out, "
                "or certify the same images"
            )
        gap = paired_difference(run.radius, base.radius, alpha=alpha)
        texts.append(f"{gap[0]:+.3f}")
        if len(run.radius) == 1:
            intervals.append("")
            exact.append((repr(gap[0]), "", ""))
            continue
        low, high = float(rounded_down(gap[1], 3)), float(rounded_up(gap[2], 3))
        intervals.append(f"[{low:+.3f}, {high:+.3f}]")
        exact.append(tuple(map(repr, gap)))
    return Column("difference", "difference", texts, intervals, exact)


def _plain(key: str, title: str, texts: Sequence[str]) -> Column:
    return Column(key, title, texts, [""] * len(texts), [(text.replace("unknown", ""),) for text in texts])


def _best(texts: Sequence[str]) -> frozenset[int]:
    """The rows that print the largest number, several where they print the same; none where all do."""
    numbers = [float(text) for text in texts]
    return frozenset(i for i, v in enumerate(numbers) if v == max(numbers) > min(numbers))


def _notes(found: Mapping[str, _Run], alpha: float, baseline: str | None, comparable: bool) -> list[str]:
    runs, soft = list(found.values()), [name for name, run in found.items() if run.kind != "hard"]
    notes = [
        f"certified accuracy at {norm_in_words(runs[0].norm)} radii and abstention in %; ACR: average certified "
        f"radius; {100 * (1 - alpha):g}% intervals over images"
    ]
    if baseline is not None:
        notes.append(f"difference: ACR minus that of {baseline}, paired by image")
    if len({(run.n, run.alpha) for run in runs}) > 1:
        notes.append("n or alpha differ between runs: the ACR grows with both and does not compare")
    elif len(runs) > 1 and (runs[0].n is None or runs[0].alpha is None):
        notes.append("n or alpha is unknown: the ACR compares only where both are equal")
    notes += [f"that the class stays among the top {run.k}: {name}" for name, run in found.items() if run.k > 1]
    if soft:
        notes.append(f"of soft votes, which certify another smoothed classifier: {', '.join(soft)}")
    return notes
