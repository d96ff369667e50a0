"""The keyword arguments that put a model's call into evaluation mode, found from its signature."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

# How models spell "this is not training", and the value that says so.
_EVALUATION = {
    "train": False,
    "training": False,
    "is_training": False,
    "deterministic": True,
    "use_running_average": True,
}
_KEYWORD = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)

Arguments = tuple[tuple[str, Any], ...]


def evaluation_arguments(call: Callable[..., Any], given: Mapping[str, Any], *, inputs: int | None = 1) -> Arguments:
    """Sorted ``(name, value)`` pairs for ``call``: the modes it takes, overridden by what the user gave.

    Args:
        call: the unbound ``__call__`` of a model: ``self`` and the batch come first.
        given: keyword arguments that the user fixed; hashable, since they are part of the program.
        inputs: how many arguments come after ``self``; None if the caller passes whatever it needs.

    Returns:
        A hashable tuple of pairs.

    Raises:
        TypeError: for an argument that the model does not take, one that it needs and nobody gave, or one
            that cannot be hashed.
    """
    parameters = list(inspect.signature(call).parameters.values())
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters)
    others = parameters[1 + (inputs or 0) :]
    names = [p.name for p in others if p.kind in _KEYWORD]
    unknown = [] if takes_any else [name for name in given if name not in names]
    if unknown:
        raise TypeError(f"the model's __call__ takes no argument {unknown[0]!r}; it takes {names or 'the batch alone'}")
    arguments = {name: value for name, value in _EVALUATION.items() if name in names} | dict(given)
    missing = [
        p.name
        for p in others
        if inputs is not None
        and p.kind in _KEYWORD
        and p.default is inspect.Parameter.empty
        and p.name not in arguments
    ]
    if missing:
        raise TypeError(f"the model's __call__ needs {missing[0]!r}; pass it as a keyword argument: {missing[0]}=...")
    for name, value in arguments.items():
        check_static(name, value)
    return tuple(sorted(arguments.items()))


def check_static(name: str, value: object) -> None:
    """Refuse a value that cannot be part of a compiled program."""
    try:
        hash(value)
    except TypeError:
        raise TypeError(
            f"{name} must be hashable, since it is part of the compiled program; "
            f"got {type(value).__name__}. Use a tuple for a list, and keep arrays among the weights"
        ) from None
