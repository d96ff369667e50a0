"""Classifiers that draw random numbers: a key for every draw, votes of probabilities, and what is never mixed."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

import jaxsmooth as js
from jaxsmooth.sampling.row_independence import rows_are_independent
from jaxsmooth.sampling.sampler import sampler

KEY, NOISE = jax.random.key(11), js.noises.Gaussian(0.5)
X = np.linspace(-0.6, 0.6, 12, dtype=np.float32).reshape(3, 4)
WEIGHTS = jax.random.normal(jax.random.key(1), (4, 3))
UNLIKELY = 1e-6


def linear(weights, batch):
    return batch @ weights


CLASSIFY = jax.tree_util.Partial(linear, WEIGHTS)


def blurred_rows(weights, keys, batch):
    """The scores of images under noise of their own."""
    blur = jax.vmap(lambda key, image: image + 0.5 * jax.random.normal(key, image.shape))
    return blur(keys, batch) @ weights


def sharing_rows(weights, keys, batch):
    """All rows of a batch under the noise of the first."""
    return (batch + 0.5 * jax.random.normal(keys[0], batch.shape[1:])) @ weights


BLURRED = js.randomized(jax.tree_util.Partial(blurred_rows, WEIGHTS))
SOFT = js.soft(CLASSIFY)
KEYED = {
    "randomized": BLURRED,
    "soft": SOFT,
    "soft randomized": js.soft(BLURRED, 0.5),
    "denoised randomized": js.denoised(lambda x: 0.9 * x, BLURRED),
    "randomized denoiser": js.denoised(
        js.randomized(jax.vmap(lambda key, image: image + jax.random.normal(key, image.shape))), CLASSIFY
    ),
    "fixed": js.randomized(BLURRED.fn, fixed_key=jax.random.key(5)),
}


USUAL = ("randomized", "soft randomized")


@pytest.mark.parametrize(
    "name", [name if name in USUAL else pytest.param(name, marks=pytest.mark.slow) for name in KEYED]
)
def test_counts_do_not_depend_on_batches_and_devices(name):
    count = lambda **given: np.asarray(js.count_votes(KEY, KEYED[name], NOISE, X, 300, **given).counts)
    expected = count(batch_size=64)
    assert (expected.sum(-1) == 300).all() and ((expected > 10).sum(-1) >= 2).all()
    np.testing.assert_array_equal(count(batch_size=7), expected)
    if name == "soft randomized":
        np.testing.assert_array_equal(count(mesh=jax.make_mesh((8,), ("draws",)), batch_size=64), expected)
        parts = [js.count_votes(KEY, KEYED[name], NOISE, X, 150, first=first, batch_size=64) for first in (0, 150)]
        np.testing.assert_array_equal((parts[0] + parts[1]).counts, expected)


@pytest.mark.parametrize("name", KEYED)
def test_rows_are_proved_independent(name):
    assert rows_are_independent(KEYED[name], (4,))


def test_keys_are_those_of_the_draws():
    """The definition: the key of the draw with the largest number folded in."""

    @jax.jit
    def winners():
        draw_key = lambda j: jax.random.fold_in(jax.random.fold_in(KEY, 0), j)
        own = jax.vmap(lambda j: jax.random.fold_in(draw_key(j), np.uint32(2**32 - 1)))(jnp.arange(400))
        noisy = X[0] + jax.vmap(lambda j: NOISE.sample(draw_key(j), (4,)))(jnp.arange(400))
        return jnp.argmax(blurred_rows(WEIGHTS, own, noisy), -1)

    winner = winners()
    votes = js.count_votes(KEY, BLURRED, NOISE, X[:1], 400)
    np.testing.assert_array_equal(votes.counts[0], np.bincount(winner, minlength=3))


def test_randomness_shared_by_rows_is_refused():
    sharing = js.randomized(jax.tree_util.Partial(sharing_rows, WEIGHTS))
    assert not rows_are_independent(sharing, (4,))
    for classify in (sharing, js.soft(sharing)):
        with pytest.raises(ValueError, match=r"classify must score every row on its own.* Use keys\[i\]"):
            js.certify(KEY, classify, NOISE, X, n=200)
    assert js.check_classifier(KEY, BLURRED, NOISE, X).findings[0].passed
    assert not js.check_classifier(KEY, sharing, NOISE, X).findings[0].passed


def test_a_fixed_key_is_a_deterministic_function():
    fixed = js.randomized(sharing_rows_of_any, fixed_key=jax.random.key(5))
    np.testing.assert_array_equal(fixed(X), fixed(X))
    np.testing.assert_array_equal(fixed(X[::-1])[::-1], fixed(X))
    certificates = js.certify(KEY, fixed, NOISE, X, n=200)
    assert len(certificates) == 3
    other = js.randomized(sharing_rows_of_any, fixed_key=jax.random.PRNGKey(6))
    assert (fixed(X) != other(X)).all()


def sharing_rows_of_any(keys, batch):
    return sharing_rows(WEIGHTS, keys, batch)


@pytest.mark.parametrize("classify", [BLURRED, SOFT])
def test_without_keys_it_cannot_be_called(classify):
    with pytest.raises(TypeError, match="needs a key for each row"):
        classify(X)
    with pytest.raises(TypeError, match="needs a key for each row"):
        js.count_votes(KEY, lambda batch: classify(batch), NOISE, X, 20)


def constant(scores):
    return js.soft(lambda batch: jnp.broadcast_to(jnp.asarray(scores, jnp.float32), (len(batch), len(scores))))


@pytest.mark.parametrize(
    ("classify", "p"),
    [
        (constant([0.0, 1.0, -1.0, 3.0]), np.exp([0, 1, -1, 3]) / np.exp([0, 1, -1, 3]).sum()),
        (constant([0.0, -np.inf, 0.0]), [0.5, 0, 0.5]),
        (constant([0.0, np.inf, 7.0]), [0, 1, 0]),
        (constant([-1e30, -1e30, 1e30]), [0, 0, 1]),
        (
            js.soft(lambda batch: jnp.tile(jnp.array([0.0, 2.0]), (len(batch), 1)), 2.0),
            [1 / (1 + np.e), np.e / (1 + np.e)],
        ),
        (js.soft(lambda b: jnp.tile(jnp.array([0.1, 0.0, 0.6]), (len(b), 1)), from_probabilities=True), [0.1, 0, 0.6]),
        (js.soft(lambda b: jnp.tile(jnp.array([0.25, 0.75]), (len(b), 1)), from_probabilities=True), [0.25, 0.75]),
    ],
)
def test_votes_are_multinomial(classify, p):
    n = 20_000
    votes = js.count_votes(KEY, classify, NOISE, np.zeros((1, 2), np.float32), n, batch_size=1000)
    seen = np.append(votes.counts[0], votes.invalid[0])
    expected = n * np.append(p, max(1 - np.sum(p), 0))
    assert (seen[expected < 1e-3] == 0).all()
    kept = expected > 1e-3
    assert seen[kept].sum() == n
    assert kept.sum() == 1 or stats.chisquare(seen[kept], expected[kept]).pvalue > UNLIKELY


@pytest.mark.parametrize(
    "scores", [[np.nan, 0.0], [-np.inf, -np.inf], [np.inf, np.inf]], ids=["nan", "minus inf", "plus inf twice"]
)
def test_scores_that_decide_nothing_vote_for_nobody(scores):
    with pytest.warns(UserWarning, match="NaN or infinite"):
        certificates = js.certify(KEY, constant(scores), NOISE, X, n=200)
    assert (certificates.label == -1).all()


def test_no_probabilities_vote_for_nobody():
    wrong = js.soft(lambda batch: jnp.tile(jnp.array([0.7, 0.7]), (len(batch), 1)), from_probabilities=True)
    assert js.count_votes(KEY, wrong, NOISE, X, 50).invalid.tolist() == [50, 50, 50]


def test_the_choice_is_independent_of_the_noise():
    """At constant scores the class says nothing of the draw's noise."""
    n, classes = 4000, jnp.zeros(2)
    choice = js.soft(lambda batch: jnp.broadcast_to(classes, (len(batch), 2)))

    @jax.jit
    def draw():
        draw_key = jax.vmap(lambda j: jax.random.fold_in(jax.random.fold_in(KEY, 0), j))(jnp.arange(n))
        own = jax.vmap(lambda key: jax.random.fold_in(key, np.uint32(2**32 - 1)))(draw_key)
        noise = jax.vmap(lambda key: NOISE.sample(key, (8,)))(draw_key)
        return noise, jnp.argmax(choice(noise, own), -1)

    noise, chosen = map(np.asarray, draw())
    for column in noise.T:
        assert abs(np.corrcoef(column, chosen)[0, 1]) * np.sqrt(n) < stats.norm.isf(UNLIKELY / 16)


