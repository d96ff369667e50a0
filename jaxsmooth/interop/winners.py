"""Scores of any type as float32 in which the same classes win."""

import numpy as np

_LEAST = np.float32(1e-30)  # far above the subnormal numbers, which compiled programs take for 0
_LARGEST = np.finfo(np.float32).max


def as_float32(scores: np.ndarray, *, from_best: bool = False) -> np.ndarray:
    """Real ``scores`` ``(batch, classes)`` as float32: the largest of every row are those that were, alone or tied.

    Rows whose largest scores do not survive rounding become differences from the largest, which is then 0; with
    ``from_best`` all rows do. NaN and infinite scores stay what they are, and finite ones stay finite.
    """
    if scores.dtype == bool or scores.dtype == np.float16:
        scores = scores.astype(np.float32)
    scores = np.ascontiguousarray(scores, scores.dtype.newbyteorder("="))
    with np.errstate(all="ignore"):
        rounded = scores.astype(np.float32)
        seen = np.where(np.abs(rounded) < np.finfo(np.float32).tiny, np.float32(0), rounded)
        same = _best(seen) == _best(scores)
        finite = np.isfinite(rounded) == np.isfinite(scores)
        lost = ~(same & finite).all(-1) | (from_best & (rounded > -np.inf).any(-1))
        lost &= ~np.isnan(rounded).any(-1)
        if lost.any():
            rounded[lost] = _differences(scores[lost])
    return rounded


def _best(scores: np.ndarray) -> np.ndarray:
    """Which scores are the largest of their rows."""
    if scores.dtype.kind == "f" and scores.dtype.itemsize in (4, 8):
        # Compared as integers: the processor takes subnormal numbers for 0 while a compiled program runs.
        bits = scores.view(f"i{scores.dtype.itemsize}")
        scores = np.where(bits < 0, np.iinfo(bits.dtype).min - bits, bits)
    return scores == scores.max(-1, keepdims=True)


def _differences(scores: np.ndarray) -> np.ndarray:
    """Differences from the largest score of a row, rounded last; a winner of +inf stays it."""
    top, best = scores.max(-1, keepdims=True), _best(scores)
    if scores.dtype.kind in "iu":
        behind = top.astype(np.uint64) - scores.astype(np.uint64)  # modulo 2**64, exact up to there
    else:
        behind = top - scores
    behind = np.clip(behind.astype(np.float32), _LEAST, _LARGEST)
    return np.where(best, np.where(np.isposinf(top), np.inf, 0), np.where(np.isneginf(scores), -np.inf, -behind))
