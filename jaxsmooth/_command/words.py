"""Words of the command line and of ledgers as values: noises, norms, labels."""

import argparse
import ast
from collections.abc import Sequence

import numpy as np

from jaxsmooth import _check, noises
from jaxsmooth._types import Noise

# The noises that words can name.
FAMILIES = [name for name in dir(noises) if name[0].isupper() and not name.startswith(("Abstract", "Input"))]


def noise_of(words: str) -> Noise:
    """The noise as a ledger's first line has it, if it is of the library and all numbers."""
    family, _, fields = words.removesuffix(")").partition("(")
    try:
        call = ast.parse(f"dict({fields})", mode="eval").body
        parameters = {str(word.arg): ast.literal_eval(word.value) for word in getattr(call, "keywords", [])}
    except (SyntaxError, ValueError):
        parameters = None
    if family not in FAMILIES or parameters is None:
        raise ValueError(
            f"LEDGER is of the noise {words}, which its words do not give back; call js.recertify from Python"
        )
    return getattr(noises, family)(**parameters)


def norm_of(text: str) -> float:
    """The norm that --norm names."""
    return _check.norm({"1": 1, "2": 2}.get(text, text), "--norm")


def refuse(options: argparse.Namespace, names: Sequence[str], of: str) -> None:
    """Refuse options that would change nothing."""
    given = [f"--{name.replace('_', '-')}" for name in names if getattr(options, name) is not None]
    if given:
        raise ValueError(f"{', '.join(given)} must be left out of {of}")


def labels_in(path: str) -> np.ndarray:
    """True classes or values: an array of NumPy, or a text with one on each line, or with an image id before each."""
    if path.endswith(".npy"):
        return np.load(path)
    found = np.loadtxt(path, ndmin=2)
    if 1 in found.shape and found.shape != (1, 2):
        found = found.ravel()
    return found.astype(np.int64) if (found == np.rint(found)).all() else found