def test_expected_probabilities_of_a_logistic_function():
    """G by quadrature: 0.8541 at w.x = 0.7, sigma = 0.5."""
    n, sigma = 10_000, 0.5
    w = jnp.array([0.6, 0.8])
    margin = lambda batch: jnp.dot(batch, w, precision="highest")
    classify = js.soft(lambda batch: jnp.stack([0 * margin(batch), 4 * margin(batch)], -1))
    density = lambda z: stats.norm.pdf(z) / (1 + np.exp(-4 * (0.7 + sigma * z)))
    g = integrate.quad(density, -12, 12)[0]
    assert g == pytest.approx(0.8541, abs=5e-5)
    x = np.array([[0.42, 0.56]], np.float32)
    certificates = js.certify(KEY, classify, js.noises.Gaussian(sigma), x, n=n)
    assert certificates.votes is not None
    count = int(certificates.votes.counts[0, 1])
    assert min(stats.binom.cdf(count, n, g), stats.binom.sf(count - 1, n, g)) > UNLIKELY
    assert 0.8 < certificates.p_lower[0] < g and 0.4 < certificates.radius[0] < 0.7


def test_cold_votes_are_hard():
    hard = js.count_votes(KEY, CLASSIFY, NOISE, X, 1000)
    cold = js.count_votes(KEY, js.soft(CLASSIFY, 1e-6), NOISE, X, 1000)
    np.testing.assert_array_equal(hard.counts, cold.counts)
    warm = js.count_votes(KEY, SOFT, NOISE, X, 1000)
    assert (hard.counts != warm.counts).any()


