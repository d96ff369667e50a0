"""What was found out about a classifier is found out once, and kept for the last ones alone."""

import jax
import numpy as np
import pytest

from jaxsmooth._program import find_program
from jaxsmooth.sampling import remembered
from jaxsmooth.sampling.kernel import scored
from jaxsmooth.sampling.remembered import Remembered

X = np.zeros((2, 3), np.float32)


def weighted(weights, batch):
    return batch @ weights


def with_weights(value, classes=2):
    return jax.tree_util.Partial(weighted, np.full((3, classes), value, np.float32))


def test_once_for_a_program_and_the_shapes_of_its_weights():
    sizes, found = Remembered[int](), []
    find = lambda: found.append(None) or len(found)
    given = [(with_weights(1.0),), (with_weights(2.0),), (with_weights(1.0, classes=4),), (with_weights(1.0), "more")]
    given = [(find_program(scored, classify, X).program, *more) for classify, *more in given]
    assert [sizes.of(*arguments, find=find) for arguments in [*given, *given]] == [1, 1, 2, 3] * 2


def test_an_exception_is_not_remembered():
    sizes = Remembered[int]()
    with pytest.raises(ZeroDivisionError):
        sizes.of("a program", find=lambda: 1 // 0)
    assert sizes.of("a program", find=lambda: 5) == 5


def test_what_is_unused_for_longest_is_forgotten_first(monkeypatch):
    monkeypatch.setattr(remembered, "_MOST", 2)
    sizes, classify = Remembered[int](), "a program"
    ask = lambda number, answer: sizes.of(classify, number, find=lambda: answer)
    assert [ask(number, number) for number in range(3)] == [0, 1, 2]
    assert [ask(1, -1), ask(0, 7), ask(1, -1), ask(2, -2)] == [1, 7, 1, -2]
