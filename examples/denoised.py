"""Denoised smoothing: a classifier that never saw noise, certified behind a small diffusion model.

    python examples/denoised.py
    python examples/denoised.py --dataset mnist --data-dir DIR --steps 6000 --width 1024

For each of three seeds a diffusion model is trained on the training images, a minute or so on two CPU cores, and a
perceptron on clean images alone. The perceptron is certified as it is and behind the denoiser (js.denoised), which
takes one step of the model at the timestep whose noise is sigma; another one is trained under noise of each sigma.
Five minutes in all. Expect, on digits at sigma 0.5 and radius 0.5, 2 % certified accuracy without the denoiser and 40 %
with it, as much as training under noise gives. Prints certified accuracies with 95 % intervals over seeds; writes
denoised_DATASET.png.
"""

import argparse
import functools
import pathlib

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import noisy_training
import numpy as np
import optax
from flax import linen as nn
from tqdm.auto import tqdm

import jaxsmooth as js

STEPS = 1000  # timesteps of the diffusion model
RADII = (0.0, 0.25, 0.5, 1.0)
WAYS = {"alone": "never saw noise", "denoised": "the same, denoised", "trained": "trained under noise"}
COLORS = {"alone": "#D55E00", "denoised": "#0072B2", "trained": "#555555"}
DASHES = {"alone": (0, (5, 1.5)), "denoised": "solid", "trained": (0, (1, 1))}
TEXT = 14


class Diffusion(nn.Module):
    """Dense layers of a noisy image and its timestep, with a residual between them; predicts v."""

    width: int

    @nn.compact
    def __call__(self, x, t):
        frequencies = np.exp(np.linspace(0, np.log(1000), 16)).astype(np.float32)
        angles = t[:, None] / STEPS * frequencies
        time = nn.Dense(self.width)(jnp.concatenate([jnp.cos(angles), jnp.sin(angles)], -1))
        hidden = nn.silu(nn.Dense(self.width)(x.reshape(len(x), -1)) + time)
        for _ in range(2):
            hidden = hidden + nn.silu(nn.Dense(self.width)(nn.LayerNorm()(hidden)))
        return nn.Dense(x[0].size)(hidden).reshape(x.shape)


@functools.partial(jax.jit, static_argnames=("model", "steps", "batch"))
def train_diffusion(model, schedule, images, key, steps, batch=256):
    """Weights that predict v = sqrt(a) noise - sqrt(1 - a) image at all timesteps, averaged over the last steps."""
    z = 2 * images - 1
    init_key, key = jax.random.split(key)
    weights = model.init(init_key, z[:1], jnp.zeros(1))
    optimizer = optax.adam(optax.cosine_decay_schedule(2e-3, steps))

    def loss(weights, key):
        pick_key, t_key, noise_key = jax.random.split(key, 3)
        image = z[jax.random.randint(pick_key, (batch,), 0, len(z))]
        t, noise = jax.random.randint(t_key, (batch,), 1, STEPS), jax.random.normal(noise_key, image.shape)
        a = schedule[t].reshape(-1, *(1,) * (z.ndim - 1))
        v = jnp.sqrt(a) * noise - jnp.sqrt(1 - a) * image
        return jnp.square(model.apply(weights, jnp.sqrt(a) * image + jnp.sqrt(1 - a) * noise, t) - v).mean()

    def step(carry, step_key):
        weights, state, mean = carry
        update, state = optimizer.update(jax.grad(loss)(weights, step_key), state, weights)
        weights = optax.apply_updates(weights, update)
        return (weights, state, jax.tree.map(lambda m, w: m + 0.005 * (w - m), mean, weights)), None

    start = (weights, optimizer.init(weights), weights)
    return jax.lax.scan(step, start, jax.random.split(key, steps))[0][2]


def certify_all(options, train_set, images):
    """Certificates by sigma and way, one for each seed; and the denoiser of the last seed and sigma."""
    schedule = js.denoisers.schedule("cosine", STEPS)
    model = Diffusion(options.width)
    network, steps = noisy_training.network(options.dataset)
    trainer = noisy_training.trainer(network, *train_set, options.classifier_steps or steps)
    found = {sigma: {way: [] for way in WAYS} for sigma in options.sigmas}
    with tqdm(total=options.seeds * (1 + len(options.sigmas) * len(WAYS)), desc="networks and certificates") as bar:
        for seed in range(options.seeds):
            keys = jax.random.split(jax.random.key(seed), 3)
            clean = trainer(keys[0], 0.0)
            table = jnp.asarray(schedule.alpha_bar, jnp.float32)
            weights = train_diffusion(model, table, jnp.asarray(train_set[0]), keys[1], options.steps)
            diffusion = jax.tree_util.Partial(model.apply, weights)
            jax.block_until_ready(weights)
            bar.update()
            for sigma in options.sigmas:
                denoiser = js.denoisers.one_shot(diffusion, schedule, sigma, "v")
                ways = {"alone": clean, "denoised": js.denoised(denoiser, clean), "trained": trainer(keys[0], sigma)}
                for way, classify in ways.items():
                    noise = js.noises.Gaussian(sigma)
                    found[sigma][way].append(js.certify(keys[2], classify, noise, images, n=options.n))
                    bar.update()
    return found, denoiser


