"""Training objectives side by side on digits: certified radii, their paired differences, and what a step costs.

    python examples/compare_training.py

About three minutes on two idle CPU cores (350 CPU seconds). Every method trains the same five networks (same initial
weights, same batches) and certifies the same 500 test images with the same noise, so differences are paired; their
intervals come from a bootstrap over images and seeds. Expect at sigma 0.25 an average certified radius (ACR) of .526
for Gaussian augmentation, .527 for stability (a difference that the interval does not separate from 0), .563 for
consistency, .566 for SmoothAdv and .46 for MACER; consistency minus Gaussian .038 [.033, .042]. At sigma 0.5
consistency with lambda 10 forgets classes, ACR .19, and a ramp of its weights over the first 40 % of training gives .42
or more. Writes compare_training.csv, compare_training.png and training_costs_mlp.csv to --output. The numbers are
discussed in docs/training.md.
"""

import argparse
import csv
import functools
import pathlib
import time

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
import training_costs
from models import MLP
from tqdm.auto import tqdm

import jaxsmooth as js
import jaxsmooth.objectives as jo

BATCH, N, N0, ALPHA = 128, 4000, 100, 1e-3
MODEL = MLP((128, 128))


def methods(steps: int) -> dict[float, dict[str, jo.AbstractObjective]]:
    """The rows of the table: for each sigma the objectives by name. Weights were fixed beforehand."""
    ramp = lambda value: jo.Ramp(value, max(1, int(0.4 * steps)))
    return {
        0.25: {
            "Gaussian": jo.GaussianAugmentation(),
            "Stability, lambda 2": jo.Stability(2.0),
            "Consistency, lambda 5": jo.Consistency(5.0, 0.5, 2),
            "SmoothAdv, epsilon .25": jo.SmoothAdv(0.25, 2, jo.GaussianAugmentation(4)),
            "MACER, lambda 6": jo.MACER(6.0, num_samples=8),
        },
        0.5: {
            "Gaussian": jo.GaussianAugmentation(),
            "Consistency, lambda 1": jo.Consistency(1.0, 0.5, 2),
            "Consistency, lambda 5": jo.Consistency(5.0, 0.5, 2),
            "Consistency, lambda 10": jo.Consistency(10.0, 0.5, 2),
            "Consistency, lambda 10, ramp": jo.Consistency(ramp(10.0), ramp(0.5), 2),
        },
    }


