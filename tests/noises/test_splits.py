"""Splits: every view is what it is defined to be, and no move within the radius changes the label."""

import itertools
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import jaxsmooth as js
from jaxsmooth.designs.exact import split_radius

REFERENCE = json.loads((pathlib.Path(__file__).parent / "splits_reference.json").read_text())


def defined_view(k, offsets, s, levels, q):
    """The middle of the interval between thresholds that holds k / q, in float64, as written in the definition."""
    j = (offsets + s) % levels
    m = np.floor((k - j - 1) / levels) + 1
    upper, lower = np.minimum((j + m * levels + 0.5) / q, 1), np.maximum((j + (m - 1) * levels + 0.5) / q, 0)
    return (upper + lower) / 2


@pytest.mark.parametrize(("levels", "q"), [(1, 4), (3, 4), (4, 4), (7, 4), (442, 255), (60, 255)])
def test_views_are_those_of_the_definition(levels, q):
    noise = js.noises.Splits.from_levels(levels, step=1 / q, offsets=np.arange(q + 1) * 5 % levels)
    k = np.arange(q + 1)
    view = jax.jit(jax.vmap(noise.view, (0, None)))(np.arange(levels), (k / q).astype(np.float32))
    expected = np.stack([defined_view(k, np.array(noise.offsets), s, levels, q) for s in range(levels)])
    np.testing.assert_allclose(view, expected, atol=1e-7)
    assert view.min() >= 0 and view.max() <= 1


@pytest.mark.parametrize(("levels", "q"), [(3, 4), (7, 4), (442, 255), (60, 255)])
def test_a_step_changes_one_view(levels, q):
    noise = js.noises.Splits.from_levels(levels, step=1 / q, seed=3)
    view = jax.jit(jax.vmap(jax.vmap(noise.view, (0, None)), (None, 0)))
    seen = np.asarray(view(np.arange(levels), (np.arange(q + 1)[:, None] / q).astype(np.float32)))[..., 0]
    np.testing.assert_array_equal((seen[1:] != seen[:-1]).sum(1), 1)


def linear(weights, batch):
    return batch @ weights[:-1] + weights[-1]


# The reference holds the weights of the even classes alone.
EVEN = np.arange(0, 10, 2)


def even_run(case, images, **options):
    """Votes of a classifier of the even classes: what the others won of the reference's falls to one of them."""
    weights = np.concatenate([np.array(REFERENCE["weights"]).T, [np.array(REFERENCE["bias"])[EVEN]]]).astype(np.float32)
    noise = js.noises.Splits.from_levels(case["L"], step=1 / REFERENCE["q"], offsets=case["offsets"])
    x = np.array(images, np.float32).reshape(len(images), -1) / REFERENCE["q"]
    return js.certify_exact(jax.tree_util.Partial(linear, weights), noise, x, **options)


def reference_images(case):
    return [np.array(REFERENCE["images"][str(image["id"])]) for image in case["images"]]


@pytest.mark.parametrize("case", REFERENCE["cases"], ids=lambda case: str(case["L"]))
def test_counts_labels_and_radii_of_the_reference(case):
    expected = np.array([image["counts"] for image in case["images"]])
    label, steps = split_radius(expected, np.zeros(len(expected), int))
    np.testing.assert_array_equal(label, [image["label"] for image in case["images"]])
    np.testing.assert_array_equal(steps, [image["radius_levels"] for image in case["images"]])
    np.testing.assert_array_equal(steps / REFERENCE["q"], [image["radius"] for image in case["images"]])
    found = even_run(case, reference_images(case))
    assert found.norm == 1 and found.alpha == 0 and set(found.samples) == {case["L"]}
    counts, odd = np.asarray(found.votes.counts), expected[:, 1::2].sum(1)
    assert (counts >= expected[:, EVEN]).all() and (counts.sum(1) == expected.sum(1)).all()
    known = odd == 0
    assert known.any()
    np.testing.assert_array_equal(counts[known], expected[known][:, EVEN])
    np.testing.assert_array_equal(2 * found.label[known], label[known])
    np.testing.assert_array_equal(found.radius[known] * REFERENCE["q"], steps[known])


