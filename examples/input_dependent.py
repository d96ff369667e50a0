"""Input-dependent against constant smoothing at the same mean sigma: what a scale that follows the data buys.

    python examples/input_dependent.py
    python examples/input_dependent.py --dataset mnist --data-dir DIR --n 2000

Trains a small network under each noise with three seeds and certifies 500 test images; two to three minutes on two CPU
cores, for MNIST (60,000 references, prepared by TFDS in DIR) five. Expect the neighbour scale to lose a little: at
kappa = 0.3, which costs 4% of a radius at equal votes, sigma(x) stays within a few percent of its mean, too little to
earn that back. Prints both columns and their paired difference; writes input_dependent_DATASET.png (certified accuracy,
sigma(x), accuracy by class) and admissible_ratio.png (how far the scale may move, by dimension) to --output. The
numbers are discussed in docs/input_dependent.md.
"""

import argparse
import functools
import pathlib

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from tqdm.auto import tqdm, trange

import jaxsmooth as js
import jaxsmooth.objectives
import jaxsmooth.scales

NAMES = {"constant": "constant sigma", "nearest": "sigma by neighbours"}
COLORS = {"constant": "#0072B2", "nearest": "#D55E00"}
DASHES = {"constant": "solid", "nearest": (0, (5, 1.5))}
HATCHES = {"constant": None, "nearest": "//"}
TEXT = 14


def network(weights, x):
    """Two dense layers: enough for digits, and quick."""
    hidden = jax.nn.relu(x.reshape(len(x), -1) @ weights["in"] + weights["bias"])
    return hidden @ weights["out"]


def train(key, images, labels, sigma, steps, width=256, batch_size=128, rate=0.05):
    """Gaussian augmentation with one sigma for every training image; SGD with momentum."""
    dim, (key_in, key_out, key) = images[0].size, jax.random.split(key, 3)
    weights = {
        "in": jax.random.normal(key_in, (dim, width)) * np.sqrt(2 / dim),
        "bias": jnp.zeros(width),
        "out": jax.random.normal(key_out, (width, int(labels.max()) + 1)) / np.sqrt(width),
    }
    objective = js.objectives.GaussianAugmentation()

    @jax.jit
    def step(state, key, i):
        weights, momentum = state
        key_pick, key_noise = jax.random.split(key)
        pick = jax.random.randint(key_pick, (batch_size,), 0, len(images))
        noise = js.noises.GaussianAt(sigma[pick])

        def loss(weights):
            apply = functools.partial(network, weights)
            return objective(key_noise, apply, noise, images[pick], labels[pick])[0]

        momentum = jax.tree.map(lambda m, g: 0.9 * m + g, momentum, jax.grad(loss)(weights))
        now = rate * (1 + jnp.cos(jnp.pi * i / steps)) / 2
        return jax.tree.map(lambda w, m: w - now * m, weights, momentum), momentum

    state = weights, jax.tree.map(jnp.zeros_like, weights)
    for i in trange(steps, desc="train", unit="step", leave=False):
        state = step(state, jax.random.fold_in(key, i), i)
    return jax.tree_util.Partial(network, state[0])


def compare(train_set, x, options):
    """For every noise: its certificates for each seed, and sigma at the test images x."""
    images, labels = (jnp.asarray(part) for part in train_set)
    scale = js.scales.KNNScale(images, options.sigma, rate_of(options, images[0].size))
    sigma_train, sigma_test = scale.leave_one_out(), scale.on_host(x)
    constant = js.scales.Constant(float(sigma_test.mean()))
    plans = {"constant": (constant, jnp.full(len(images), constant.sigma)), "nearest": (scale, sigma_train)}
    certificates = {kind: [] for kind in plans}
    with tqdm(total=len(plans) * options.seeds, desc=options.dataset, unit="network") as bar:
        for seed in range(options.seeds):
            train_key, certify_key = jax.random.split(jax.random.key(seed))
            for kind, (sigma_at, sigma) in plans.items():
                classify = train(train_key, images, labels, sigma, options.steps)
                noise = js.noises.InputDependentGaussian(sigma_at)
                certificates[kind].append(js.certify(certify_key, classify, noise, x, n=options.n))
                bar.update()
    return certificates, sigma_test


