"""Denoisers and what is behind them: exact recipes, certificates, and the noise that is refused."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import jaxsmooth as js
from jaxsmooth.sampling.row_independence import rows_are_independent

REFERENCE = json.loads((pathlib.Path(__file__).parent / "data/denoised.json").read_text())
KEY, LINEAR = jax.random.key(3), js.denoisers.schedule("linear", 1000)
DATA = REFERENCE["gaussian_data"]


@pytest.mark.parametrize("output", ["x0", "eps", "v", "score"])
@pytest.mark.parametrize("row", DATA["rows"], ids=lambda row: f"{row['alpha_bar']}at{row['x_t']}")
def test_parametrisations_agree_on_gaussian_data(output, row):
    """The network returns the reference's output; the estimate of the image must be the reference's."""
    a, x_t = row["alpha_bar"], row["x_t"]
    schedule, sigma = js.denoisers.from_alpha_bar([(1 + a) / 2, a]), np.sqrt((1 - a) / a) * (1 - 1e-12)
    seen = []
    network = lambda x, t: seen.append((x, t)) or jnp.full_like(x, row[output])
    denoiser = js.denoisers.one_shot(network, schedule, sigma, output, value_range=(-1, 1), clip=False)
    estimate = denoiser(jnp.full((2, 3), x_t / np.sqrt(a)))
    np.testing.assert_allclose(estimate, row["x0"], rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(seen[0][0], x_t, rtol=1e-6)
    np.testing.assert_array_equal(seen[0][1], np.ones(2, np.int32))


@pytest.mark.parametrize("row", REFERENCE["edm"]["rows"], ids=lambda row: str(row["sigma_pixel"]))
def test_edm(row):
    denoiser = js.denoisers.one_shot(lambda x, t: x + t[:, None], None, row["sigma_pixel"], "edm", clip=False)
    found = (denoiser.skip, denoiser.out, denoiser.scale, denoiser.timestep)
    np.testing.assert_allclose(found, [row[name] for name in ("c_skip", "c_out", "c_in", "c_noise")], rtol=1e-12)
    z = 0.25
    expected = row["c_skip"] * z + row["c_out"] * (row["c_in"] * z + row["c_noise"])
    np.testing.assert_allclose(denoiser(jnp.full((1, 2), (z + 1) / 2)), (expected + 1) / 2, rtol=1e-6)
    assert denoiser.noise_of_model == row["sigma_pixel"]


def affine(gain, factor, z, t):
    """The posterior mean of N(0.3, 0.4^2), which is linear in its input, of a scaled input."""
    return DATA["mean"] + gain * (z * factor - DATA["mean"])


def half_space_of_the_reference(image):
    margin = (2 * image - 1) @ jnp.asarray(REFERENCE["half_space"]["w"]) - REFERENCE["half_space"][
        "threshold_on_w_dot_x0"
    ]
    return jnp.stack([-margin, margin], -1)


def ideal_half_space(sigma, gain):
    network = jax.tree_util.Partial(affine, np.float32(gain), np.float32(np.sqrt(1 + 4 * sigma**2)))
    schedule = js.denoisers.continuous(lambda t: 10 - 20 * t)
    denoiser = js.denoisers.one_shot(network, schedule, sigma, "x0", clip=False)
    return js.denoised(denoiser, half_space_of_the_reference)


@pytest.mark.parametrize("row", REFERENCE["half_space"]["rows"], ids=lambda row: f"{row['sigma']}-{row['x'][0]}")
def test_half_space_behind_the_ideal_denoiser(row):
    n = 20_000
    classify, noise = ideal_half_space(row["sigma"], row["gain"]), js.noises.Gaussian(row["sigma"])
    x = np.array([row["x"]], np.float32)
    votes = js.count_votes(KEY, classify, noise, x, n, batch_size=1024)
    known = stats.binom(n, row["p_class_1"])
    assert min(known.cdf(votes.counts[0, 1]), known.sf(votes.counts[0, 1] - 1)) > 1e-6
    p = max(row["p_class_1"], 1 - row["p_class_1"])
    np.testing.assert_allclose(js.certified_radius(noise, p), row["radius"], rtol=1e-9)


def margins(batch):
    """A half-space through the origin."""
    margin = jnp.dot(batch.reshape(len(batch), -1), jnp.linspace(-1, 1, 12), precision="highest")
    return jnp.stack([-margin, margin], -1)


X = np.linspace(-0.9, 0.9, 48, dtype=np.float32).reshape(4, 2, 2, 3)


@pytest.mark.parametrize(
    "output", ["eps", *(pytest.param(o, marks=pytest.mark.slow) for o in ("x0", "v", "score", "edm"))]
)
def test_a_linear_denoiser_in_front_of_a_half_space_changes_no_count(output):
    """The image of a half-space under a positive factor is itself: counts are identical, draw by draw."""
    weight = {"eps": 0.5, "x0": 0.5, "v": -0.25, "score": -0.5, "edm": 0.5}[output]
    schedule = None if output == "edm" else LINEAR
    denoiser = js.denoisers.one_shot(
        lambda x, t: weight * x, schedule, 0.5, output, value_range=(-1, 1), clip=False
    )  # fmt: skip
    noise = js.noises.Gaussian(0.5)
    plain = js.count_votes(KEY, margins, noise, X, 20_000, batch_size=1024)
    behind = js.count_votes(KEY, js.denoised(denoiser, margins), noise, X, 20_000, batch_size=1024)
    np.testing.assert_array_equal(plain.counts, behind.counts)
    assert plain.counts.min() > 0


def test_other_sigmas_and_weights_do_not_trace_again():
    traced = []

    def network(weight, x, t):
        traced.append(x.shape)
        return weight * x

    def certify(weight, sigma):
        partial = jax.tree_util.Partial(network, jnp.float32(weight))
        classify = js.denoised(js.denoisers.one_shot(partial, LINEAR, sigma), margins)
        return js.certify(KEY, classify, js.noises.Gaussian(sigma), abs(X), n=200, n0=10)

    certify(0.5, 0.25)
    once = len(traced)
    certify(0.25, 0.5)
    certify(0.75, 1.0)
    assert len(traced) == once


def test_rows_are_proved_independent():
    denoiser = js.denoisers.one_shot(lambda x, t: jnp.concatenate([x, x], -1) * t[:, None, None, None], LINEAR, 0.5)
    assert rows_are_independent(js.denoised(denoiser, margins), (2, 2, 3))
    larger = js.denoised(denoiser, lambda batch: batch.mean((1, 2)), 5)
    assert rows_are_independent(larger, (2, 2, 3)) and larger(X).shape == (4, 3)


def test_learned_variances_are_left_out():
    plain, more = (lambda x, t: x / 3), (lambda x, t: jnp.concatenate([x / 3, x], -1))
    denoise = lambda network: js.denoisers.one_shot(network, LINEAR, 0.25)(X)
    np.testing.assert_array_equal(denoise(plain), denoise(more))


def test_resizing_is_bicubic_with_antialias():
    """Down to half: values of PyTorch's interpolate(mode="bicubic", antialias=True)."""
    seen = []
    classify = js.denoised(lambda x: x, lambda x: seen.append(x) or x.reshape(len(x), -1), (2, 2))
    image = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1) ** 2
    classify(image)
    np.testing.assert_allclose(seen[0].ravel(), RESIZED, rtol=1e-4)