@pytest.mark.parametrize("case", REFERENCE["cases"][:2], ids=lambda case: str(case["L"]))
def test_no_neighbour_within_the_radius_has_another_label(case):
    """Every change of one pixel, and random moves of exactly the radius."""
    q, rng = REFERENCE["q"], np.random.default_rng(0)
    images = reference_images(case)
    centre = even_run(case, images)
    for image, label, radius in zip(images, centre.label, centre.radius, strict=True):
        r, flat = round(radius * q), image.ravel()
        moved = [flat + d * np.eye(1, flat.size, i, dtype=int)[0] for i in range(flat.size) for d in range(-r, r + 1)]
        for _ in range(300):
            steps = np.bincount(rng.integers(0, flat.size, r), minlength=flat.size)
            moved.append(flat + steps * rng.choice([-1, 1], flat.size))
        inside = [m for m in moved if m.min() >= 0 and m.max() <= q]
        assert set(even_run(case, inside, batch_size=1024).label) == {label}


def every_lattice_point(dim, q):
    return np.array(list(itertools.product(range(q + 1), repeat=dim)))


@pytest.mark.parametrize(("dim", "q", "levels"), [(1, 6, 4), (1, 6, 9), (2, 5, 3), (2, 5, 6), (2, 4, 11), (3, 3, 5)])
def test_exhaustively_on_a_small_lattice(dim, q, levels):
    """Classifiers that are tables of views, of random and of mostly equal entries: no ball holds another label."""
    rng, points = np.random.default_rng(levels), every_lattice_point(dim, q)
    noise = js.noises.Splits.from_levels(levels, step=1 / q, seed=1)
    x = (points / q).astype(np.float32)
    view = np.asarray(jax.vmap(jax.vmap(noise.view, (0, None)), (None, 0))(np.arange(levels), x))
    cells, cell_of = np.unique(view.reshape(-1, dim), axis=0, return_inverse=True)
    distance = np.abs(points[:, None] - points[None]).sum(-1)
    attained = 0
    for trial in range(12):
        table = rng.integers(0, 3, len(cells))
        if trial % 2:
            table = np.where(rng.random(len(cells)) < 0.8, 0, table)
        votes = np.eye(3, dtype=int)[table[cell_of].reshape(len(points), levels)].sum(1)
        label, steps = split_radius(votes, np.zeros(len(points), int))
        same = label[:, None] == label[None]
        assert same[distance <= steps[:, None]].all()
        attained += int((~same & (distance == steps[:, None] + 1)).any(1).sum())
    assert attained > len(points)  # one step more would be wrong at many points


@given(st.lists(st.integers(0, 40), min_size=2, max_size=5))
def test_the_radius_of_votes(counts):
    label, steps = (int(v[0]) for v in split_radius(np.array([counts]), np.zeros(1, int)))
    assert label == int(np.argmax(counts)) and 0 <= steps <= sum(counts) / 2
    more = np.array(counts) + (np.arange(len(counts)) == label)
    assert split_radius(more[None], np.zeros(1, int))[1][0] >= steps
    # The best of an adversary: take votes of the label for one other class.
    for other in set(range(len(counts))) - {label}:
        moved = np.array(counts)
        moved[[label, other]] += [-min(steps, counts[label]), min(steps, counts[label])]
        assert int(np.argmax(moved)) == label
    one = np.eye(len(counts), dtype=int)
    beaten = [counts + (steps + 1) * (one[other] - one[label]) for other in range(len(counts)) if other != label]
    assert any(int(np.argmax(moved)) != label for moved in beaten)


@pytest.mark.parametrize("lam", [0.2, 0.45, 0.5, 0.9, 3.0])
def test_the_layer_after_uniform_noise_has_the_law_of_a_split(lam):
    rng = np.random.default_rng(0)
    x, offset = rng.random(5000), rng.random(5000)
    # Thresholds at offset + integers, in units of 2 lam; the interval that holds x is centred on [x - lam, x + lam].
    below = 2 * lam * (np.floor(x / (2 * lam) - offset) + offset)
    centre = below + lam
    split = (np.minimum(below + 2 * lam, 1) + np.maximum(below, 0)) / 2
    np.testing.assert_allclose(js.noises.split_layer(jnp.asarray(centre), lam), split, atol=5e-7)
    assert stats.kstest((centre - x) / lam, stats.uniform(-1, 2).cdf).pvalue > 1e-6


# --- the verb ------------------------------------------------------------------------------------------------


