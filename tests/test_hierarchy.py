"""Trees of classes: what a tree is, the level that first draws choose, and agreement with a node."""

import subprocess
import sys

import jax
import numpy as np
import pytest

import jaxsmooth as js
from jaxsmooth.designs import Agreement, Outputs
from jaxsmooth.sampling.hierarchy import checked_hierarchy, counts_of, finest_agreed, members
from tests.test_designs import KEY, NOISE, X
from tests.test_output_kinds import MAPS

TREE = [[0, 1, 2], [3, 3, 2], [4, 4, 4]]
RUN = {"tau": 0.6, "n": 120, "alpha": 0.05}


def coarsest(votes):
    return np.full(len(votes), 2)


def second(votes):
    return np.full(len(votes), 1)


@pytest.fixture(scope="module")
def made():
    return js.certify_outputs(KEY, MAPS, NOISE, X, hierarchy=TREE, **RUN)


def test_agreement_with_a_node_is_what_counts_say(made):
    """Each output on its own, by count_votes; the level from the first draws alone."""
    tree, levels = np.array(TREE), []
    for output in range(5):
        alone = jax.tree_util.Partial(lambda f, batch, output=output: f(batch)[:, output], MAPS)
        first = np.asarray(js.count_votes(KEY, alone, NOISE, X, 10).counts)
        rest = np.asarray(js.count_votes(KEY, alone, NOISE, X, 120, first=10).counts)
        lead = first.argmax(-1)
        agreed = np.stack([(first * (row == row[lead][:, None])).sum(-1) >= 9 for row in tree])
        level = agreed.argmax(0)
        node = tree[level, lead]
        np.testing.assert_array_equal(made.selected[:, output], node)
        np.testing.assert_array_equal(made.agreement[:, output], (rest * members(TREE_)[node]).sum(-1))
        levels.append(level)
    assert set(np.concatenate(levels).tolist()) == {0, 1, 2}
    np.testing.assert_array_equal(made.label >= 0, js.bounds.holm(made.p_value, 0.05))


TREE_ = checked_hierarchy(TREE)


def test_a_tree_certifies_more_and_the_root_everything(made):
    plain = js.certify_outputs(KEY, MAPS, NOISE, X, **RUN)
    assert (made.label >= 0).sum() > (plain.label >= 0).sum()
    root = js.certify_outputs(KEY, MAPS, NOISE, X, hierarchy=TREE, coarsen=coarsest, **RUN)
    assert (root.label == 4).all() and (root.agreement == 120).all()
    trivial = js.certify_outputs(KEY, MAPS, NOISE, X, hierarchy=TREE[:1], **RUN)
    np.testing.assert_array_equal(trivial.label, plain.label)


def test_streams_ledgers_and_meshes(made, tmp_path):
    path, design = tmp_path / "votes.jsonl", Outputs(hierarchy=TREE, **RUN)
    mesh = jax.make_mesh((2,), ("draws",))
    parts = js.certify_stream(KEY, MAPS, NOISE, [X[:11], X[11:]], design, ledger=path, mesh=mesh)
    assert js.concatenate(list(parts)) == made
    assert js.recertify(path, NOISE, design) == made
    for other in (Outputs(**RUN), Outputs(hierarchy=TREE, coarsen=second, **RUN)):
        with pytest.raises(ValueError, match="design must count what the ledger holds"):
            js.recertify(path, NOISE, other)
    made.save(tmp_path / "made.npz")
    assert js.OutputCertificates.load(tmp_path / "made.npz") == made and "3 levels" in repr(made)


def test_a_rule_is_known_by_what_it_does(tmp_path):
    """Two functions without a name of their own are two rules; one of two numbers in its closure, too."""
    path = tmp_path / "votes.jsonl"
    rule = lambda level: lambda votes: np.full(len(votes), level)
    run = lambda level: js.certify_outputs(KEY, MAPS, NOISE, X, hierarchy=TREE, coarsen=rule(level), ledger=path, **RUN)
    first = run(0)
    assert run(0) == first == js.recertify(path, NOISE, Outputs(hierarchy=TREE, coarsen=rule(0), **RUN))
    with pytest.raises(ValueError, match="belongs to another run: its ballot_functions is"):
        run(1)
    with pytest.raises(ValueError, match="got one whose function is not known to be the same"):
        js.recertify(path, NOISE, Outputs(hierarchy=TREE, coarsen=rule(1), **RUN))