def optimizer(steps):
    """Stochastic gradient descent whose learning rate drops at 1/2 and 3/4; gradients are clipped."""
    rate = optax.piecewise_constant_schedule(0.1, {steps // 2: 0.1, 3 * steps // 4: 0.1})
    return optax.chain(optax.clip_by_global_norm(5.0), optax.sgd(rate, momentum=0.9, nesterov=True))


def loss_of(objective, noise, key, weights, x, y, step):
    return objective(key, functools.partial(MODEL.apply, weights), noise, x, y, step=step)


@jax.jit
@functools.partial(jax.vmap, in_axes=(None, None, None, None, 0, 0))
def train(objective, noise, images, labels, seed, order):
    """One network for each seed; ``order`` (steps, BATCH) are its batches. Weights lambda are data: one program."""
    init_key, key = jax.random.split(jax.random.key(seed))
    weights, optim = MODEL.init(init_key, images[:1]), optimizer(len(order))

    def step(carry, inputs):
        (weights, state), (number, batch) = carry, inputs
        loss = functools.partial(loss_of, objective, noise, jax.random.fold_in(key, number))
        gradient, aux = jax.grad(loss, has_aux=True)(weights, images[batch], labels[batch], number)
        update, state = optim.update(gradient, state, weights)
        return (optax.apply_updates(weights, update), state), (aux.predicted, aux.labelled)

    carry, counts = jax.lax.scan(step, (weights, optim.init(weights)), (jnp.arange(len(order)), order))
    last = max(1, len(order) // 10)
    return carry[0], *(count[-last:].sum(0) for count in counts)


@jax.jit
def certify_seeds(noise, table, weights, images):
    """Labels and radii (seeds, images): one voting program for all seeds, which see the same noise."""

    def certify(weights):
        classify = jax.tree_util.Partial(MODEL.apply, weights)
        return js.certify_batch(jax.random.key(1), classify, noise, images, table, n0=N0, batch_size=500)

    return jax.vmap(certify)(weights)


def run_methods(options, skipped):
    """Train and certify every row; one dictionary of results per row."""
    images, labels = map(jnp.asarray, js.datasets.load("digits", "train"))
    test_images, test_labels = (part[: options.images] for part in js.datasets.load("digits", "test"))
    per_epoch = len(images) // BATCH
    random = np.random.default_rng(0)
    epoch = lambda: random.permutation(len(images))[: per_epoch * BATCH].reshape(per_epoch, BATCH)
    orders = np.stack([np.concatenate([epoch() for _ in range(options.epochs)]) for _ in range(options.seeds)])
    seeds = jnp.arange(options.seeds)
    rows = []
    listed = [
        (sigma, name, objective)
        for sigma, group in methods(orders.shape[1]).items()
        for name, objective in group.items()
        if not name.startswith(skipped)
    ]
    for sigma, name, objective in (bar := tqdm(listed, unit="method")):
        bar.set_description(f"sigma {sigma:g}, {name}")
        noise = js.noises.Gaussian(sigma)
        table = js.radius_table(noise, n=N, alpha=ALPHA)
        start = time.perf_counter()
        weights, *counts = jax.block_until_ready(train(objective, noise, images, labels, seeds, orders))
        seconds = time.perf_counter() - start
        label, radius = map(np.asarray, certify_seeds(noise, table, weights, test_images))
        missing = [len(jo.class_collapse(p, q).missing) for p, q in zip(*counts, strict=True)]
        correct = label == test_labels
        rows.append(
            {"sigma": sigma, "method": name, "label": label, "radius": radius.astype(np.float64), "correct": correct}
            | {"scores": radius.astype(np.float64) * correct, "missing": float(np.mean(missing)), "seconds": seconds}
        )
    return rows, test_labels


def report(rows, seeds, images):
    """Print the table, and for each row its difference from Gaussian augmentation; add the numbers to the rows."""
    print(f"\ndigits, {seeds} seeds, {images} test images, n = {N}, alpha = {ALPHA:g}")
    for sigma in dict.fromkeys(row["sigma"] for row in rows):
        group = [row for row in rows if row["sigma"] == sigma]
        radii = (sigma, 2 * sigma) if sigma < 0.5 else (sigma, 1.5 * sigma)
        heads = [f"at {radius:.2f}" for radius in radii]
        print(
            f"\nsigma {sigma:g}{'':21}   ACR  (sd)    clean  abstain  {'  '.join(heads)}  missing  minus Gaussian, 95 %"
        )
        for row in group:
            acr = row["scores"].mean(1)
            gap, low, high = js.analysis.paired_difference(row["scores"], group[0]["scores"])
            accuracy = [float((row["correct"] & (row["radius"] >= radius)).mean()) for radius in radii]
            row |= {"acr": acr.mean(), "sd": acr.std(ddof=1), "gap": gap, "low": low, "high": high, "radii": radii}
            row |= {"clean": row["correct"].mean(), "abstain": float((row["label"] < 0).mean()), "accuracy": accuracy}
            versus = "" if row is group[0] else f"{gap:+.3f} [{low:+.3f}, {high:+.3f}]"
            print(
                f"{row['method']:30} {row['acr']:.3f} ({row['sd']:.3f})  {row['clean']:.3f}   {row['abstain']:.3f}   "
                f"{accuracy[0]:.3f}    {accuracy[1]:.3f}   {row['missing']:5.1f}   {versus}"
            )


def check(rows):
    """What this comparison is expected to show; True if it does."""
    row = {(row["sigma"], row["method"]): row for row in rows}
    gaussian, stability, consistency = (
        row[0.25, name] for name in ("Gaussian", "Stability, lambda 2", "Consistency, lambda 5")
    )
    large, cured = row[0.5, "Consistency, lambda 10"], row[0.5, "Consistency, lambda 10, ramp"]
    versus = lambda row: f"{row['gap']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"
    claims = {
        f"sigma .25: ACR(consistency) - ACR(gaussian) = {versus(consistency)} is above .02": consistency["gap"] > 0.02,
        f"sigma .25: gaussian < stability ({versus(stability)}) < consistency, mean ACR": (
            gaussian["acr"] < stability["acr"] < consistency["acr"]
        ),
        f"sigma .5: lambda 10 forgets classes, {large['missing']:.1f} of 10": large["missing"] >= 1,
        f"sigma .5: the ramp cures it, ACR {large['acr']:.3f} -> {cured['acr']:.3f}": cured["acr"]
        > large["acr"] + 0.05,
    }
    print()
    for claim, holds in claims.items():
        print(f"{'yes' if holds else 'NO '}  {claim}")
    return all(claims.values())


def write(rows, labels, output):
    """The table as CSV and the curves as a figure."""
    output.mkdir(parents=True, exist_ok=True)
    with open(output / "compare_training.csv", "w", newline="") as file:
        names = ("sigma", "method", "acr", "sd", "clean", "abstain", "missing", "gap", "low", "high", "seconds")
        writer = csv.writer(file)
        writer.writerow([*names, "radii", "certified_accuracy"])
        for row in rows:
            numbers = [row[name] if isinstance(row[name], str) else f"{row[name]:.5g}" for name in names]
            writer.writerow([*numbers, *(" ".join(f"{v:.4g}" for v in row[name]) for name in ("radii", "accuracy"))])
    figure, axes = plt.subplots(1, 2, figsize=(12.5, 5), layout="constrained")
    for ax, sigma in zip(axes, dict.fromkeys(row["sigma"] for row in rows), strict=True):
        curves = {row["method"]: pooled(row, sigma) for row in rows if row["sigma"] == sigma}
        everyone = np.tile(labels, len(rows[0]["label"]))
        js.analysis.plot_certified_accuracy(curves, everyone, ax=ax, title=f"digits, $\\sigma$ = {sigma:g}")
    figure.savefig(output / "compare_training.png", dpi=150)
    plt.close(figure)
    print(f"\nwrote {output / 'compare_training.csv'} and {output / 'compare_training.png'}")


def pooled(row, sigma):
    """The certificates of all seeds as one set."""
    radius = row["radius"].ravel()
    p = js.required_probability(js.noises.Gaussian(sigma), radius)
    samples = np.full(len(radius), N + N0)
    return js.Certificates(
        row["label"].ravel(), radius, p, 1 - p, samples, noise=js.noises.Gaussian(sigma), alpha=ALPHA
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--images", type=int, default=500, help="test images to certify")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs; shows nothing")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.epochs, options.images = 2, 2, 20

    start = time.perf_counter()
    # Compiling the attacks takes longest.
    skipped = ("SmoothAdv", "SmoothMix", "MACER", "CAT-RS") if options.quick else ()
    rows, labels = run_methods(options, skipped)
    report(rows, options.seeds, len(labels))
    holds = check(rows)

    costs = training_costs.step_seconds("mlp", BATCH, 2 if options.quick else 30, skipped, calls=5)
    training_costs.report("mlp", BATCH, costs, options.output / "training_costs_mlp.csv")
    write(rows, labels, options.output)
    print(f"{time.perf_counter() - start:.0f} seconds")
    if not (holds or options.quick):
        raise SystemExit("the comparison did not show what it should")


if __name__ == "__main__":
    main()