NOISE = js.noises.Splits(0.25, step=1 / 16)
X = np.random.default_rng(1).integers(0, 17, (21, 6)).astype(np.float32) / 16
CLASSIFY = jax.tree_util.Partial(lambda w, x: jnp.tanh(x @ w), jax.random.normal(jax.random.key(2), (6, 4)))
FIELDS = ("label", "radius", "p_lower", "p_upper", "samples")


def same(found, expected):
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    np.testing.assert_array_equal(found.votes.counts, expected.votes.counts)


def test_votes_are_those_of_the_views_written_out():
    found = js.certify_exact(CLASSIFY, NOISE, X)
    views = jax.vmap(jax.vmap(NOISE.view, (0, None)), (None, 0))(np.arange(NOISE.levels), X)
    winner = np.asarray(CLASSIFY(views.reshape(-1, 6))).argmax(-1).reshape(len(X), -1)
    np.testing.assert_array_equal(found.votes.counts, np.stack([(winner == c).sum(1) for c in range(4)], -1))
    assert set(found.rule) == {"split votes"} and (found.votes.invalid == 0).all()
    anywhere = js.certify_exact(CLASSIFY, NOISE, X, lattice=False)
    assert set(anywhere.rule) == {"split votes, for any move"}


def test_batches_meshes_and_ledgers_change_nothing(tmp_path):
    expected, path = js.certify_exact(CLASSIFY, NOISE, X), tmp_path / "votes.jsonl"
    same(js.certify_exact(CLASSIFY, NOISE, X, batch_size=7), expected)
    for devices in (1, 2, 8):
        same(js.certify_exact(CLASSIFY, NOISE, X, mesh=jax.make_mesh((devices,), ("views",))), expected)
    same(js.certify_exact(CLASSIFY, NOISE, X, ledger=path), expected)
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:9]))  # cut off
    same(js.certify_exact(CLASSIFY, NOISE, X, ledger=path), expected)
    assert sorted(path.read_bytes().splitlines()) == sorted(whole.splitlines())
    same(js.recertify(path, NOISE), expected)
    halved = js.recertify(path, NOISE, js.designs.Exact(lattice=False))
    np.testing.assert_array_equal(halved.radius, expected.radius / 2)
    with pytest.raises(ValueError, match="noise must be that of the ledger"):
        js.recertify(path, js.noises.Splits(0.25, step=1 / 16, seed=1))


def test_what_votes_do_not_show_is_not_forgotten_by_recertify(tmp_path):
    """Images off the lattice are nearer to a threshold than their rounded ones; near ties count against the label."""
    rounded, near = tmp_path / "rounded.jsonl", np.clip(X + np.float32(0.4 / 16), 0, 1)
    found = js.certify_exact(CLASSIFY, NOISE, near, lattice=False, ledger=rounded)
    for design in (js.designs.Fixed(), js.designs.Exact(lattice=False)):
        with pytest.raises(
            ValueError, match=r"rounded images of certify_exact\(lattice=False\).*again with the ledger"
        ):
            js.recertify(rounded, NOISE, design)
    same(js.certify_exact(CLASSIFY, NOISE, near, lattice=False, ledger=rounded), found)
    ties = tmp_path / "ties.jsonl"
    careful = js.certify_exact(CLASSIFY, NOISE, X, margin=0.05, ledger=ties)
    same(js.recertify(ties, NOISE), careful)
    with pytest.raises(ValueError, match=r"strict, designs.Exact\(strict=True\), for a run with a margin"):
        js.recertify(ties, NOISE, js.designs.Exact(strict=False))


