"""concatenate: the certificates of several sets of images as one."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np

from jaxsmooth._certificates.base import AbstractCertificates, same
from jaxsmooth._types import Votes

_Kind = TypeVar("_Kind", bound=AbstractCertificates)


def concatenate(certificates: Sequence[_Kind]) -> _Kind:
    """The certificates of several sets of images as one.

    ``alpha`` stays what it is, per image or per family: with ``certify_outputs(family="call")`` each part remains a
    family of its own, so that something in any of them is wrong with up to their number times alpha.

    Args:
        certificates: at least one, all of one kind, noise, norm and alpha.

    Returns:
        Certificates of that kind, of all images, in order.

    Raises:
        ValueError: if there is none, or they were made under different noises, norms or alphas, or with other columns.
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
    first = parts[0]
    for i, part in enumerate(parts):
        if not isinstance(part, AbstractCertificates) or type(part) is not type(first):
            kind = type(first).__name__ if isinstance(first, AbstractCertificates) else "Certificates"
            raise TypeError(f"certificates[{i}] must be {kind}; got {type(part).__name__}")
        for name in first.shared:
            if not same(getattr(part, name), getattr(first, name)):
                raise ValueError(
                    f"certificates must be of one {name}; certificates[{i}] has {getattr(part, name)!r}, the first "
                    f"{getattr(first, name)!r}. Keep them apart, or certify again"
                )
    votes = [getattr(part, "votes", None) for part in parts]
    kinds = list(dict.fromkeys(each.kind for each in votes if each is not None))
    if len(kinds) > 1:
        raise ValueError(f"certificates must be of one kind of votes; got {' and '.join(kinds)}. Keep them apart")
    together = {name: _joined(name, [part._column(name, parts) for part in parts]) for name in first._per_image()}
    return dataclasses.replace(first, **together)


def _joined(name: str, columns: list[Any]) -> Any:
    """One column of several; None where it is missing in one of them."""
    if any(column is None for column in columns):
        return None
    shapes = {np.shape(getattr(column, "counts", column))[1:] for column in columns}
    if len(shapes) > 1:
        raise ValueError(
            f"certificates must be made alike; their {name} have shapes {sorted(shapes)} beside the images. Keep them "
            "apart, or certify all with labels or all without"
        )
    if isinstance(columns[0], Votes):
        host = lambda values: np.concatenate([np.asarray(value) for value in values])
        counts, invalid = (host([getattr(votes, name) for votes in columns]) for name in ("counts", "invalid"))
        return Votes(counts, invalid, columns[0].kind)
    return np.concatenate(columns)