def report(found, labels, options):
    """Certified accuracy in percent with 95 % intervals over seeds, and the average radius."""
    print(f"\n{options.dataset}: {len(labels)} images, n = {options.n}, alpha = 0.001, {options.seeds} seeds")
    print(f"{'sigma':>5}  {'classifier':<20}" + "".join(f"{f'at {radius:g}':>19}" for radius in RADII) + f"{'ACR':>22}")
    for sigma, ways in found.items():
        for way, runs in ways.items():
            rows = [[*js.analysis.certified_accuracy(run, labels, RADII) * 100] for run in runs]
            rows = [
                [*row, js.analysis.average_certified_radius(run, labels)] for row, run in zip(rows, runs, strict=True)
            ]
            cells = [
                in_words(np.array(column), 1 if i < len(RADII) else 3)
                for i, column in enumerate(zip(*rows, strict=True))
            ]
            print(f"{sigma:>5g}  {WAYS[way]:<20}" + "".join(f"{cell:>19}" for cell in cells[:-1]) + f"{cells[-1]:>22}")


def in_words(values, digits):
    if len(values) < 2:
        return f"{values[0]:.{digits}f}"
    mean, low, high, _ = js.diagnostics.seed_interval(values)
    return f"{mean:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def draw(path, found, denoiser, images, labels, options):
    """An image of each kind clean, noisy and denoised; certified accuracy of the three ways at every sigma."""
    figure = plt.figure(figsize=(4 + 3.6 * len(found), 4.2), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.15, len(found) * 1.25))
    sigma, shown = float(denoiser.sigma), images[:3]
    noise = js.noises.Gaussian(sigma)
    noisy = np.stack([noise.perturb(jax.random.key(i), image) for i, image in enumerate(shown)])
    for row, axes in zip((shown, noisy, np.asarray(denoiser(noisy))), left.subplots(3, 3), strict=True):
        for image, ax in zip(row, axes, strict=True):
            ax.imshow(image[..., 0], cmap="gray_r", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
    for ax, words in zip(left.axes[::3], ("image", f"sigma {sigma:g}", "denoised"), strict=True):
        ax.set_ylabel(words, fontsize=TEXT)
    panels = np.atleast_1d(right.subplots(1, len(found), sharey=True))
    for ax, (sigma, ways) in zip(panels, found.items(), strict=True):
        grid = np.linspace(0, 2.2 * sigma, 200)
        for way, runs in ways.items():
            lines = np.array([js.analysis.certified_accuracy(run, labels, grid) for run in runs])
            style = {"color": COLORS[way], "linestyle": DASHES[way], "linewidth": 2.5}
            ax.plot(grid, lines.mean(0), label=WAYS[way], **style)
            ax.fill_between(grid, lines.min(0), lines.max(0), color=COLORS[way], alpha=0.18, linewidth=0)
        ax.set_title(f"sigma {sigma:g}", fontsize=TEXT)
        ax.set_xlabel("l2 radius", fontsize=TEXT)
        ax.set(xlim=(0, grid[-1]), ylim=(0, 1))
        ax.grid(color="0.9")
        ax.set_axisbelow(True)
        ax.tick_params(labelsize=TEXT - 2)
        ax.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("certified accuracy", fontsize=TEXT)
    panels[-1].legend(fontsize=TEXT - 2, loc="upper right", frameon=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--dataset", choices=["digits", "mnist"], default="digits")
    add("--data-dir", help="folder of prepared data sets")
    add("--sigmas", type=float, nargs="+", default=[0.25, 0.5, 1.0])
    add("--seeds", type=int, default=3)
    add("--steps", type=int, default=3000, help="of training the diffusion model")
    add("--width", type=int, default=384, help="of its layers")
    add("--classifier-steps", type=int, help="of training a classifier; by default those of noisy_training.py")
    add("--images", type=int, default=300, help="test images to certify")
    add("--n", type=int, default=2000, help="votes per image")
    add("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
    add("--quick", action="store_true", help="a few seconds, to see that it runs")
    options = parser.parse_args()
    if options.quick:
        options.sigmas, options.seeds, options.steps, options.width = [0.25], 2, 20, 32
        options.classifier_steps, options.images, options.n = 20, 20, 200
    train_set, _, held_out = noisy_training.load(options.dataset, options.data_dir)
    images, labels = (part[: options.images] for part in held_out)
    found, denoiser = certify_all(options, train_set, images)
    report(found, labels, options)
    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / f"denoised_{options.dataset}.png"
    draw(path, found, denoiser, images, labels, options)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
