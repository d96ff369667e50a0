"""What smoothing costs: regions that shrink, and classes that pay for it unequally.

    python examples/hidden_cost.py

About two minutes of CPU time. Three experiments: balls in closed form; a disc inside an annulus, which a network
loses as a ball of its radius would, and which training under noise keeps at the annulus's cost; and a network for
digits, five trainings without noise and five with the noise of the smoothing. Expect, from sigma 0.12 to 1, that the
lowest class of digits falls from .92 to .64 without noise in training, a loss of .280 [.203, .357], and by .288
[.188, .388] with it, while the highest stays at .99 or above; equal classes would show a lowest of .83. The disc
keeps .97, .63 and .02 of its points at sigma 0.5, 0.75 and 1; the ball .95, .55 and 0.
Writes outputs/hidden_cost_theory.png, _plane.png, _classes.png, _radii.png and _rays.png.
With MNIST prepared on the disk: --dataset mnist --data-dir DIR.
"""

import argparse
import functools
import pathlib
import time

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from models import MLP
from noisy_training import load, network, trainer

import jaxsmooth.diagnostics as jd

ANNULUS = (1.2, 3.0)
BOUNDARY = 1.1  # half-way between the disc of radius 1 and the annulus


def theory(output):
    """Balls: at which sigma nothing is left of them, and what a finite number of votes adds."""
    dims = [2, 3, 64, 784, 3072, 150_528]
    print("ball of radius 1: the sigma at which nothing is left (threshold 1/2), and the published bound")
    print("  dimension   " + "".join(f"{d:>10}" for d in dims))
    for name, values in (
        ("exact", jd.ball_vanishing_sigma(1.0, dims, threshold=0.5)),
        ("bound", jd.ball_vanishing_bound(1.0, dims, threshold=0.5)),
    ):
        print(f"  {name:12s}" + "".join(f"{v:10.4f}" for v in values))
    figure, axes = plt.subplots(2, 2, figsize=(12.5, 9.5), layout="constrained")
    jd.plot_ball_radius([2, 3, 10, 784], threshold=0.5, ax=axes[0, 0])
    jd.plot_vanishing_sigma([2, 3, 5, 10, 30, 100, 300, 1000, 3072, 10_000, 150_528], [0.5, 0.1], ax=axes[0, 1])
    jd.plot_cone_rate([3, 64, 784], threshold=0.1, ax=axes[1, 0])
    jd.plot_certified_radius(30, ax=axes[1, 1])
    save(figure, output / "hidden_cost_theory.png")


def disc_in_annulus(seed, number):
    """Points of the plane: class 0 uniform on the unit disc, class 1 on the annulus."""
    rng = np.random.default_rng(seed)
    labels = np.arange(number) % 2
    low, high = np.where(labels, ANNULUS[0], 0.0), np.where(labels, ANNULUS[1], 1.0)
    radius, angle = np.sqrt(rng.uniform(low**2, high**2)), rng.uniform(0, 2 * np.pi, number)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1).astype(np.float32), labels.astype(np.int32)


def plane(options):
    """Accuracy on the disc under smoothing: networks, and the ball that they approximate."""
    sigmas = np.array([0.25, 0.5, 0.75, 1.0])
    x, y = disc_in_annulus(0, 2000)
    test, labels = disc_in_annulus(1, 1000)
    fit = trainer(MLP((64, 64), 2), x, y, options.plane_steps)
    accuracy, shown = {}, {}
    for alpha in (0.0, 1.0):
        rows = []
        for seed in range(options.seeds):
            shown[alpha] = fit(jax.random.key(seed), alpha)
            found = jd.classwise_over_sigma(jax.random.key(100 + seed), shown[alpha], test, labels, sigmas, options.n)
            rows.append(found.acc)
        accuracy[alpha] = jd.seed_interval(rows)
    # The points of the disc that are left are those within the smoothed radius of the ball.
    exact = np.minimum(jd.ball_smoothed_radius(BOUNDARY, sigmas, 2, threshold=0.5), 1.0) ** 2
    print(f"\ndisc of radius 1 in an annulus {ANNULUS}: accuracy by class, {options.seeds} trainings, 95 % intervals")
    print("  smoothing noise               " + "".join(f"{s:>21g}" for s in sigmas))
    print("  disc, ball of radius 1.1      " + "".join(f"{v:21.3f}" for v in exact))
    for alpha, found in accuracy.items():
        for k, name in enumerate(("disc", "annulus")):
            cells = zip(found.mean[:, k], found.low[:, k], found.high[:, k], strict=True)
            print(f"  {name + f', trained with {alpha:g}':30s}" + "".join(f"{interval(*cell):>21s}" for cell in cells))
    print(f"  the ball vanishes at sigma {jd.ball_vanishing_sigma(BOUNDARY, 2, threshold=0.5):.3f}")

    figure, axes = plt.subplots(2, 3, figsize=(13, 8.6), layout="constrained")
    for row, (alpha, classify) in zip(axes, shown.items(), strict=True):
        for ax, sigma in zip(row, (0.0, 0.5, 1.0), strict=True):
            jd.plot_decision_regions(
                jax.random.key(5), classify, sigma, extent=(-4, 4, -4, 4), points=test[:300], labels=labels[:300], ax=ax
            )
            ax.set_title(f"trained with {alpha:g}, smoothed with {sigma:g}", fontsize=14)
    axes[0, 0].legend(fontsize=11, loc="upper right", markerscale=3)
    save(figure, options.output / "hidden_cost_plane.png")


