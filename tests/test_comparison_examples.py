"""The comparisons run in their quick modes: input-dependent scales, training costs, logs of two methods."""

import csv
import pathlib

import numpy as np
import pytest

from tests.test_examples import run

LOG = str(pathlib.Path(__file__).parent / "analysis/data/cohen_2019_cifar10_sigma050.tsv")


@pytest.mark.slow
def test_input_dependent(tmp_path):
    out = run("examples/input_dependent.py", "--quick", "--output", str(tmp_path))
    assert "kappa: mean" in out and "class-wise std" in out and "nearest - constant" in out
    assert all(
        (tmp_path / f"{name}.png").stat().st_size > 20_000 for name in ("input_dependent_digits", "admissible_ratio")
    )


@pytest.mark.slow
def test_input_dependent_costs():
    out = run("benchmarks/input_dependent.py", "--quick")
    assert out.count("s of the processor") == 3 and "100 certificates, dim 3072" in out


@pytest.mark.slow
def test_training_costs(tmp_path):
    out = run("examples/training_costs.py", "--quick", "--network", "lenet", "--output", str(tmp_path))
    rows = list(csv.DictReader((tmp_path / "training_costs_lenet.csv").read_text().splitlines()))
    assert "  1.96x" in out and float(rows[0]["ratio"]) == 1 and all(float(row["seconds"]) > 0 for row in rows)


def test_compare_logs(tmp_path):
    lines = pathlib.Path(LOG).read_text().splitlines()
    fields = [line.split("\t") for line in lines[1:]]
    better = tmp_path / "better.tsv"
    more = [[i, y, c, str(float(r) + 0.1 * (y == c)), *rest] for i, y, c, r, *rest in fields]
    better.write_text("\n".join([lines[0], *("\t".join(row) for row in more)]) + "\n")
    out = run("examples/compare_logs.py", "--first", str(better), str(better), "--second", LOG, LOG)
    right = np.mean([y == c for _, y, c, *_ in fields])
    assert f"first - second: {0.1 * right:+.4f}" in out and "500 images, 2 runs" in out and "0.5375" in out


@pytest.mark.slow
@pytest.mark.parametrize("logs", [[LOG, LOG], ["--second", LOG, "--first", LOG, LOG]])
def test_compare_logs_needs_pairs(logs):
    with pytest.raises(AssertionError, match=r"--second|in pairs"):
        run("examples/compare_logs.py", "--first", *logs)