RESIZED = [13.010655, 27.063726, 109.253815, 149.994126]


def test_estimates_are_clipped_to_the_range():
    denoiser = js.denoisers.one_shot(lambda x, t: 50 * x, LINEAR, 0.5, "x0", value_range=(0, 255 / 100))
    estimate = denoiser(jnp.linspace(0, 2.5, 12).reshape(2, 6))
    assert estimate.min() == 0 and float(estimate.max()) == pytest.approx(2.55)


def test_gradients_flow_through():
    denoiser = lambda w: js.denoisers.one_shot(jax.tree_util.Partial(lambda w, x, t: w * x, w), LINEAR, 0.5)
    loss = lambda w: (
        js.denoised(denoiser(w), margins)(X + 0.5).sum(-1).var() + js.denoised(denoiser(w), margins)(X).std()
    )
    assert abs(float(jax.grad(loss)(jnp.float32(0.1)))) > 0


GAUSSIAN = js.noises.Gaussian(0.25)
NETWORK = lambda x, t: x / 2
DENOISERS = {
    "one-shot": lambda **given: js.denoisers.one_shot(lambda x, t: x / 2, LINEAR, 0.25, **given),
    "trained": lambda: js.denoisers.trained(lambda x: x / 2, 0.25),
}


@pytest.mark.parametrize("kind", DENOISERS)
@pytest.mark.parametrize(
    ("noise", "error", "message"),
    [
        (js.noises.Gaussian(0.26), ValueError, "noise.sigma must be that of the denoiser, 0.25; got 0.26"),
        (js.noises.Laplace(0.25), TypeError, "noise must be Gaussian.*got Laplace"),
        (
            js.noises.InputDependentGaussian(js.scales.KNNScale(X, 0.25, 0.01, k=2)),
            TypeError,
            "noise must have one sigma",
        ),
    ],
)
def test_another_noise_is_refused_before_sampling(kind, noise, error, message):
    def never(batch):
        return jnp.where(sampled.append(batch) is None, margins(batch), 0)

    sampled = []
    message += {"trained": ".*make the denoiser with sigma=None"}.get(kind, ".*make the denoiser with match=False")
    classify = js.denoised(DENOISERS[kind](), never)
    assert classify.expects_sigma == 0.25
    for verb in (
        lambda c: js.certify(KEY, c, noise, X, n=200),
        lambda c: js.predict(KEY, c, noise, X, n=200),
        lambda c: js.count_votes(KEY, c, noise, X, 200),
        lambda c: js.certify(KEY, js.soft(c), noise, X, n=200),
        lambda c: js.certify(KEY, jax.tree_util.Partial(lambda c, x: c(x), c), noise, X, n=200),
    ):
        with pytest.raises(error, match=message):
            verb(classify)
    assert all(hasattr(batch, "aval") and not isinstance(batch, np.ndarray) for batch in sampled)
    with pytest.raises(error, match=message):
        classify.check(noise)


