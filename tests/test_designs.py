"""Every design from every source: a stream and a ledger give what the array gives, in every field."""

import dataclasses

import jax
import numpy as np
import pytest

import jaxsmooth as js
from jaxsmooth.designs import AbstractDesign, Adaptive, Curve, Finished, Fixed, Predict, Setting

KEY = jax.random.key(8)
NOISE = js.noises.Gaussian(0.5)
WEIGHTS = jax.random.normal(jax.random.key(1), (4, 3))
CLASSIFY = jax.tree_util.Partial(lambda weights, batch: batch @ weights, WEIGHTS)
X = np.asarray(jax.random.normal(jax.random.key(2), (30, 4)))
LABELS = np.asarray((X @ WEIGHTS).argmax(-1))
RADII = (0.0, 0.1, 0.25, 0.5)
IDS = np.arange(30)[::-1].copy()


# One row a design: the design, and the verb that is its array form.
DESIGNS = {
    "fixed": (Fixed(n=500), lambda labels, **run: js.certify(KEY, CLASSIFY, NOISE, X, n=500, **run)),
    "bounded": (
        Fixed(n=500, n0=30, norm=np.inf, runner_up="bounded"),
        lambda labels, **run: js.certify(
            KEY, CLASSIFY, NOISE, X, n=500, n0=30, norm=np.inf, runner_up="bounded", **run
        ),
    ),
    "curve": (
        Curve(RADII, n_max=2000),
        lambda labels, **run: js.certify_curve(KEY, CLASSIFY, NOISE, X, RADII, labels=labels, n_max=2000, **run),
    ),
    "adaptive": (
        Adaptive(n_max=2000),
        lambda labels, **run: js.certify_adaptive(KEY, CLASSIFY, NOISE, X, labels=labels, n_max=2000, **run),
    ),
    "predict": (Predict(n=300), lambda labels, **run: js.predict(KEY, CLASSIFY, NOISE, X, n=300, **run)),
}
TESTS_LABELS = ("curve", "adaptive")
CELLS = [(name, labelled) for name in DESIGNS for labelled in ((False, True) if name in TESTS_LABELS else (False,))]


def batches(labels=None, ids=None):
    for images in np.split(np.arange(30), [7, 8, 20]):
        parts = [X[images]] + [column[images] for column in (labels, ids) if column is not None]
        yield parts[0] if len(parts) == 1 else tuple(parts)


def together(parts):
    return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else js.concatenate(parts)


def assert_same(one, other):
    if isinstance(one, np.ndarray):
        np.testing.assert_array_equal(one, other)
        return
    for field in dataclasses.fields(js.Certificates):
        a, b = getattr(one, field.name), getattr(other, field.name)
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b), err_msg=field.name)
    assert one == other


@pytest.fixture(scope="module")
def arrays():
    """The array form of every cell, computed once."""
    made = {}

    def get(name, labelled):
        if (name, labelled) not in made:
            made[name, labelled] = DESIGNS[name][1](LABELS if labelled else None)
        return made[name, labelled]

    return get


@pytest.mark.parametrize(("name", "labelled"), CELLS)
@pytest.mark.parametrize("devices", [None, 2, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 4))])
def test_stream_and_ledger_are_the_array(arrays, name, labelled, devices, tmp_path):
    labels, whole = LABELS if labelled else None, arrays(name, labelled)
    mesh = None if devices is None else jax.make_mesh((devices,), ("draws",))
    path, design = tmp_path / "votes.jsonl", DESIGNS[name][0]
    stream = lambda: js.certify_stream(KEY, CLASSIFY, NOISE, batches(labels), design, mesh=mesh, ledger=path)
    parts = list(stream())
    assert [len(part) for part in parts] == [7, 1, 12, 10]
    assert_same(together(parts), whole)
    assert_same(js.recertify(path, NOISE, design, labels=labels), whole)
    assert_same(js.recertify(js.ledger.read(path), NOISE, design, labels=labels), whole)
    size = path.stat().st_size
    assert_same(together(list(stream())), whole)
    assert path.stat().st_size == size