def test_off_the_lattice_the_radius_is_half_and_less():
    """On it, half; off it no more than the way past as many thresholds as it takes."""
    on = js.certify_exact(CLASSIFY, NOISE, X)
    np.testing.assert_array_equal(js.certify_exact(CLASSIFY, NOISE, X, lattice=False).radius, on.radius / 2)
    near = np.clip(X + np.float32(0.4 / 16), 0, 1)  # each but those at 1 is a tenth of a step from the next threshold
    found = js.certify_exact(CLASSIFY, NOISE, near, lattice=False)
    np.testing.assert_array_equal(found.votes.counts, on.votes.counts)
    steps = np.rint(on.radius * 16) + 1
    pixels, at_one = np.minimum(steps, (near < 1).sum(1)), (near == 1).sum(1)
    more = np.minimum(steps - pixels, at_one)
    reach = (pixels * 0.1 + more * 0.5 + (steps - pixels - more)) / 16
    np.testing.assert_allclose(found.radius, np.minimum(reach, on.radius / 2), atol=1e-6)
    assert (found.radius < on.radius / 2)[on.radius > 0].any()
    # A move of that much past thresholds that are near keeps the label.
    moved = np.where(near < 1, near + np.float32(0.11 / 16), near)
    for image in range(len(X)):
        nearest = np.flatnonzero(near[image] < 1)[: int(found.radius[image] // (0.11 / 16))]
        point = near[image].copy()
        point[nearest] = moved[image, nearest]
        assert js.certify_exact(CLASSIFY, NOISE, point[None], lattice=False).label[0] == found.label[image]


def test_off_the_lattice_no_move_of_real_numbers_below_the_radius_changes_the_label():
    """What rounds a point to float32, once where it is and once where it is moved to, may take it past a threshold."""
    q, levels, k = 2**16, 8, 60_000
    noise = js.noises.Splits.from_levels(levels, step=1 / q, offsets=np.arange(levels))
    middle = (k + levels / 2 + 0.25) / q
    classify = lambda v: jnp.stack([(v < middle).all(-1), (v >= middle).any(-1)], -1).astype(jnp.float32)
    label = lambda x: js.certify_exact(classify, noise, x[None], lattice=False).label[0]
    spacing = 2.0**-25 * 0.99  # half of one: rounded up past the threshold at k + 1/2, and back down to k + 1/4
    from_lattice, to_threshold = np.full(levels, (k + 0.25) / q), (k + 0.5) / q
    for x, y in ((from_lattice, to_threshold - spacing), (from_lattice + spacing, to_threshold)):
        found = js.certify_exact(classify, noise, x[None], lattice=False)
        moved = x.copy()
        moved[:5] = y
        assert found.label[0] == 0 and label(moved) == 1
        assert 0.9 * 1.24 < q * found.radius[0] < q * np.abs(moved - x).sum()


def test_near_ties_vote_for_nobody_and_count_against():
    careful = js.certify_exact(CLASSIFY, NOISE, X, margin=0.05)
    plain = js.certify_exact(CLASSIFY, NOISE, X)
    assert (careful.votes.invalid > 0).any() and (careful.radius <= plain.radius).all()
    known = careful.label >= 0
    np.testing.assert_array_equal(careful.label[known], plain.label[known])
    for size in (1, 7, 64):
        again = js.certify_exact(CLASSIFY, NOISE, X, margin=0.05, batch_size=size)
        np.testing.assert_array_equal(again.label, careful.label)
    with pytest.warns(UserWarning, match="vote for nobody"):
        tie = js.certify_exact(lambda x: jnp.zeros((len(x), 2)), NOISE, X[:2], margin=0.05)
    assert tie.label.tolist() == [-1, -1] and tie.radius.tolist() == [0, 0] and set(tie.rule) == {""}


def test_scores_that_are_no_numbers_vote_for_nobody():
    found = js.certify_exact(lambda x: jnp.where(x[:, :1] > 0.5, jnp.nan, x[:, :2]), NOISE, X)
    assert (found.votes.total == NOISE.levels).all() and (found.votes.invalid > 0).any()


def test_one_view_is_the_image_and_certifies_nothing_more():
    found = js.certify_exact(CLASSIFY, js.noises.Splits.from_levels(1, step=1 / 16), X)
    np.testing.assert_array_equal(found.label, np.asarray(CLASSIFY(X)).argmax(-1))
    assert (found.radius == 0).all()


def test_bytes_and_equal_images():
    found = js.certify_exact(CLASSIFY, NOISE, np.rint(X * 16).astype(np.uint8))
    same(found, js.certify_exact(CLASSIFY, NOISE, X))
    real = js.certify_exact(CLASSIFY, NOISE, np.rint(X * 16).astype(np.uint8), lattice=False)
    same(real, js.certify_exact(CLASSIFY, NOISE, X, lattice=False))
    twice = js.certify_exact(CLASSIFY, NOISE, np.stack([X[0], X[0]]))
    assert twice.radius[0] == twice.radius[1] and (twice.votes.counts[0] == twice.votes.counts[1]).all()


KEY = jax.random.key(0)
REFUSED = [
    (lambda: js.certify(KEY, CLASSIFY, NOISE, X), "noise Splits is deterministic: use certify_exact"),
    (lambda: js.certify_curve(KEY, CLASSIFY, NOISE, X, [0.1]), "Splits is deterministic: use certify_exact"),
    (lambda: js.certify_adaptive(KEY, CLASSIFY, NOISE, X), "Splits is deterministic: use certify_exact"),
    (lambda: js.predict(KEY, CLASSIFY, NOISE, X), "Splits is deterministic: use certify_exact"),
    (lambda: js.count_votes(KEY, CLASSIFY, NOISE, X, 10), "Splits is deterministic: use certify_exact"),
    (lambda: list(js.certify_stream(KEY, CLASSIFY, NOISE, [X])), "Splits is deterministic: use certify_exact"),
    (lambda: js.certify_exact(CLASSIFY, js.noises.Gaussian(0.5), X), "noise must be Splits .* use certify"),
    (lambda: js.certify_exact(CLASSIFY, NOISE, X, norm=2), "norm must be 1 for certify_exact"),
    (lambda: js.certify_exact(CLASSIFY, NOISE, X + 1), r"x must have pixels in \[0, 1\] for Splits"),
    (lambda: js.certify_exact(CLASSIFY, NOISE, X - 0.01), r"x must have pixels in \[0, 1\] for Splits"),
    (lambda: js.certify_exact(CLASSIFY, NOISE, X * 0.98), "x must be on the lattice of step 1/16.*pass lattice=False"),
    (lambda: js.certify_exact(CLASSIFY, NOISE, np.full((1, 6), 17, np.uint8)), "x must have pixels in"),
    (lambda: js.certify_exact(CLASSIFY, NOISE, X, margin=-1.0), "margin must be finite and at least 0"),
    (lambda: js.noises.Splits(0.0), "sigma must be positive"),
    (lambda: js.noises.Splits(0.5, step=0), "step must be"),
    (lambda: js.noises.Splits(0.5, step=2), "step must be one over an integer"),
    (lambda: js.noises.Splits(0.5, step=0.3), "step must be"),
    (lambda: js.noises.Splits(0.5, seed=-1), "seed must be at least 0"),
    (lambda: js.noises.Splits.from_levels(0), "levels must be at least 1"),
    (lambda: js.noises.Splits(2000.0), "more than 2\\*\\*20 views"),
    (lambda: js.noises.Splits.from_levels(4, offsets=[0, 4]), "offsets must be integers from 0 to levels - 1 = 3"),
    (
        lambda: js.certify_exact(CLASSIFY, js.noises.Splits.from_levels(4, offsets=[0]), X * 0),
        "offsets must be one for",
    ),
    (lambda: NOISE.sample(KEY, (6,)), "Splits adds no noise"),
    (lambda: js.certified_radius(NOISE, 0.9, norm=1, dim=6), "Splits is deterministic: use certify_exact"),
    (lambda: js.certify_exact(CLASSIFY, js.noises.Splits, X), r"noise must be Splits .* got <class [^,]*>$"),
]


@pytest.mark.parametrize(("call", "message"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_training_sees_views_at_random():
    objective = js.objectives.GaussianAugmentation(2)
    apply = lambda batch: (CLASSIFY(batch), batch)
    loss, aux = jax.jit(lambda x: objective(KEY, apply, NOISE, x, np.zeros(21, int), has_state=True))(X)
    assert np.isfinite(loss)
    views = np.asarray(jax.vmap(jax.vmap(NOISE.view, (0, None)), (None, 0))(np.arange(NOISE.levels), X))
    seen = np.asarray(aux.states["noisy"]).reshape(21, 2, 1, 6)
    matches = (np.abs(seen - views[:, None]) < 1e-6).all(-1)
    assert matches.any(-1).all() and len(np.unique(matches.argmax(-1))) > 5


def test_levels_are_rounded_and_printed():
    assert js.noises.Splits(0.5).levels == 442 and js.noises.Splits(3.5).levels == 3092
    assert repr(js.noises.Splits(0.5)) == "Splits(levels=442, step=1/255, seed=0)"
    assert js.noises.Splits.from_levels(442) == js.noises.Splits.from_levels(442, step=1 / 255)
    for levels in (1, 2, 3, 6, 60, 441, 442, 3092):
        assert js.noises.Splits.from_levels(levels).levels == levels
