"""The benchmark runs, and the shipped settings save what it says."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield importlib.import_module("samples_saved")
    for name in ("samples_saved", "populations"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("name", "any_class", "speedup"),
    [
        ("cifar10-0.5", False, 14.5),
        pytest.param("cifar10-0.5", True, 12, marks=pytest.mark.slow),
        pytest.param("imagenet-0.5", False, 18.5, marks=pytest.mark.slow),
        ("imagenet-0.5", True, 15),
        pytest.param("digits", False, 14, marks=pytest.mark.slow),
        pytest.param("easy", False, 11, marks=pytest.mark.slow),
        pytest.param("hopeless", False, 40, marks=pytest.mark.slow),
    ],
)
def test_shipped_settings_save_draws_at_little_loss(benchmark, name, any_class, speedup):
    population = benchmark.synthetic(name)
    plan = benchmark.CurvePlan(benchmark.curve_tests(100_000, 1e-3), population.nulls, any_class=any_class)
    outcome = benchmark.simulate_curve(population, plan, repeats=100)
    assert 100_000 / outcome.samples.mean() >= speedup
    change = outcome.accuracy - outcome.fixed[100_000]
    assert np.mean(change) > -0.0015
    assert np.mean(outcome.fixed[10_000] - outcome.fixed[100_000]) < 4 * np.mean(change)


def test_one_radius_is_certified_in_fewer_draws_than_by_other_methods(benchmark):
    population = benchmark.synthetic("cifar10-0.5")
    p = np.tile(population.p_label, 20)
    results = {name: benchmark.simulate_rule(p, *rule) for name, rule in benchmark.sequential_rules(0.84).items()}
    draws = {name: samples.mean() for name, (_, samples) in results.items()}
    certified = {name: accepted.mean() for name, (accepted, _) in results.items()}
    for other in ("union bound", "betting"):
        assert 1.5 * draws["ours"] < draws[other]
        assert certified["ours"] > certified[other] - 0.001


def test_errors_of_every_method_are_at_most_alpha(benchmark):
    """False alarm 1e-6: images at the null, whatever gives up."""
    for name, rule in benchmark.sequential_rules(0.6).items():
        accepted, _ = benchmark.simulate_rule(np.full(10_000, 0.6), *rule)
        assert accepted.sum() <= stats.binom.isf(1e-6, 10_000, benchmark.ALPHA), name


def test_it_reads_logs(benchmark, tmp_path, capsys):
    rows = ["idx\tlabel\tpredict\tradius\tcorrect\ttime", "0\t3\t3\t0.6\t1\t1.0", "1\t2\t-1\t0.0\t0\t1.0"]
    rows += ["2\t1\t0\t0.05\t0\t1.0", "3\t1\t1\t1.91\t1\t1.0"]
    log = tmp_path / "certify.tsv"
    log.write_text("\n".join(rows) + "\n")
    population = benchmark.from_log(log, 0.5, np.array([0.0, 0.5]))
    np.testing.assert_allclose(population.p_top[[0, 3]], [0.8883, 1.0], atol=3e-4)
    assert population.p_top[1] < 0.5 and population.p_label[2] < 0.5
    benchmark.main(["--quick", "--log", str(log), "--sigma", "0.5", "--radii", "0,0.5"])
    assert "with labels: mean" in capsys.readouterr().out
