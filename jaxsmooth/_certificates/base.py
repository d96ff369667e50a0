"""What every kind of certificates is: a sequence of images, a table and a file."""

import dataclasses
import html
import os
from collections.abc import Iterator
from typing import Any, ClassVar, Self

import numpy as np

from jaxsmooth import _printed, _storage
from jaxsmooth._certificates.words import Rule
from jaxsmooth._types import checked_index

# Rows that a table at a prompt has.
SHOWN = 3


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class AbstractCertificates:
    """What was proved about each image, of one kind: the manners that all kinds share.

    A kind is a dataclass, frozen and with ``eq=False, repr=False``. Its fields are arrays with a row for every image,
    or None, except those that ``shared`` names, which are settings of all of them.
    """

    shared: ClassVar[tuple[str, ...]] = ("noise", "norm", "alpha")

    def __post_init__(self) -> None:
        rule = getattr(self, "rule", None)
        if rule is not None and not all(type(entry) is Rule for entry in rule.flat):
            # The None keeps NumPy from making fixed-width texts of them.
            rules = np.array([*map(Rule, rule.flat), None], object)[:-1]
            object.__setattr__(self, "rule", rules.reshape(rule.shape))

    @classmethod
    def _per_image(cls) -> list[str]:
        return [field.name for field in dataclasses.fields(cls) if field.name not in cls.shared]

    @property
    def votes_kind(self) -> str:
        """``"hard"``: of the class that most often wins; ``"soft"``: of the one of the largest expected probability."""
        votes = getattr(self, "votes", None)
        return "hard" if votes is None else votes.kind.partition("(")[0]

    def __len__(self) -> int:
        return len(getattr(self, self._per_image()[0]))

    def __getitem__(self, images: Any) -> Self:
        """The certificates of some of the images (a slice, a mask or an index array), or of one."""
        if isinstance(images, int | np.integer):
            at = checked_index(images, len(self))
            images = slice(at, at + 1)
        pick = lambda column: None if column is None else column[images]
        return dataclasses.replace(self, **{name: pick(getattr(self, name)) for name in self._per_image()})

    def __iter__(self) -> Iterator[Self]:
        return (self[image] for image in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(same(getattr(self, field.name), getattr(other, field.name)) for field in dataclasses.fields(self))

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """A structured array with the columns of ``to_dict``."""
        columns = self.to_dict()
        length = len(next(iter(columns.values())))
        rows = np.empty(length, [(name, column.dtype) for name, column in columns.items()])
        for name, column in columns.items():
            rows[name] = column
        return rows if dtype is None else rows.astype(dtype)

    def to_dict(self) -> dict[str, np.ndarray]:
        """The columns by name, each with one axis: what ``pandas.DataFrame`` takes.

        Returns:
            A column for each field that is known and has one number an image; of ``votes`` what is ``invalid``.
        """
        columns = {name: getattr(self, name) for name in self._per_image()}
        votes = columns.get("votes")
        columns = {"invalid" if name == "votes" else name: value for name, value in columns.items()}
        if votes is not None:
            columns["invalid"] = np.asarray(votes.invalid)
        return {name: value for name, value in columns.items() if value is not None and np.ndim(value) == 1}

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

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what ``save`` wrote.

        Args:
            path: the file.

        Returns:
            Equal certificates; of ``AbstractCertificates.load`` of the kind that the file holds.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it holds something else, or a noise of a class that is not imported.
        """
        values = _storage.load(path)
        names = set(values) if isinstance(values, dict) else set()
        # The base knows all kinds: each has fields of its own.
        kinds = list(_kinds(cls)) if cls is AbstractCertificates else [cls]
        kind = next((kind for kind in kinds if {field.name for field in dataclasses.fields(kind)} == names), None)
        if kind is None:
            raise ValueError(
                f"path must be a file written by {cls.__name__}.save; {os.fspath(path)!r} holds something else"
            )
        return kind(**values)

    def _column(self, name: str, others: list[Any]) -> Any:
        """A field with a row for every image, as it goes together with those of others."""
        del others
        return getattr(self, name)

    def __repr__(self) -> str:
        rows = self._rows()
        widths = [max(5, *(len(row[i]) for row in rows)) for i in range(len(rows[0]))]
        lines = [" ".join(f"{text:>{width}}" for text, width in zip(row, widths, strict=True)) for row in rows]
        return "\n".join([self._summary(), *("  " + line for line in lines), *self._more()])

    def _repr_html_(self) -> str:
        head, *body = ["".join(f"<td>{html.escape(text)}</td>" for text in row) for row in self._rows()]
        rows = "".join(f"<tr>{row}</tr>" for row in body)
        more = "".join(f"<p>{html.escape(line.strip())}</p>" for line in self._more())
        head = head.replace("td>", "th>")
        return f"<p>{html.escape(self._summary())}</p><table><tr>{head}</tr>{rows}</table>{more}"

    def _summary(self) -> str:
        """The first line: what it is, how much is certified, under which settings."""
        return f"{type(self).__name__} of {len(self)} images{self._certified()}; {', '.join(self._settings())}"

    def _certified(self) -> str:
        """What the first line says of the images."""
        return ""

    def _settings(self) -> list[str]:
        """The settings in words."""
        names = [name for name in self.shared if name != "noise"]
        known = {name: value for name in names if (value := getattr(self, name)) is not None}
        words = [f"{name} {self._text(name, value)}" for name, value in known.items()]
        noise = getattr(self, "noise", None)
        words += [] if noise is None else [_printed.brief_repr(noise)]
        return words if self.votes_kind == "hard" else [*words, f"{self.votes_kind} votes"]

    def _rows(self) -> list[tuple[str, ...]]:
        """The head and the first rows of the table."""
        columns = {name: column[:SHOWN] for name, column in self[:SHOWN].to_dict().items() if name != "rule"}
        texts = [[self._text(name, value) for value in column] for name, column in columns.items()]
        return [tuple(columns), *zip(*texts, strict=True)]

    def _text(self, name: str, value: Any) -> str:
        """A setting, or an entry of a column, as it is shown."""
        del name
        return _short(value)

    def _more(self) -> list[str]:
        return [f"  ... {len(self) - SHOWN} more"] if len(self) > SHOWN else []


def _kinds(cls: type[Any]) -> Iterator[type[Any]]:
    for kind in cls.__subclasses__():
        yield kind
        yield from _kinds(kind)


def rounded_down(value: Any) -> str:
    """A bound in four digits, never above it."""
    return _printed.rounded_down(float(value), 4)


def average_radius(radius: np.ndarray) -> str:
    """What the first line says of the radii; nothing if there are none."""
    return f", average radius {_printed.rounded_down(float(np.mean(radius)), 3)}" if len(radius) else ""


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)


def same(a: Any, b: Any) -> bool:
    """Whether two fields are equal; NaN is equal to NaN."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return np.array_equal(a, b, equal_nan=a.dtype.kind == "f" and b.dtype.kind == "f")
    return bool(a == b)