def classes(options):
    """Accuracy by class over sigma, of networks trained without noise and with the noise of the smoothing."""
    train_data, _, (test, labels) = load(options.dataset, options.data_dir)
    test, labels = test[: options.images], labels[: options.images]
    model, steps = network(options.dataset)
    fit = trainer(model, *train_data, options.steps or steps, options.copies)
    sigmas = np.array([0.12, 0.25, 0.5, 1.0, 1.5])
    accuracy = {"no noise in training": [], "noise of the smoothing in training": []}
    predicted = np.zeros((2, len(sigmas), options.seeds, len(labels)), np.int64)
    for seed in range(options.seeds):
        key, vote_key = jax.random.split(jax.random.key(seed))
        plain = fit(key, 0.0)
        noisy = [fit(key, float(sigma)) for sigma in sigmas]
        vote = functools.partial(jd.classwise_over_sigma, vote_key, x=test, labels=labels, n=options.n, batch_size=256)
        found = [vote(plain, sigmas=sigmas)], [vote(one, sigmas=[s]) for one, s in zip(noisy, sigmas, strict=True)]
        for i, (rows, parts) in enumerate(zip(accuracy.values(), found, strict=True)):
            rows.append(np.concatenate([part.acc for part in parts]))
            predicted[i, :, seed] = np.concatenate([part.votes for part in parts]).argmax(-1)
    print(
        f"\n{options.dataset}, {len(labels)} test images, {options.seeds} trainings, {options.n} votes; 95 % intervals"
    )
    report_classes(sigmas, accuracy, predicted, labels)
    figure, axes = plt.subplots(1, 2, figsize=(13.5, 5.2), layout="constrained")
    jd.plot_extreme_classes(sigmas, accuracy, ax=axes[0])
    # One training, as a paper would show it.
    last = [jd.classwise_accuracy(labels, row[-1], accuracy_classes(accuracy)) for row in predicted[0]]
    jd.plot_class_accuracy(sigmas, last, ax=axes[1])
    axes[1].set_title("one training without noise", fontsize=14)
    save(figure, options.output / "hidden_cost_classes.png")
    return plain, dict(zip(sigmas.tolist(), noisy, strict=True)), test, labels


def accuracy_classes(accuracy):
    return np.shape(next(iter(accuracy.values())))[-1]


def report_classes(sigmas, accuracy, predicted, labels):
    """Lowest and highest class with intervals, what equal classes would show, and what it was expected to show."""
    lowest, highest = {}, {}
    for i, (name, rows) in enumerate(accuracy.items()):
        print(f"  {name}\n    sigma   lowest class           highest class          mean   lowest if equal")
        lowest[name], highest[name] = (jd.seed_interval(extreme(rows, -1)) for extreme in (np.min, np.max))
        for s, sigma in enumerate(sigmas):
            null = [jd.classwise_accuracy(labels, row, accuracy_classes(accuracy)).null_min for row in predicted[i, s]]
            cells = [interval(*(part[s] for part in found[name][:3])) for found in (lowest, highest)]
            print(f"    {sigma:<7g} {cells[0]:22s} {cells[1]:22s} {np.mean(rows, (0, 2))[s]:.3f}  {np.mean(null):.3f}")
    one = int(np.flatnonzero(sigmas == 1.0)[0])
    for name, rows in accuracy.items():
        drop = [jd.seed_interval(extreme(rows, -1)[:, 0] - extreme(rows, -1)[:, one]) for extreme in (np.min, np.max)]
        low, high = (interval(*found[:3]) for found in drop)
        print(f"  {name}: from sigma {sigmas[0]:g} to 1 the lowest class loses {low}, the highest {high}")