def rate_of(options, dim):
    """The semi-elasticity: the same kappa in every dimension."""
    return options.kappa / (options.sigma * np.sqrt(2 * dim))


def report(certificates, labels, sigma, dim, options):
    """A table: every number with its spread over seeds; then the paired difference of the average radius."""
    kappa = js.radii.normalised_rate(sigma, rate=rate_of(options, dim), dim=dim)
    print(f"\n{options.dataset}: {len(labels)} images, n = {options.n}, alpha = 0.001, {options.seeds} seeds")
    loss = 1 - 1 / np.hypot(1, kappa)
    print(
        f"rate {rate_of(options, dim):.4f}; kappa: mean {kappa.mean():.3f}, from {kappa.min():.3f} to {kappa.max():.3f}"
    )
    print(f"at equal votes radii shrink by about {loss.mean():.1%}")
    least, low, high, most = np.quantile(sigma, [0, 0.05, 0.95, 1])
    print(f"sigma(x): mean {sigma.mean():.4f}; 90 % in {low:.4f} to {high:.4f}, all in {least:.4f} to {most:.4f}")
    radii = np.array([0.0, 0.5, 1.0, 1.5, 2.0]) * options.sigma
    names = [f"accuracy at {radius:g}" for radius in radii]
    names += ["average radius", "abstention", "misclassified", "largest radius", "class-wise std", "worst class"]
    print(f"{'':>20}  {'constant':>17}  {'nearest':>17}")
    table = {kind: np.array([scores(c, labels, radii) for c in found]) for kind, found in certificates.items()}
    for i, row in enumerate(names):
        cells = [f"{column[:, i].mean():.4f} +- {column[:, i].std():.4f}" for column in table.values()]
        print(f"{row:>20}  {cells[0]:>17}  {cells[1]:>17}")
    each = {k: np.array([np.where(c.label == labels, c.radius, 0) for c in found]) for k, found in certificates.items()}
    gap, low, high = js.analysis.paired_difference(each["nearest"], each["constant"])
    print(f"average radius, nearest - constant: {gap:+.4f} [{low:+.4f}, {high:+.4f}], 95 % over images and seeds")


def scores(certificates, labels, radii):
    """The column of one set of certificates; classes at the second radius, their deviation that of a population."""
    classes = js.analysis.class_wise_accuracy(certificates, labels, radius=float(radii[1]))
    return [
        *js.analysis.certified_accuracy(certificates, labels, radii),
        js.analysis.average_certified_radius(certificates, labels),
        js.analysis.abstention_rate(certificates),
        np.mean((certificates.label >= 0) & (certificates.label != labels)),
        certificates.radius.max(),
        classes.standard_deviation,
        np.nanmin(classes.acc),
    ]


def plot_comparison(path, certificates, labels, sigma, options):
    """Certified accuracy of all seeds, the law of sigma(x), accuracy by class."""
    figure, (curves, ecdf, bars) = plt.subplots(1, 3, figsize=(14, 4.4), layout="constrained")
    largest = max(c.radius.max() for found in certificates.values() for c in found)
    grid = np.append(np.linspace(0, largest, 300), largest * (1 + 1e-6))  # beyond it nothing is certified
    for offset, (kind, found) in zip((-0.2, 0.2), certificates.items(), strict=True):
        lines = np.array([js.analysis.certified_accuracy(c, labels, grid) for c in found])
        style = {"color": COLORS[kind], "linestyle": DASHES[kind]}
        curves.plot(grid, lines.mean(0), linewidth=2.5, label=NAMES[kind], **style)
        curves.fill_between(grid, lines.min(0), lines.max(0), color=COLORS[kind], alpha=0.2, linewidth=0)
        by_class = np.array([js.analysis.class_wise_accuracy(c, labels, radius=options.sigma / 2).acc for c in found])
        at = np.arange(by_class.shape[1]) + offset
        bars.bar(at, by_class.mean(0), 0.38, color=COLORS[kind], hatch=HATCHES[kind], edgecolor="white")
        bars.errorbar(at, by_class.mean(0), by_class.std(0), fmt="none", ecolor="0.2", linewidth=1.2)
    ordered = np.sort(sigma)
    share = np.arange(1, len(ordered) + 1) / len(ordered)
    ecdf.step(ordered, share, where="post", color=COLORS["nearest"], linestyle=DASHES["nearest"], linewidth=2.5)
    ecdf.axvline(sigma.mean(), color=COLORS["constant"], linewidth=2.5)
    dress(
        curves, f"{options.dataset}; bands: {options.seeds} seeds", "l2 radius (pixels in [0, 1])", "certified accuracy"
    )
    ecdf.locator_params(axis="x", nbins=5)
    dress(ecdf, f"scales, kappa {options.kappa:g}", "sigma(x) (pixels in [0, 1])", "share of test images below")
    dress(bars, f"classes at radius {options.sigma / 2:g}; bars: sd", "class", "certified accuracy")
    bars.set_xticks(np.arange(by_class.shape[1]))
    curves.set_xlim(0, None)
    for axes in (curves, ecdf, bars):
        axes.set_ylim(0, 1.01)
    curves.legend(frameon=False, fontsize=TEXT - 1)
    save(figure, path)