def test_temperatures_are_data():
    traced = []
    classify = lambda weights, batch: traced.append(batch.shape) or batch @ weights
    for temperature in (0.5, 1.0, 2.0):
        js.certify(KEY, js.soft(jax.tree_util.Partial(classify, WEIGHTS), temperature), NOISE, X, n=200)
        if temperature == 0.5:
            once = len(traced)
    assert len(traced) == once


def test_certificates_logs_and_ledgers_say_soft(tmp_path):
    run = lambda classify, **given: js.certify(KEY, classify, NOISE, X, n=500, **given)
    ledger, log, saved = (str(tmp_path / name) for name in ("votes.jsonl", "log.tsv", "certificates.npz"))
    soft, hard = run(SOFT, ledger=ledger), run(CLASSIFY)
    assert soft.votes_kind == "soft" and hard.votes_kind == "hard" and soft[0].votes_kind == "soft"
    assert "soft votes" in repr(soft) and "soft" not in repr(hard) and repr(soft.votes).startswith("soft ")
    assert run(js.soft(CLASSIFY, 0.5)).votes.kind == "soft(temperature=0.5)"
    # the ledger, and what is made of it
    assert js.ledger.read(ledger).header["votes"] == "soft"
    assert js.ledger.read(ledger).votes(600)[1].kind == "soft"
    again = js.recertify(ledger, NOISE, js.designs.Fixed(n=500))
    assert again == soft and run(SOFT, ledger=ledger) == soft
    for other in (CLASSIFY, js.soft(CLASSIFY, 0.5)):
        with pytest.raises(ValueError, match=r"belongs to another run: its (votes|classifier) is"):
            run(other, ledger=ledger)
    # logs and files
    js.analysis.write_log(log, soft, [0, 1, 2])
    assert js.analysis.read_log(log)[0].votes_kind == "soft"
    soft.save(saved)
    assert js.Certificates.load(saved) == soft
    assert any("soft votes" in note for note in js.analysis.summary(soft, [0, 1, 2], [0.1]).notes)
    runs = {"theirs": (hard, [0, 1, 2]), "ours": log}
    assert js.analysis.table(runs, [0.1]).endswith("of soft votes, which certify another smoothed classifier: ours")