def test_what_fits_and_what_is_insisted_on():
    classify = js.denoised(DENOISERS["one-shot"](), margins)
    classify.check(js.noises.Gaussian(np.float32(0.25)))
    classify.check(js.noises.Gaussian(0.25 + 1e-8), np.zeros((1, 2, 2, 3)))
    with pytest.raises(
        ValueError, match="x must lie in the value_range of the denoiser, 0 to 1; its values are from 0 to 255"
    ):
        js.certify(KEY, classify, GAUSSIAN, np.linspace(0, 255, 12, dtype=np.float32).reshape(1, 2, 2, 3), n=200)
    insisting = js.denoised(DENOISERS["one-shot"](match=False), margins)
    assert insisting.expects_sigma is None
    js.certify(KEY, insisting, js.noises.Laplace(0.3), abs(X), n=200, norm=1)
    blind = js.denoised(js.denoisers.trained(lambda x: x, None), margins)
    blind.check(js.noises.Laplace(0.3))
    assert js.denoised(lambda x: x, margins).expects_sigma is None


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: js.denoisers.one_shot(None, LINEAR, 0.5), TypeError, "network must be callable"),
        (lambda: js.denoisers.one_shot(NETWORK, None, 0.5), TypeError, "schedule must be that of the network"),
        (lambda: js.denoisers.one_shot(NETWORK, LINEAR, 0.5, "edm"), ValueError, "schedule must be None"),
        (lambda: js.denoisers.one_shot(NETWORK, LINEAR, 0.5, "noise"), ValueError, "output must be one of"),
        (lambda: js.denoisers.one_shot(NETWORK, LINEAR, -1.0), ValueError, "sigma must be positive"),
        (lambda: js.denoisers.one_shot(NETWORK, LINEAR, 99.0), ValueError, "0.005 to 78.7.*got 99"),
        (lambda: js.denoisers.one_shot(NETWORK, LINEAR, 0.5, match="last"), ValueError, "match must be"),
        (lambda: js.denoisers.one_shot(NETWORK, LINEAR, 0.5, value_range=(1, 0)), ValueError, "value_range must be"),
        (lambda: js.denoisers.one_shot(NETWORK, LINEAR, 0.5, value_range=1), TypeError, "value_range must be"),
        (
            lambda: js.denoisers.one_shot(lambda x, t: x[:1], LINEAR, 0.5)(X),
            ValueError,
            r"network must .*\(1, 2, 2, 3\)",
        ),
        (lambda: js.denoisers.trained(lambda x: x[:1], 0.5)(X), ValueError, r"network must .*\(1, 2, 2, 3\)"),
        (lambda: js.denoisers.trained(3, 0.5), TypeError, "network must be callable"),
        (lambda: js.denoisers.trained(margins, 0.0), ValueError, "sigma must be positive"),
        (lambda: js.denoised(3, margins), TypeError, "denoiser must be callable"),
        (lambda: js.denoised(margins, 3), TypeError, "classify must be callable"),
        (
            lambda: js.denoised(lambda x, t: x, margins),
            TypeError,
            "denoiser must take noisy images alone",
        ),
        (lambda: js.denoised(margins, DENOISERS["trained"]()), TypeError, "The denoiser comes first"),
        (lambda: js.denoisers.one_shot(margins, LINEAR, 0.5), TypeError, r"network must take .*of images alone use"),
        (lambda: js.denoisers.trained(lambda x, t: x, 0.5), TypeError, "network must take .*with timesteps use"),
        (lambda: js.denoised(margins, margins, 0), ValueError, "resize must be at least 1"),
        (lambda: js.denoised(margins, margins, (1, 2, 3)), ValueError, "resize must be one number"),
        (lambda: js.denoised(margins, margins, 3, "area"), ValueError, "resize_method must be one of"),
        (lambda: js.denoised(lambda x: x, margins, 3)(X[0, 0]), ValueError, "resize needs images"),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_residual_networks_and_clipping():
    denoiser = js.denoisers.trained(lambda x: 0.25 * x, None, residual=True, clip=True)
    np.testing.assert_allclose(denoiser(X), np.clip(0.75 * X, 0, 1), rtol=1e-6)