OF_RULES = """
import functools, numpy as np, jax.numpy as jnp, dataclasses
from jaxsmooth.ledger.functions import function_digest

@dataclasses.dataclass
class Rule:
    share: float
    names: frozenset = frozenset({"a", "b", "c"})
    def __call__(self, votes):
        return np.zeros(len(votes), int) if "a" in {"a", "b", "c"} else TABLE

TABLE, WEIGHTS = np.arange(3), jnp.arange(3)
found = [Rule(0.5), functools.partial(Rule, share=1), lambda votes: WEIGHTS, Rule(1).__call__, lambda votes: TABLE]
found = [function_digest(one) for one in found]
"""


def test_rules_are_the_same_in_every_process():
    """Whatever the order of sets, where lines stand, and where objects lie in memory."""
    here = {"__name__": "rules_of_a_user"}
    exec(OF_RULES, here)
    there = f"there = {{'__name__': 'rules_of_a_user'}}; exec({chr(10) + OF_RULES!r}, there); print(there['found'])"
    said = subprocess.run([sys.executable, "-c", there], capture_output=True, text=True, check=True).stdout
    assert said.strip() == repr(here["found"]) and len(set(here["found"])) == 5


def test_a_node_above_the_true_class_is_right(made):
    """A class at which nothing points is right nowhere; the root is right everywhere."""
    certified = made.label >= 0
    truth = np.zeros((30, 5), int)
    found = js.analysis.output_summary(made, truth)
    right = np.isin(made.label, [0, 3, 4])
    assert found.certified_accuracy == right.mean() and found.wrong == (certified & ~right).mean()
    assert len(found.iou) == 3
    axes = js.analysis.plot_output_map(
        js.certify_outputs(KEY, lambda batch: MAPS(batch)[:, :4].reshape(-1, 2, 2, 3), NOISE, X, hierarchy=TREE, **RUN),
        np.zeros((30, 2, 2), int),
    )
    assert "certified" in axes.get_title()


def test_the_finest_level_on_which_draws_agree():
    counts = np.array([[10, 0, 0], [9, 1, 0], [8, 2, 0], [5, 0, 5], [0, 0, 0]])
    assert finest_agreed(counts, TREE_).tolist() == [0, 0, 1, 2, 2]
    table = np.array([[1, 2], [1, 0], [3, 2]])
    np.testing.assert_array_equal(counts_of(table, 3), [[2, 0, 1], [0, 2, 0]])
    assert repr(Agreement(10)) == "Agreement(n0=10)" and "coarsen=second" in repr(Agreement(10, TREE_, second))


@pytest.mark.parametrize(
    ("hierarchy", "error", "message"),
    [
        ([[0.0, 1.0]], TypeError, "hierarchy must be integers"),
        ([0, 1, 2], ValueError, r"hierarchy must have shape \(levels, classes\)"),
        ([[0, 1, 2], [-1, -1, -1]], ValueError, "number nodes from 0"),
        ([[1, 0, 2]], ValueError, "begin with the classes themselves"),
        ([[0, 1, 2], [0, 0, 2]], ValueError, "a number of its own; node 0"),
        ([[0, 1, 2], [3, 3, 2], [0, 4, 4]], ValueError, "must join nodes"),
        ([[0, 1, 2, 3], [4, 4, 2, 3]], ValueError, "a column for each of the 3 classes"),
        ("tree", TypeError, "hierarchy must be"),
    ],
)
def test_what_is_no_tree_is_refused(hierarchy, error, message):
    with pytest.raises(error, match=message):
        js.certify_outputs(KEY, MAPS, NOISE, X, hierarchy=hierarchy, **RUN)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"coarsen": second}, TypeError, "coarsen must be a function of votes, for a hierarchy"),
        ({"hierarchy": TREE, "coarsen": 3}, TypeError, "coarsen must be a function"),
        ({"hierarchy": TREE, "coarsen": lambda votes: votes}, ValueError, "coarsen must return integers"),
        ({"hierarchy": TREE, "coarsen": lambda votes: second(votes) + 2}, ValueError, "levels from 0 to 2; got 3 to 3"),
    ],
)
def test_bad_rules_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        js.certify_outputs(KEY, MAPS, NOISE, X, **options, **RUN)
