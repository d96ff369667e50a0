"""Certificates: what was proved about each image, as a sequence, a table and a file."""

import dataclasses
import enum
import html
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from jaxsmooth import _storage
from jaxsmooth._printed import in_words
from jaxsmooth._types import Votes, checked_index

_SHOWN = 3


class Reason(enum.StrEnum):
    """Why an image got no more votes, in words."""

    ALL_DRAWN = "all votes drawn"
    ALL_RADII = "all radii certified"
    OUT_OF_REACH = "no further radius in reach"
    LITTLE_TO_GAIN = "more votes would gain too little"
    LAST_LOOK = "n_max reached"
    NOT_RECORDED = "no more votes recorded"
    NOT_ALL_RECORDED = "not all votes recorded"


class Rule(str):
    """A radius rule in words, ``"name: source"``: its name, and the theorem behind it.

    Example:
        >>> rule = Rule("cohen_2019: Cohen et al. 2019, Theorem 1; exact")
        >>> rule.name, rule.source
        ('cohen_2019', 'Cohen et al. 2019, Theorem 1; exact')
    """

    @property
    def name(self) -> str:
        """The name under which the rule is registered."""
        return self.partition(": ")[0]

    @property
    def source(self) -> str:
        """Where it is proved."""
        return self.partition(": ")[2]


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Certificates:
    """What was proved about each image; NumPy arrays of shape ``(images,)`` on the host, a sequence of images.

    Attributes:
        label: int32, the certified class, or ``ABSTAIN`` (-1).
        radius: float64, the certified radius in the units of ``x``; 0 where nothing is certified.
        p_lower: float64, lower confidence bound of the probability of the class that was tested.
        p_upper: float64, upper confidence bound of the probability of every other class.
        samples: int64, draws spent on the image, selection included.
        votes: the ``Votes`` (NumPy) behind the bounds.
        noise: the noise that was used.
        norm: 1, 2 or ``np.inf``.
        alpha: the probability, per image, with which the certificate may be wrong.
        rule: the radius rule behind each radius, one ``Rule`` per image; empty where the radius is 0.
        reason: why an image got no more votes, in words, one string per image.
    """

    label: np.ndarray
    radius: np.ndarray
    p_lower: np.ndarray
    p_upper: np.ndarray
    samples: np.ndarray
    votes: Votes | None = None
    noise: Any = None
    norm: float = 2
    alpha: float | None = None
    rule: np.ndarray | None = None
    reason: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.rule is not None and not all(type(rule) is Rule for rule in self.rule):
            # The None keeps NumPy from making fixed-width texts of them.
            object.__setattr__(self, "rule", np.array([*map(Rule, self.rule), None], object)[:-1])

    def __len__(self) -> int:
        return len(self.label)

    def __getitem__(self, images: Any) -> "Certificates":
        """The certificates of some of the images (a slice, a mask or an index array), or of one."""
        if isinstance(images, int | np.integer):
            at = checked_index(images, len(self))
            images = slice(at, at + 1)
        pick = lambda column: None if column is None else column[images]
        return dataclasses.replace(self, **{name: pick(getattr(self, name)) for name in _PER_IMAGE})

    def __iter__(self) -> Iterator["Certificates"]:
        return (self[image] for image in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Certificates):
            return NotImplemented
        return all(_same(getattr(self, field.name), getattr(other, field.name)) for field in dataclasses.fields(self))

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """A structured array with the columns of ``to_dict``."""
        columns = self.to_dict()
        rows = np.empty(len(self), [(name, column.dtype) for name, column in columns.items()])
        for name, column in columns.items():
            rows[name] = column
        return rows if dtype is None else rows.astype(dtype)

    def to_dict(self) -> dict[str, np.ndarray]:
        """The columns by name, each ``(images,)``: what ``pandas.DataFrame`` takes.

        Returns:
            ``label``, ``radius``, ``p_lower``, ``p_upper``, ``samples``; ``invalid``, ``rule`` and ``reason`` where
            they are known.
        """
        columns = {name: getattr(self, name) for name in ("label", "radius", "p_lower", "p_upper", "samples")}
        if self.votes is not None:
            columns["invalid"] = np.asarray(self.votes.invalid)
        return columns | {name: value for name in ("rule", "reason") if (value := getattr(self, name)) is not None}

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything to a NumPy archive, votes and noise included, without loss.

        Args:
            path: the file, ``.npz``; replaced in one step if it exists.

        Raises:
            TypeError: if the noise holds what no file can, such as a function: save ``dataclasses.replace(
                certificates, noise=None)``.

        Example:
            >>> import os, tempfile, numpy as np, jaxsmooth as js
            >>> path = os.path.join(tempfile.mkdtemp(), "certificates.npz")
            >>> made = js.certificates([[90, 10]], [[950, 50]], js.noises.Gaussian(0.25), dim=64)
            >>> made.save(path)
            >>> js.Certificates.load(path) == made
            True
        """
        _storage.save(path, {field.name: getattr(self, field.name) for field in dataclasses.fields(self)})

    @staticmethod
    def load(path: str | os.PathLike[str]) -> "Certificates":
        """Read what ``save`` wrote.

        Args:
            path: the file.

        Returns:
            Equal ``Certificates``.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it holds something else, or a noise of a class that is not imported.
        """
        values = _storage.load(path)
        if not isinstance(values, dict) or set(values) != {field.name for field in dataclasses.fields(Certificates)}:
            raise ValueError(
                f"path must be a file written by Certificates.save; {os.fspath(path)!r} holds something else"
            )
        return Certificates(**values)

    def __repr__(self) -> str:
        rows = [" ".join(f"{text:>{width}}" for text, width in zip(row, _WIDTHS, strict=True)) for row in self._rows()]
        return "\n".join([self._summary(), *("  " + row for row in rows), *self._more()])

    def _repr_html_(self) -> str:
        head, *body = ["".join(f"<td>{html.escape(text)}</td>" for text in row) for row in self._rows()]
        rows = "".join(f"<tr>{row}</tr>" for row in body)
        more = "".join(f"<p>{html.escape(line.strip())}</p>" for line in self._more())
        head = head.replace("td>", "th>")
        return f"<p>{html.escape(self._summary())}</p><table><tr>{head}</tr>{rows}</table>{more}"

    def _summary(self) -> str:
        certified = self.label >= 0
        average = f", average radius {np.mean(self.radius):.3f}" if len(self) else ""
        settings = [f"norm {self.norm:g}"]
        settings += [] if self.alpha is None else [f"alpha {self.alpha:g}"]
        settings += [] if self.noise is None else [in_words(self.noise)]
        return f"Certificates of {len(self)} images: {certified.sum()} certified{average}; {', '.join(settings)}"

    def _rows(self) -> list[tuple[str, ...]]:
        shown = range(min(len(self), _SHOWN))
        down = lambda value: f"{np.floor(value * 1e4) / 1e4:.4f}"
        row = lambda i: (
            str(i), str(self.label[i]), down(self.radius[i]), down(self.p_lower[i]), str(self.samples[i])
        )  # fmt: skip
        return [("image", "label", "radius", "p_lower", "samples"), *(row(i) for i in shown)]

    def _more(self) -> list[str]:
        return [f"  ... {len(self) - _SHOWN} more"] if len(self) > _SHOWN else []


_PER_IMAGE = ("label", "radius", "p_lower", "p_upper", "samples", "votes", "rule", "reason")
_WIDTHS = (5, 5, 8, 8, 8)


def concatenate(certificates: Sequence[Certificates]) -> Certificates:
    """The certificates of several sets of images as one.

    Args:
        certificates: at least one, of one noise, norm and alpha.

    Returns:
        ``Certificates`` of all images, in order.

    Raises:
        ValueError: if there is none, or they were made under different noises, norms or alphas.
        TypeError: if one of them is something else.

    Example:
        >>> import jaxsmooth as js
        >>> make = lambda votes: js.certificates(
        ...     [[90, 10]], [votes], js.noises.Gaussian(0.25), dim=64
        ... )
        >>> len(js.concatenate([make([950, 50]), make([800, 200])]))
        2
    """
    if not isinstance(certificates, Iterable) or isinstance(certificates, str):
        raise TypeError(f"certificates must be a sequence of Certificates; got {type(certificates).__name__}")
    parts = list(certificates)
    if not parts:
        raise ValueError("certificates must hold at least one Certificates; got none")
    for i, part in enumerate(parts):
        if not isinstance(part, Certificates):
            raise TypeError(f"certificates[{i}] must be Certificates; got {type(part).__name__}")
        for name in ("noise", "norm", "alpha"):
            if not _same(getattr(part, name), getattr(parts[0], name)):
                raise ValueError(
                    f"certificates must be of one {name}; certificates[{i}] has {getattr(part, name)!r}, the first "
                    f"{getattr(parts[0], name)!r}. Keep them apart, or certify again"
                )
    together = {name: _joined([getattr(part, name) for part in parts]) for name in _PER_IMAGE}
    return dataclasses.replace(parts[0], **together)


def _joined(columns: list[Any]) -> Any:
    """One column of several; None where it is missing in one of them."""
    if any(column is None for column in columns):
        return None
    if isinstance(columns[0], Votes):
        host = lambda values: np.concatenate([np.asarray(value) for value in values])
        return Votes(host([votes.counts for votes in columns]), host([votes.invalid for votes in columns]))
    return np.concatenate(columns)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return np.array_equal(a, b, equal_nan=a.dtype.kind == "f" and b.dtype.kind == "f")
    return bool(a == b)
