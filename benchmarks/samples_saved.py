"""How many draws sequential certification saves, and what that costs in certified accuracy.

    python benchmarks/samples_saved.py            # synthetic populations, about 40 s
    python benchmarks/samples_saved.py --quick    # a few seconds
    python benchmarks/samples_saved.py --log certify.tsv --sigma 0.5 --radii 0,0.5,1,1.5 --alpha-of-log 0.001

Expect, with the shipped settings, a speedup of 15x or more over n = 100,000 with labels and 12x or more
without, at a mean loss of 0.1 points of certified accuracy or less. Then one radius alone, against sequential
methods of the literature. Votes are simulated from the vote probabilities of a population (see populations.py); no
network runs. All decisions are at alpha = 0.001.
"""

import argparse
import dataclasses

import numpy as np
from populations import SYNTHETIC, UNSEEN, Population, from_log, synthetic
from scipy import special

from jaxsmooth.bounds import (
    AdaptivePlan,
    CurvePlan,
    GroupSequential,
    OptimalFutility,
    PredictPlan,
    adaptive_tests,
    anytime_threshold,
    clopper_pearson_lower,
    curve_tests,
    leader_p_value,
)

N_MAX, ALPHA = 100_000, 1e-3
FIXED = (10_000, N_MAX)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Certified accuracy per radius, sequentially and for each fixed n, and the draws per image."""

    samples: np.ndarray
    accuracy: np.ndarray
    fixed: dict[int, np.ndarray]


def simulate_curve(population: Population, plan: CurvePlan, *, repeats: int, seed: int = 0) -> Outcome:
    """Draw the votes of every image look by look and apply the plan; fixed n sees the same votes."""
    rng = np.random.default_rng(seed)
    repeat = lambda values: np.tile(values, repeats)
    labelled = not plan.any_class
    p = repeat(population.p_label if labelled else population.p_top)
    top_is_label = labelled | repeat(population.correct)
    votes, rival = np.zeros(len(p), np.int64), np.zeros(len(p), np.int64)
    certified, is_label = np.zeros(len(p), np.int64), np.zeros(len(p), bool)
    samples, going, drawn, at = np.zeros(len(p), np.int64), np.ones(len(p), bool), 0, {}
    for look, n in enumerate(plan.looks):
        new = _draw(rng, n - drawn, p)
        votes, rival, drawn = votes + new[0], rival + new[1], n
        count = votes if labelled else np.maximum(votes, rival)
        active = np.flatnonzero(going)
        level, stop = plan.decide(look, count[active], certified[active])
        better = active[level > certified[active]]
        is_label[better] = top_is_label[better] & (labelled | (votes >= rival)[better])
        certified[active], samples[active], going[active] = level, n, ~stop
    for n in FIXED:
        single = GroupSequential(n, ALPHA, first_look=n).thresholds(plan.p)[:, 0]
        count = votes if n == drawn else _draw(rng, n, p)[0]
        at[n] = np.array([np.mean((count >= c) & top_is_label) for c in single])
    accuracy = np.array([np.mean((certified > j) & is_label) for j in range(len(plan.p))])
    return Outcome(samples, accuracy, at)


def simulate_predict(population: Population, plan: PredictPlan, *, repeats: int) -> tuple[np.ndarray, float, float]:
    """``(draws per image, abstention rate, abstention rate of fixed n = n_max)``."""
    rng = np.random.default_rng(1)
    p = np.tile(population.p_top, repeats)
    counts, label = np.zeros((len(p), 3), np.int64), np.full(len(p), -1)
    samples, going, drawn = np.zeros(len(p), np.int64), np.ones(len(p), bool), 0
    for look, n in enumerate(plan.looks):
        counts[:, :2] += np.array(_draw(rng, n - drawn, p)).T
        drawn, active = n, np.flatnonzero(going)
        label[active], stop = plan.decide(look, counts[active])
        samples[active], going[active] = n, ~stop
    fixed = np.mean(leader_p_value(counts.max(axis=1), np.partition(counts, -2, axis=1)[:, -2]) > ALPHA)
    return samples, float(np.mean(label < 0)), float(fixed)


def simulate_adaptive(population: Population, *, labelled: bool, repeats: int) -> tuple[float, float]:
    """``(draws per image, average certified radius relative to fixed n)`` of certify_adaptive, same votes."""
    rng = np.random.default_rng(2)
    tests = adaptive_tests(N_MAX, ALPHA)
    largest = special.ndtri(tests.lower_bound(-1, N_MAX))
    plan = AdaptivePlan(tests, special.ndtr(np.linspace(0, largest, 150, endpoint=False)))
    p = np.tile(population.p_label if labelled else population.p_top, repeats)
    correct = np.ones(len(p), bool) if labelled else np.tile(population.correct, repeats)
    votes, bound = np.zeros(len(p), np.int64), np.zeros(len(p))
    samples, going, drawn = np.zeros(len(p), np.int64), np.ones(len(p), bool), 0
    for look, n in enumerate(plan.looks):
        votes += rng.binomial(n - drawn, p)
        drawn, active = n, np.flatnonzero(going)
        bound[active], stop = plan.decide(look, votes[active], bound[active])
        samples[active], going[active] = n, ~stop
    radius = lambda p_lower: np.maximum(special.ndtri(np.maximum(p_lower, 0.5)), 0.0)
    average = np.mean(correct * radius(bound))
    full = np.mean(correct * radius(clopper_pearson_lower(votes, N_MAX, ALPHA)))
    return float(samples.mean() + (0 if labelled else 100)), float(average / full)


def report_adaptive(population: Population, repeats: int) -> None:
    for labelled in (True, False):
        mean, relative = simulate_adaptive(population, labelled=labelled, repeats=repeats)
        print(
            f"  certify_adaptive {'with' if labelled else 'without'} labels: mean {mean:.0f} draws, "
            f"{N_MAX / mean:.1f}x fewer; average certified radius {100 * (relative - 1):+.2f}% of fixed n = {N_MAX}"
        )


def _draw(rng: np.random.Generator, draws: int, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Votes for the class and for its strongest possible rival: two classes if p >= 1/2, else an equal one."""
    votes = rng.binomial(draws, p)
    return votes, rng.binomial(draws - votes, np.minimum(p, 1 - p) / (1 - p))


