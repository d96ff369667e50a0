"""Schedules: timesteps, noises and scales of the released diffusion models."""

import json
import pathlib

import numpy as np
import pytest

import jaxsmooth as js

REFERENCE = json.loads((pathlib.Path(__file__).parent / "data/denoised.json").read_text())["schedules"]
MADE = {
    "improved-diffusion cifar10: cosine, 4000 steps": js.denoisers.schedule("cosine", 4000),
    "guided-diffusion imagenet: linear, 1000 steps": js.denoisers.schedule("linear", 1000),
}
ROWS = [(name, row) for name, table in REFERENCE.items() for row in table["rows"]]


@pytest.mark.parametrize("name", REFERENCE)
def test_tables(name):
    made, known = MADE[name], REFERENCE[name]
    assert len(made.alpha_bar) == known["steps"]
    np.testing.assert_allclose(made.noise[[0, -1]] / 2, [known["sigma_min"], known["sigma_max"]], rtol=1e-9)
    known_ends = [known["alpha_bar_first"], known["alpha_bar_last"]]
    np.testing.assert_allclose(made.alpha_bar[[0, -1]], known_ends, rtol=1e-9)


@pytest.mark.parametrize(("name", "row"), ROWS, ids=[f"{name[:6]}-{row['sigma']}" for name, row in ROWS])
def test_timesteps_of_the_released_models(name, row):
    schedule, sigma = MADE[name], row["sigma"]
    make = lambda **given: js.denoisers.one_shot(lambda x, t: x, given.pop("schedule", schedule), sigma, **given)
    first, nearest = make(), make(match="nearest")
    assert first.timestep == row["t_released"] == row["t_first_at_least"] and nearest.timestep == row["t_nearest"]
    close = lambda value, known: np.testing.assert_allclose(value, known, rtol=1e-9)
    close(first.noise_of_model, row["sigma_of_t"])
    close(first.noise_of_model / first.sigma, row["ratio"])
    close(first.scale, row["sqrt_alpha_bar_t"])
    close(nearest.noise_of_model, row["sigma_nearest"])
    between = make(schedule=js.denoisers.continuous(schedule.log_snr))
    close(between.timestep, row["t_continuous"])
    close(between.scale, row["scale_exact"])
    assert between.noise_of_model == sigma


def test_timesteps_begin_at_one():
    schedule = js.denoisers.schedule("linear", 1000)
    assert schedule.match(float(schedule.noise[0])).timestep == 1
    assert schedule.match(float(schedule.noise[0]), "nearest").timestep == 0
    assert schedule.match(float(schedule.noise[-1])).timestep == 999


def test_continuous_functions_are_inverted():
    schedule = js.denoisers.continuous(lambda t: 10 - 20 * t)
    found = schedule.match(2.0)
    assert found.timestep == pytest.approx((10 + 2 * np.log(2.0)) / 20, abs=1e-12)
    assert found.alpha_bar == pytest.approx(0.2) and found.noise == 2.0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: js.denoisers.schedule("sqrt", 1000), 'name must be "linear" or "cosine"'),
        (lambda: js.denoisers.schedule("linear", 5), "steps must be at least 21"),
        (lambda: js.denoisers.from_betas([0.1, 1.0]), "betas must lie strictly between 0 and 1; got 1.0"),
        (lambda: js.denoisers.from_betas([0.1]), "betas must have shape"),
        (lambda: js.denoisers.from_alpha_bar([0.5, 0.6]), "alpha_bar must decrease; got 0.5 before 0.6"),
        (lambda: js.denoisers.from_alpha_bar([0.5, 0.0]), "alpha_bar must lie strictly between 0 and 1; got 0.0"),
        (lambda: js.denoisers.continuous(lambda t: t), "log_snr must decrease"),
        (lambda: js.denoisers.continuous([1.0, 2.0]), "log_snr must decrease"),
        (lambda: MADE[next(iter(MADE))].match(1e6), "0.001571 to 4.058e\\+04.*got 5e\\+05"),
        (lambda: js.denoisers.continuous(lambda t: -t).match(9.0), "sigma must be within the range"),
    ],
)
def test_bad_schedules(make, message):
    with pytest.raises(ValueError, match=message):
        make()