def test_soft_and_hard_votes_are_never_merged():
    votes = {
        classify: js.count_votes(KEY, classify, NOISE, X, 200)
        for classify in (CLASSIFY, SOFT, js.soft(CLASSIFY, 0.5), js.denoised(lambda x: x, SOFT))
    }
    hard, soft, colder, behind = votes.values()
    assert (soft + behind).kind == "soft" and (soft + soft).total.tolist() == [400] * 3
    for a, b in ((hard, soft), (soft, colder), (colder, hard)):
        with pytest.raises(ValueError, match="votes must be of one kind"):
            a + b
    with pytest.raises(ValueError, match="selection and votes must be of one kind"):
        js.certificates(hard, soft, NOISE, dim=4)
    made = [js.certificates(v, v, NOISE, dim=4) for v in (hard, soft)]
    assert made[1].votes_kind == "soft"
    with pytest.raises(ValueError, match="one kind of votes; got hard and soft"):
        js.concatenate(made)
    assert js.concatenate([made[1], made[1]]).votes_kind == "soft"
    curve = js.certify_curve(KEY, SOFT, NOISE, X, [0.1, 0.2], n_max=500)
    adaptive = js.certify_adaptive(KEY, SOFT, NOISE, X, n_max=500)
    streamed = next(iter(js.certify_stream(KEY, SOFT, NOISE, [X], js.designs.Fixed(n=500))))
    assert [found.votes_kind for found in (curve, adaptive, streamed)] == ["soft"] * 3


def test_inside_a_program_votes_are_marked():
    kinds = []

    @jax.jit
    def count(temperature):
        votes = js.count_votes(KEY, dataclasses.replace(SOFT, temperature=temperature), NOISE, X, 50)
        kinds.append(votes.kind)
        return votes.counts

    assert count(jnp.float32(0.5)).sum() == 150 and kinds == ["soft(temperature=traced)"]


def test_fixed_views_need_a_deterministic_classifier():
    x = np.full((1, 4), 0.2, np.float32)
    for classify in (BLURRED, SOFT, js.denoised(lambda x: x, BLURRED)):
        with pytest.raises(TypeError, match="classify must be deterministic for Splits"):
            js.certify_exact(classify, js.noises.Splits(0.25), x)


def test_ordinary_classifiers_have_the_votes_they_had():
    with sampler(KEY, CLASSIFY, NOISE, jnp.asarray(X), batch_size=None, mesh=None) as sampling:
        assert sampling.kind == "hard"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: js.randomized(3), TypeError, "fn must be callable"),
        (lambda: js.randomized(linear, fixed_key=3), TypeError, "key must be a JAX random key"),
        (lambda: js.randomized(linear, jax.random.split(KEY)), ValueError, "key must be a single key"),
        (lambda: js.soft("model"), TypeError, "classify must be callable"),
        (lambda: js.soft(linear, 0.0), ValueError, "temperature must be positive and finite.*0 is the hard vote"),
        (lambda: js.soft(linear, -1.0), ValueError, "temperature must be positive"),
        (lambda: js.soft(linear, float("nan")), ValueError, "temperature must be positive"),
        (lambda: js.soft(linear, float("inf")), ValueError, "temperature must be positive"),
        (lambda: js.soft(linear, "cold"), TypeError, "temperature must be a number"),
        (lambda: js.soft(linear, 2.0, from_probabilities=True), ValueError, "temperature must be 1"),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_probabilities_of_a_python_function_are_numbers():
    """Where float32 does not tell the first two apart, what is left of them are no differences from the largest."""
    probabilities = lambda x: np.broadcast_to(np.array([0.5 - 1e-12, 0.5, 1e-12]), (len(x), 3))
    classify = js.soft(js.interop.from_callable(probabilities, 3), from_probabilities=True)
    votes = js.count_votes(jax.random.key(0), classify, js.noises.Gaussian(0.5), np.zeros((1, 2), np.float32), 1000)
    assert votes.invalid.tolist() == [0]
    assert abs(int(votes.counts[0, 0]) - 500) < 80  # five standard deviations