def report_curve(population: Population, repeats: int) -> None:
    print(f"\n{population.name}: sigma {population.sigma}, {len(population.p_top)} images, {repeats} repeats")
    print(f"  certified accuracy at radius {population.radii.tolist()}, points")
    for any_class in (False, True):
        plan = CurvePlan(curve_tests(N_MAX, ALPHA), population.nulls, any_class=any_class)
        outcome = simulate_curve(population, plan, repeats=repeats)
        mean = outcome.samples.mean()
        name = "without labels" if any_class else "with labels"
        full = outcome.fixed[N_MAX]
        print(f"  {name}: mean {mean:.0f} draws, median {np.median(outcome.samples):.0f}, {N_MAX / mean:.1f}x fewer")
        _print_row(f"fixed n = {N_MAX}", full, None)
        _print_row("sequential", outcome.accuracy, full)
        _print_row(f"fixed n = {FIXED[0]}", outcome.fixed[FIXED[0]], full)


def _print_row(name: str, accuracy: np.ndarray, reference: np.ndarray | None) -> None:
    cells = accuracy if reference is None else accuracy - reference
    form = "{:8.2f}" if reference is None else "{:+8.3f}"
    mean = "" if reference is None else f"   mean change {100 * cells.mean():+.3f}"
    print(f"    {name:<18}" + "".join(form.format(100 * cell) for cell in cells) + mean)


def report_unseen(repeats: int) -> None:
    """Populations that no setting was chosen on: draws saved, and the mean change of the curve, in one line each."""
    print("\npopulations that no setting was chosen on")
    for name in UNSEEN:
        population = synthetic(name)
        for any_class in (False, True):
            plan = CurvePlan(curve_tests(N_MAX, ALPHA), population.nulls, any_class=any_class)
            outcome = simulate_curve(population, plan, repeats=repeats)
            change = 100 * np.mean(outcome.accuracy - outcome.fixed[N_MAX])
            labels = "without labels" if any_class else "with labels"
            print(f"  {name}, {labels}: {N_MAX / outcome.samples.mean():.1f}x fewer, mean change {change:+.3f}")