def plot_ratios(path):
    """How far the scale may move, over the dimension, for three probabilities."""
    figure, axes = plt.subplots(figsize=(7, 4.8), layout="constrained")
    dims = np.unique(np.geomspace(2, 200_000, 40).astype(int))
    for p, color, dash in ((0.9, "#009E73", ":"), (0.99, "#0072B2", "--"), (0.999, "#D55E00", "-")):
        smallest, largest = np.array([js.radii.admissible_ratios(p, dim=int(dim)) for dim in dims]).T
        axes.plot(dims, smallest, color=color, linestyle=dash, linewidth=2.5, label=f"p = {p:g}")
        axes.plot(dims, largest, color=color, linestyle=dash, linewidth=2.5)
    for dim, name in ((64, "digits"), (784, "MNIST"), (3072, "CIFAR-10"), (150_528, "ImageNet")):
        axes.axvline(dim, color="0.75", linewidth=0.8, zorder=0)
        axes.text(dim * 0.93, 1.95, name, rotation=90, ha="right", va="top", fontsize=TEXT - 2, color="0.3")
    axes.set_xscale("log")
    axes.set_ylim(0, 2)
    dress(axes, "nothing can be certified outside the curves", "dimension of an input", "sigma there / sigma here")
    axes.legend(frameon=False, loc="lower right", fontsize=TEXT - 1, title="top class", title_fontsize=TEXT - 1)
    save(figure, path)


def dress(axes, title, xlabel, ylabel):
    axes.set_title(title, fontsize=TEXT)
    axes.set_xlabel(xlabel, fontsize=TEXT)
    axes.set_ylabel(ylabel, fontsize=TEXT)
    axes.tick_params(labelsize=TEXT - 2)
    axes.grid(color="0.9", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def save(figure, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)
    print(f"wrote {path}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--data-dir", type=pathlib.Path, help="folder of prepared data sets, for all but digits")
    parser.add_argument("--references", type=int, help="training images, which are the references; by default all")
    parser.add_argument("--sigma", type=float, default=0.5, help="mean of sigma(x), pixels in [0, 1]")
    parser.add_argument("--kappa", type=float, default=0.3, help="what the moving scale may cost: r sigma sqrt(2 dim)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=1500, help="training steps")
    parser.add_argument("--n", type=int, default=10_000, help="votes per image")
    parser.add_argument("--images", type=int, default=500, help="test images to certify")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
    parser.add_argument("--quick", action="store_true", help="a few seconds, to see that it runs")
    options = parser.parse_args()
    if options.quick:
        options.seeds, options.steps, options.n, options.images = 2, 200, 200, 40

    split = "train" if options.references is None else f"train[:{options.references}]"
    train_set, (images, labels) = (
        js.datasets.load(options.dataset, which, data_dir=options.data_dir)
        for which in (split, f"test[:{options.images}]")
    )
    certificates, sigma = compare(train_set, images, options)
    report(certificates, labels, sigma, images[0].size, options)
    plot_comparison(options.output / f"input_dependent_{options.dataset}.png", certificates, labels, sigma, options)
    plot_ratios(options.output / "admissible_ratio.png")


if __name__ == "__main__":
    main()