def test_the_waist_is_what_certify_does(arrays):
    selection = js.count_votes(KEY, CLASSIFY, NOISE, X, 100)
    votes = js.count_votes(KEY, CLASSIFY, NOISE, X, 500, first=100)
    whole = arrays("fixed", False)
    for given in ((selection, votes), (np.asarray(selection.counts), np.asarray(votes.counts).astype(np.uint16))):
        made = js.certificates(*given, NOISE, dim=4)
        for name in ("label", "radius", "p_lower", "p_upper", "samples", "rule", "norm", "alpha"):
            np.testing.assert_array_equal(getattr(made, name), getattr(whole, name), err_msg=name)
    bounded = js.certificates(selection, votes, NOISE, dim=4, norm="linf", runner_up="bounded", alpha=0.01)
    wanted = js.certify(KEY, CLASSIFY, NOISE, X, n=500, norm=np.inf, runner_up="bounded", alpha=0.01)
    np.testing.assert_array_equal(bounded.radius, wanted.radius)


def test_votes_of_different_numbers_of_draws():
    made = js.certificates([[9, 1], [9, 1]], [[950, 50], [95, 5]], NOISE, dim=4)
    one = js.certificates([[9, 1]], [[95, 5]], NOISE, dim=4)
    assert made.samples.tolist() == [1010, 110] and made.radius[1] == one.radius[0] < made.radius[0]


def test_image_ids_of_a_stream():
    whole = js.certify(KEY, CLASSIFY, NOISE, X, n=500, image_ids=IDS)
    stream = js.certify_stream(KEY, CLASSIFY, NOISE, batches(LABELS, IDS), Fixed(n=500))
    assert_same(together(list(stream)), whole)


def test_a_stream_of_noise_that_depends_on_the_image():
    noise = js.noises.InputDependentGaussian(js.scales.KNNScale(X[:20] + 1, sigma=0.5, rate=0.1, k=3))
    whole = js.certify(KEY, CLASSIFY, noise, X, n=500)
    parts = js.certify_stream(KEY, CLASSIFY, noise, batches(), Fixed(n=500))
    assert_same(together(list(parts)), whole)


def test_streams_share_a_program():
    traces = []

    def classify(batch):
        traces.append(batch.shape)
        return batch @ WEIGHTS

    for cuts in ([10, 20, 27], [3]):
        parts = np.split(X, cuts)
        list(js.certify_stream(KEY, classify, NOISE, iter(parts), Fixed(n=500), batch_size=16))
    # One for the shape of the scores, which proves rows independent, one more that does, and one to run.
    assert len(traces) == 3


def test_no_more_is_read_or_kept_than_is_needed():
    """A thousand batches: results come while the rest is unread, and few images are ever in hand."""
    read = 0

    def endless():
        nonlocal read
        for start in range(1000):
            read += 1
            yield np.repeat(X[start % 30][None], 64, 0)

    given, design = 0, Curve([0.0], n_max=1000)
    for certificates in js.certify_stream(KEY, CLASSIFY, NOISE, endless(), design, batch_size=16):
        given += 1
        assert len(certificates) == 64 and read - given <= 40
        if given == 60:
            break


@dataclasses.dataclass(frozen=True)
class Majority(AbstractDesign):
    """A design of one's own: the first class with ``lead`` votes more than any other, after 10, 20, ... draws."""

    lead: int = 8

    @property
    def looks(self):
        return np.arange(10, 101, 10)

    def init(self, images):
        return {"label": np.full(images, js.ABSTAIN, np.int32)}

    def look(self, rows, look, counts, labels):
        second, first = np.sort(counts, -1)[:, -2:].T
        won = first - second >= self.lead
        return {"label": np.where(won, counts.argmax(-1), rows["label"])}, won | (look == 9)

    def conclude(self, rows, finished):
        return rows["label"]