def radii(options, plain, noisy, test, labels):
    """Mean certified radius over sigma, both readings, and the cap of finitely many votes."""
    test, labels = test[:500], labels[:500]
    certify = functools.partial(jd.radius_over_sigma, jax.random.key(9), x=test, n=options.radius_votes, alpha=1e-3)
    fine = np.array([0.06, 0.12, 0.18, 0.25, 0.35, 0.5, 0.7, 1.0, 1.5])
    one = certify(plain, sigmas=fine)
    each = [certify(classify, sigmas=[sigma]) for sigma, classify in noisy.items()]
    parts = np.concatenate([np.stack(found.average(labels)) for found in each], 1)
    print(f"\nmean certified radius, {len(labels)} images, {options.radius_votes} votes, alpha 0.001, one training")
    print("  sigma                         " + "".join(f"{s:8g}" for s in noisy))
    for name, row in zip(("wrong = 0", "of the right ones", "cap"), (*parts, [f.cap[0] for f in each]), strict=True):
        print(f"  {name:30s}" + "".join(f"{v:8.3f}" for v in row))
    figure, ax = plt.subplots(figsize=(6.8, 4.8), layout="constrained")
    ax.plot(fine, one.cap, color="0.4", linestyle=(0, (1.2, 1.2)), lw=2.5, label="cap of the votes")
    ax.plot(fine, one.average(labels)[0], "o-", color="#0072B2", lw=2.5, label="trained without noise")
    ax.plot(list(noisy), parts[0], "s--", color="#D55E00", lw=2.5, label="trained with this sigma")
    ax.set_ylim(0, 1.35 * np.nanmax(parts[0]))
    ax.set_xlabel("sigma of the smoothing noise", fontsize=14)
    ax.set_ylabel("mean certified radius (wrong = 0)", fontsize=14)
    ax.tick_params(labelsize=12)
    ax.grid(color="0.88")
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(fontsize=11, frameon=False)
    save(figure, options.output / "hidden_cost_radii.png")


def rays(options, classify, sigma, test, labels):
    """How much of its reach along random rays each class keeps."""
    directions = jax.random.normal(jax.random.key(3), (options.directions, *test.shape[1:]))
    predicted = np.asarray(classify(jnp.asarray(test))).argmax(-1)
    reach = float(np.sqrt(np.prod(test.shape[1:])))  # the diagonal of the cube that holds the images
    found = {}
    for k in range(int(labels.max()) + 1):
        origin = test[(labels == k) & (predicted == k)][: options.origins]
        if len(origin):
            found[str(k)] = jd.region_shrinkage(
                jax.random.key(4),
                classify,
                origin,
                k,
                directions,
                sigma,
                t_max=reach,
                steps=24,
                n=options.ray_votes,
                batch_size=256,
            )
    print(f"\nrays from {options.origins} images of each class in {options.directions} directions, sigma {sigma:g}")
    print(f"  class   median exit before, after (those below {reach:g})     none below {reach:g}     origins lost")
    for name, one in found.items():
        seen = ~one.censored
        medians = [np.median(t[seen]) if seen.any() else np.nan for t in (one.t_base, one.t_smooth)]
        lost = 1 - one.alive.mean()
        print(
            f"  {name:7s} {medians[0]:19.2f} {medians[1]:8.2f} {100 * one.censored_share:33.0f} % {100 * lost:12.0f} %"
        )
    figure, ax = plt.subplots(figsize=(8.6, 4.8), layout="constrained")
    jd.plot_ray_ratios(found, ax=ax)
    save(figure, options.output / "hidden_cost_rays.png")


def interval(mean, low, high):
    return f"{mean:.3f} [{low:.3f}, {high:.3f}]"


def save(figure, path):
    figure.savefig(path, dpi=130)
    plt.close(figure)
    print(f"wrote {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", choices=["digits", "mnist"], default="digits")
    parser.add_argument("--data-dir", help="folder of prepared data sets, for mnist")
    parser.add_argument("--seeds", type=int, default=5, help="trainings of everything, at least 2")
    parser.add_argument("--n", type=int, default=200, help="votes per image")
    parser.add_argument("--copies", type=int, default=1, help="noises per image and training step")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs; shows nothing")
    options = parser.parse_args()
    options.steps, options.plane_steps, options.images = None, 1500, 1000
    options.radius_votes, options.origins, options.directions, options.ray_votes = 1000, 3, 10, 100
    if options.quick:
        options.steps, options.plane_steps, options.images, options.seeds, options.n = 20, 20, 60, 2, 20
        options.radius_votes, options.origins, options.directions, options.ray_votes = 50, 1, 2, 10
    options.output.mkdir(parents=True, exist_ok=True)

    start = time.perf_counter()
    theory(options.output)
    plane(options)
    plain, noisy, test, labels = classes(options)
    radii(options, plain, noisy, test, labels)
    rays(options, noisy[0.25], 0.5, test, labels)
    print(f"{time.perf_counter() - start:.0f} seconds")


if __name__ == "__main__":
    main()