OTHERS = {
    "timestep": {"match": "nearest"},
    "schedule": {"schedule": js.denoisers.schedule("cosine", 1000)},
    "parametrisation": {"output": "x0"},
    "clipping": {"clip": False},
}


def test_ledgers_know_the_denoiser(tmp_path):
    """In words, and no run goes on with another one's votes."""
    network, path = (lambda x, t: x / 2), tmp_path / "votes.jsonl"

    def run(match="first", schedule=LINEAR, output="eps", clip=True):
        denoiser = js.denoisers.one_shot(network, schedule, 0.25, output, match=match, clip=clip)
        return js.certify(KEY, js.denoised(denoiser, margins), GAUSSIAN, abs(X), n=200, n0=10, ledger=path)

    made = run()
    words = js.ledger.read(path).header["denoiser"]
    assert words.startswith("one_shot(output=eps, schedule=linear of 1000, match=first, sigma=0.25, timestep=145")
    assert run() == made
    for name, other in OTHERS.items():
        with pytest.raises(ValueError, match=r"belongs to another run: its denoiser is 'one_shot\(") as raised:
            run(**other)
        assert "this one's is 'one_shot(" in str(raised.value), name


@pytest.mark.slow
def test_ledgers_know_a_denoiser_on_a_mesh(tmp_path):
    """The header is the same wherever the numbers lie; weights are known by their digest."""
    path = tmp_path / "votes.jsonl"

    def run(weight=0.5, **given):
        network = jax.tree_util.Partial(lambda w, x: w * x, jnp.float32(weight))
        classify = js.denoised(js.denoisers.trained(network, 0.25), margins)
        return js.certify(KEY, classify, GAUSSIAN, abs(X), n=200, n0=10, ledger=path, **given)

    assert run() == run(mesh=jax.make_mesh((2,), ("draws",)))
    assert js.ledger.read(path).header["denoiser"].startswith("trained(sigma=0.25, residual=False")
    with pytest.raises(ValueError, match="its classifier is"):
        run(0.25)


def test_integers_may_be_denoised():
    """Noise on a lattice is Gaussian noise; of another sigma, or uniform, it is refused."""
    classify, x = js.denoised(DENOISERS["trained"](), margins), np.rint(abs(X) * 255).astype(np.float32) / 255
    classify.check(js.noises.LatticeGaussian(0.25), x)
    for noise, error in ((js.noises.LatticeGaussian(0.5), ValueError), (js.noises.LatticeUniform(0.25), TypeError)):
        with pytest.raises(error, match=r"noise.* must be"):
            classify.check(noise, x)


@pytest.mark.parametrize("make", ["denoised", "trained", "one_shot"])
def test_pixels_of_a_python_denoiser_are_numbers(make):
    """Channels that float32 does not tell apart: the largest is no winner whose place has to be kept."""
    grey = lambda x: np.broadcast_to(np.array([0.6, 0.6 + 1e-9, 0.6 + 2e-9]), x.shape)
    network, schedule = js.interop.from_callable(grey, 3), js.denoisers.schedule("linear", 1000)
    if make == "denoised":
        denoiser = network
    elif make == "trained":
        denoiser = js.denoisers.trained(network, 0.25)
    else:
        timed = jax.tree_util.Partial(lambda network, x, t: network(x), network)
        denoiser = js.denoisers.one_shot(timed, schedule, sigma=0.25, output="x0", clip=False)
    seen = []
    read = lambda x: (seen.append(x), jnp.stack([x.sum(-1), -x.sum(-1)], -1))[1]
    js.denoised(denoiser, read)(jnp.full((2, 3), 0.5, jnp.float32))
    np.testing.assert_allclose(seen[-1], 0.6 if make != "one_shot" else 0.8, rtol=1e-6)