def sequential_rules(null: float) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """``(looks, counts that certify, counts that go on)`` of sequential tests of one null at ALPHA, by method.

    A union bound gives each of its looks an equal share, and gives up where the Clopper-Pearson upper bound at that
    share is below the null. Betting looks after (almost) every draw, and gives up by the e-process of the other side.
    """
    geometric = GroupSequential(N_MAX, ALPHA, ratio=1.2, last_share=1 / 42).looks
    each = [GroupSequential(int(n), ALPHA / len(geometric), first_look=int(n)) for n in geometric]
    accepts = np.array([test.thresholds([null])[0, 0] for test in each])
    fails = np.array([test.thresholds([1 - null])[0, 0] for test in each])
    every = GroupSequential(N_MAX, ALPHA, first_look=10, ratio=1.01).looks
    wins, losses = (anytime_threshold(every, p, ALPHA) for p in (null, 1 - null))
    plan = CurvePlan(curve_tests(N_MAX, ALPHA), [null])
    optimal = lambda looks, accepts: OptimalFutility().minimal_counts(looks, plan.p, accepts[None, :])[:, 0]
    return {
        "ours": (plan.looks, plan.thresholds[0], plan.minimal_counts[:, 0]),
        "union bound": (geometric, accepts, geometric - fails + 1),
        "union bound, our futility": (geometric, accepts, optimal(geometric, accepts)),
        "betting": (every, wins, every - losses + 1),
        "betting, our futility": (every, wins, optimal(every, wins)),
    }


def simulate_rule(
    p: np.ndarray, looks: np.ndarray, accepts: np.ndarray, goes_on: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """``(certified, draws)`` of images with these probabilities of the tested class."""
    rng = np.random.default_rng(3)
    votes, samples = np.zeros(len(p), np.int64), np.zeros(len(p), np.int64)
    certified, active, drawn = np.zeros(len(p), bool), np.arange(len(p)), 0
    for n, accept, least in zip(looks, accepts, goes_on, strict=True):
        votes[active] += rng.binomial(n - drawn, p[active])
        certified[active], samples[active], drawn = votes[active] >= accept, n, n
        active = active[~certified[active] & (votes[active] >= least)]
    return certified, samples


def report_single(population: Population, repeats: int) -> None:
    middle = len(population.radii) // 2
    null, p = population.nulls[middle], np.tile(population.p_label, repeats)
    fixed = np.random.default_rng(4).binomial(N_MAX, p) >= GroupSequential(N_MAX, ALPHA, first_look=N_MAX).thresholds(
        [null]
    )
    print(f"  the radius {population.radii[middle]:g} alone, with labels: fixed n certifies {100 * fixed.mean():.2f}")
    for name, rule in sequential_rules(null).items():
        certified, samples = simulate_rule(p, *rule)
        change = 100 * (certified.mean() - fixed.mean())
        print(f"    {name:<26} mean {samples.mean():7.0f} draws, {N_MAX / samples.mean():6.1f}x fewer, {change:+.3f}")


def report_predict(population: Population, repeats: int) -> None:
    for n_max in (1000, 10_000):
        plan = PredictPlan(GroupSequential(n_max, ALPHA, first_look=16))
        samples, abstained, fixed = simulate_predict(population, plan, repeats=repeats)
        print(
            f"  predict, n_max {n_max}: mean {samples.mean():.0f} draws, median {np.median(samples):.0f}, "
            f"{n_max / samples.mean():.1f}x fewer; abstains {abstained:.4f} (fixed n: {fixed:.4f})"
        )


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", action="append", default=[], help="a six-column certification log; repeatable")
    parser.add_argument("--sigma", type=float, help="noise of the logs")
    parser.add_argument("--radii", default="0,0.25,0.5,0.75,1,1.25,1.5", help="comma-separated")
    parser.add_argument("--n-of-log", type=int, default=100_000)
    parser.add_argument("--alpha-of-log", type=float, default=1e-3)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args(arguments)
    if options.log and options.sigma is None:
        parser.error("--log needs --sigma, the noise with which the log was made")
    radii = np.array([float(radius) for radius in options.radii.split(",")])
    load = lambda path: from_log(path, options.sigma, radii, n=options.n_of_log, alpha=options.alpha_of_log)
    populations = [load(path) for path in options.log] or [synthetic(name) for name in SYNTHETIC]
    images = 20_000 if options.quick else 200_000
    for population in populations:
        repeats = max(1, images // len(population.p_top))
        report_curve(population, repeats)
        report_single(population, max(1, repeats // 4))
        report_predict(population, max(1, repeats // 4))
        report_adaptive(population, max(1, repeats // 4))
    if not options.log:
        report_unseen(max(1, images // 4000))


if __name__ == "__main__":
    main()