def test_a_design_of_ones_own(tmp_path):
    path = tmp_path / "votes.jsonl"
    parts = list(js.certify_stream(KEY, CLASSIFY, NOISE, batches(), Majority(), ledger=path))
    whole = np.concatenate(parts)
    assert (whole[whole >= 0] == LABELS[whole >= 0]).mean() > 0.9
    np.testing.assert_array_equal(js.recertify(path, NOISE, Majority()), whole)
    assert (js.recertify(path, NOISE, Majority(lead=50)) >= 0).sum() <= (whole >= 0).sum()


@dataclasses.dataclass(frozen=True)
class Odd(Majority):
    """One that does what it must not."""

    at: tuple = (10, 20)
    made: object = js.ABSTAIN
    kept: object = 0
    name: str = "label"
    stops: bool = True

    @property
    def looks(self):
        return np.array(self.at)

    def init(self, images):
        return {"label": np.full(images, self.made)}

    def look(self, rows, look, counts, labels):
        return {self.name: np.full(len(look), self.kept)}, np.full(len(look), self.stops)


@pytest.mark.parametrize(
    ("design", "error", "message"),
    [
        (
            Odd(at=()),
            ValueError,
            r"looks of Odd must be integers of at least 1 that increase, one or more; got array\(\[",
        ),
        (Odd(at=(20, 10)), ValueError, "looks of Odd must be .* that increase"),
        (Odd(at=(0, 10)), ValueError, "looks of Odd must be integers of at least 1"),
        (Odd(at=(10.0,)), ValueError, "looks of Odd must be integers"),
        (Odd(stops=False), ValueError, "look of Odd must stop every image at its last look"),
        (Odd(kept=0.9), TypeError, r"rows\['label'\] is float64, and init makes int64, which does"),
        (
            Odd(made=np.int8(0), kept=300),
            TypeError,
            r"rows\['label'\] is int64, and init makes int8, which does not hold",
        ),
        (Odd(made=np.float16(0), kept=1e6), TypeError, r"rows\['label'\] is float64, and init makes float16"),
        (
            Odd(made="", kept="all"),
            TypeError,
            r"rows\['label'\] is <U3, and init makes <U1, .* of dtype object",
        ),
        (Odd(name="else"), TypeError, r"rows\['else'\] is int64, and init makes no row of this name"),
    ],
)
def test_a_design_that_cannot_be_followed_is_refused(design, error, message):
    with pytest.raises(error, match=message):
        list(js.certify_stream(KEY, CLASSIFY, NOISE, batches(), design))


def test_a_design_may_remember_objects():
    """What they are equal to does not count: NaN is not itself."""
    found = np.concatenate(list(js.certify_stream(KEY, CLASSIFY, NOISE, batches(), Odd(made=None, kept=np.nan))))
    assert found.dtype == object and len(found) == len(X) and all(np.isnan(one) for one in found)


