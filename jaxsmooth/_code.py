"""What the code of a function reads by name, and what it reads of that."""

import collections
import dis
import functools
import types
from typing import Any, NamedTuple

# Attributes that are taken of a value, one after the other; none where it is used as a whole.
Chains = frozenset[tuple[str, ...]]
WHOLE: Chains = frozenset({()})


class Reads(NamedTuple):
    """What a function and the functions inside it read.

    Attributes:
        names: globals, and variables of functions around it.
        imported: modules that it imports when it is called: the name, the number of dots before it, and what it takes.
        finds: whether it finds things by words that may be any: in the environment, among the modules, in files.
    """

    names: dict[str, Chains]
    imported: tuple[tuple[str, int, Chains], ...]
    finds: bool


@functools.lru_cache(maxsize=4096)
def reads(code: types.CodeType) -> Reads:
    """What this code reads. What is not understood is read as a whole."""
    names: dict[str, set[tuple[str, ...]]] = collections.defaultdict(set)
    imported: list[tuple[str, int, Chains]] = []
    steps = [step for step in dis.get_instructions(code) if step.opname not in _NOTHING]
    for at, step in enumerate(steps):
        name: Any = step.argval
        if step.opname in _LOADS:
            names[name].add(_chain(steps[at + 1 :]))
        elif step.opname == "IMPORT_NAME":
            level, taken = steps[at - 2].argval, steps[at - 1].argval
            if isinstance(taken, tuple):
                imported.append((name, level, frozenset((one,) for one in taken)))
            else:
                imported += [(module, 0, WHOLE) for module in {name, name.partition(".")[0]}]
    for name in {*code.co_names} - {step.argval for step in steps if step.opname.startswith(_KNOWN)}:
        names[name].add(())
    said = {*code.co_names, *(one for one in code.co_consts if isinstance(one, str))}
    finds = bool(said & _FINDERS) or {"sys", "modules"} <= said
    for inner in (reads(one) for one in code.co_consts if isinstance(one, types.CodeType)):
        for name, chains in inner.names.items():
            names[name] |= chains
        imported += inner.imported
        finds |= inner.finds
    return Reads({name: frozenset(chains) for name, chains in names.items()}, tuple(imported), finds)


# Names of instructions, of all versions of Python.
_NOTHING = frozenset({"CACHE", "EXTENDED_ARG", "NOP"})
_TAKES = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_LOADS = frozenset(
    "LOAD_GLOBAL LOAD_NAME LOAD_DEREF LOAD_CLASSDEREF LOAD_FROM_DICT_OR_GLOBALS LOAD_FROM_DICT_OR_DEREF".split()
)
_KNOWN = (*_TAKES, *_LOADS, "LOAD_SUPER_ATTR", "STORE_", "DELETE_", "IMPORT_")
_FINDERS = frozenset(
    "environ environb getenv import_module __import__ open load loadtxt genfromtxt fromfile read_text "
    "read_bytes".split()
)


def _chain(steps: list[dis.Instruction]) -> tuple[str, ...]:
    """The attributes that the first of these instructions take, one after the other."""
    chain = []
    for step in steps:
        if step.opname not in _TAKES:
            break
        chain.append(step.argval)
    return tuple(chain)