def test_a_design_that_is_not_bound_says_so():
    with pytest.raises(ValueError, match="not bound"):
        Fixed().init(3)
    setting = Setting(NOISE, NOISE, dim=4, classes=3, labelled=False)
    assert Fixed().bind(setting).init(3)["selection"].shape == (3, 3)
    assert Fixed().bind(setting) == Fixed() and isinstance(Finished._fields, tuple)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Fixed(n=3), ValueError, "n"),
        (lambda: Fixed(norm=3), ValueError, "norm must be"),
        (lambda: Fixed(runner_up="x"), ValueError, "runner_up must be"),
        (lambda: Fixed(alpha=2), ValueError, "alpha must be"),
        (lambda: Curve([1, 0]), ValueError, "radii must increase"),
        (lambda: Adaptive(n_max=0), ValueError, "n_max must be"),
        (lambda: Predict(n=3), ValueError, "can never decide"),
        (lambda: js.certify_stream(KEY, CLASSIFY, NOISE, 3), TypeError, "batches must be"),
        (lambda: js.certify_stream(KEY, CLASSIFY, NOISE, X), TypeError, "batches must be"),
    ],
)
def test_bad_designs_are_refused_at_once(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_design_of_one_run_is_planned_anew_for_another():
    setting = lambda sigma: Setting(
        js.noises.Gaussian(sigma), js.noises.Gaussian(sigma), dim=4, classes=3, labelled=False
    )
    bound = Curve([0.5]).bind(setting(1.0))
    again, fresh = bound.bind(setting(0.5)), Curve([0.5]).bind(setting(0.5))
    np.testing.assert_array_equal(again._plans[1][0].thresholds, fresh._plans[1][0].thresholds)
    assert (fresh._plans[1][0].thresholds > bound._plans[1][0].thresholds).any()


@pytest.mark.parametrize("alpha", [1e-3, 1e-9, 1e-40])
def test_bounds_of_the_runner_up_need_votes_that_can_certify(alpha):
    with pytest.raises(ValueError, match=r"can never certify.* use n >= ") as found:
        Fixed(n=9, alpha=alpha, runner_up="bounded")
    needed = int(str(found.value).rpartition(" ")[2])
    for n in (needed - 1, needed):
        lower, upper = js.bounds.runner_up_bounds([[n, 0]], [0], n, alpha)
        assert (lower[0] > min(upper[0], 1 - lower[0])) == (n == needed)
    Fixed(n=needed, alpha=alpha, runner_up="bounded")
    with pytest.raises(ValueError, match=f"use n >= {needed}"):
        Fixed(n=needed - 1, alpha=alpha, runner_up="bounded")


@pytest.mark.parametrize("labelled", [True, False])
@pytest.mark.parametrize("radius", [4.2, 10, 100])
def test_radii_that_need_a_probability_of_1(labelled, radius):
    setting = Setting(NOISE, NOISE, dim=4, classes=3, labelled=labelled)
    with pytest.raises(ValueError, match=f"no probability below 1 certifies {radius:g}"):
        Curve([0, radius], n_max=1000).bind(setting)


@pytest.mark.parametrize(("labelled", "needed"), [(True, 10), (False, 11)])
def test_unanimous_votes_of_any_class_have_to_be_more(labelled, needed):
    setting = Setting(NOISE, NOISE, dim=4, classes=3, labelled=labelled)
    Curve([0], n_max=needed, alpha=1e-3).bind(setting)
    with pytest.raises(ValueError, match=f"n_max >= {needed}"):
        Curve([0], n_max=needed - 1, alpha=1e-3).bind(setting)


@pytest.mark.parametrize(
    ("make", "other"),
    [
        (lambda: Fixed(n=10), lambda: Fixed(n=20)),
        (lambda: Curve(RADII), lambda: Curve([0.5])),
        (lambda: Adaptive(n_max=1000), lambda: Adaptive(n_max=2000)),
        (lambda: Predict(n=100), lambda: Predict(n=200)),
        (lambda: js.designs.TopK(3), lambda: js.designs.TopK(4)),
        (lambda: js.designs.Outputs(tau=0.6), lambda: js.designs.Outputs(tau=0.9)),
    ],
)
def test_designs_are_equal_where_nothing_differs(make, other):
    design = make()
    assert design == design and hash(design) == hash(design)
    assert design != other()
    # A mask is an array, and no two arrays are compared.
    assert (design == make()) is not isinstance(design, js.designs.Outputs)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "at least one batch"),
        ([X[:3], X[3:6, :2]], "images of one shape"),
        ([X[:3], np.full((2, 4), np.nan, np.float32)], "x must be finite"),
        ([(X[:3], [0, 1, 7])], "labels must be between"),
        ([(X[:3], [0, 1, 2]), (X[3:5], [0, 9])], "labels must be between"),
        ([(X[:3], [0, 1])], "a label for each image"),
        ([(X[:3], [0, 1, 2]), X[3:5]], "must all be of one kind"),
        ([(X[:3], [0, 1, 2], [0, 1, -2])], "image_ids must lie"),
    ],
)
def test_bad_batches_are_refused_when_they_come(given, message):
    with pytest.raises(ValueError, match=message):
        list(js.certify_stream(KEY, CLASSIFY, NOISE, given, Curve(RADII, n_max=2000)))
