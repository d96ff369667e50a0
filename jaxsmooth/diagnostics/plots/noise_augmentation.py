"""Figures of training noise against smoothing noise: matplotlib axes in, axes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxsmooth._types import ArrayLike
from jaxsmooth.analysis.figure_style import TEXT, curve_style, dress, marker_of, new_axes
from jaxsmooth.diagnostics import arguments
from jaxsmooth.diagnostics.measure.noise_augmentation import NoiseAugmentationGap
from jaxsmooth.diagnostics.measure.seed_interval import seed_interval
from jaxsmooth.diagnostics.measure.sigma_grid import SigmaGrid

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_sigma_grid(grid: SigmaGrid, gap: NoiseAugmentationGap, *, ax: Axes | None = None) -> Axes:
    """Risk of every training and smoothing noise as a heat map, with the best training noise of each row.

    Args:
        grid: from ``sigma_grid``.
        gap: from ``noise_augmentation_gap`` of that grid.
        ax: matplotlib axes to draw into; new ones by default.

    Returns:
        The axes: a star on the alpha chosen on the validation images, a frame around those that an interval does not
        tell from it, a diagonal mark where alpha = beta; numbers are risks in percent, all images, mean over seeds.

    Raises:
        ImportError: if matplotlib is not installed.

    Example:
        >>> import numpy as np, jaxsmooth.diagnostics as diagnostics, matplotlib.figure
        >>> right = np.random.default_rng(0).random((2, 2, 5, 100)) < 0.8
        >>> labels, none = np.zeros(100, int), np.empty((2, 2, 5, 1))
        >>> alphas, betas = np.array([0.0, 1.0]), np.array([0.5, 1.0])
        >>> grid = diagnostics.SigmaGrid(1 - right.mean(-1), none, right, alphas, betas, labels)
        >>> ax = matplotlib.figure.Figure().subplots()
        >>> plot_sigma_grid(grid, diagnostics.noise_augmentation_gap(grid), ax=ax).get_ylabel()
        'sigma of the smoothing noise'
    """
    ax = ax or new_axes()
    # Not before: what is missing is named there, with the command that installs it.
    from matplotlib.patches import Rectangle

    risk = 100 * grid.risk.mean(-1).T
    ax.imshow(np.log10(np.maximum(risk, 0.1)), origin="lower", aspect="auto", cmap="cividis")
    middle = np.log10(np.maximum(risk, 0.1)).mean()
    for b, beta in enumerate(grid.betas):
        for a, alpha in enumerate(grid.alphas):
            star = "$\\bigstar$ " if a == gap.best[b] else ""
            light = np.log10(max(risk[b, a], 0.1)) < middle
            text = f"{star}{risk[b, a]:.1f}" + ("\n$\\alpha=\\beta$" if np.isclose(alpha, beta) else "")
            ax.text(a, b, text, ha="center", va="center", fontsize=TEXT - 3, color="white" if light else "black")
            if gap.equivalent[a, b]:
                ax.add_patch(Rectangle((a - 0.46, b - 0.46), 0.92, 0.92, fill=False, lw=2.5, ec="#D55E00"))
    ax.set_xticks(range(len(grid.alphas)), [f"{v:g}" for v in grid.alphas])
    ax.set_yticks(range(len(grid.betas)), [f"{v:g}" for v in grid.betas])
    dress(ax, "sigma of the training noise", "sigma of the smoothing noise", title="risk (%)")
    ax.grid(False)
    return ax


def plot_risk(grid: SigmaGrid, *, ax: Axes | None = None) -> Axes:
    """Risk over the training noise for every smoothing noise: raw means over seeds with 95 % intervals, no smoother.

    Args:
        grid: from ``sigma_grid``, with at least 2 seeds.
        ax: matplotlib axes to draw into; new ones by default.

    Returns:
        The axes, logarithmic upwards; a black ring marks alpha = beta.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: for fewer than 2 seeds.

    Example:
        >>> import numpy as np, jaxsmooth.diagnostics as diagnostics, matplotlib.figure
        >>> right = np.random.default_rng(0).random((2, 2, 5, 100)) < 0.8
        >>> labels, none = np.zeros(100, int), np.empty((2, 2, 5, 1))
        >>> alphas, betas = np.array([0.0, 1.0]), np.array([0.5, 1.0])
        >>> grid = diagnostics.SigmaGrid(1 - right.mean(-1), none, right, alphas, betas, labels)
        >>> ax = matplotlib.figure.Figure().subplots()
        >>> plot_risk(grid, ax=ax).get_yscale()
        'log'
    """
    ax = ax or new_axes()
    for b, beta in enumerate(grid.betas):
        mean, low, high, _ = seed_interval(grid.risk[:, b], axis=-1)
        floor = 0.5 / len(grid.labels)
        errors = [mean - np.clip(low, floor, None), high - mean]
        # Beside each other, so that the bars do not hide one another.
        shift = 0.006 * (b - (len(grid.betas) - 1) / 2) * np.ptp(grid.alphas)
        ax.errorbar(
            grid.alphas + shift, np.maximum(mean, floor), np.maximum(errors, 0), capsize=3, marker=marker_of(b), ms=6,
            label=f"smoothing noise {beta:g}", **curve_style(b),
        )  # fmt: skip
        same = np.flatnonzero(np.isclose(grid.alphas, beta))
        ax.plot(grid.alphas[same] + shift, mean[same], "o", ms=13, mfc="none", mec="black", mew=1.5)
    ax.plot([], [], "o", ms=11, mfc="none", mec="black", mew=1.5, label="training = smoothing")
    ax.set_yscale("log")
    return dress(ax, "sigma of the training noise", "risk", legend="best")


def plot_benefit(alphas: ArrayLike, difference: Mapping[str, Any], *, ax: Axes | None = None) -> Axes:
    """Risk minus the risk without training noise, mean over fields or seeds with 95 % intervals.

    Args:
        alphas: ``(A,)``.
        difference: from a name to differences ``(fields, A)``; at least 2 fields.
        ax: matplotlib axes to draw into; new ones by default.

    Returns:
        The axes; below 0 training noise helps.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: for fewer than 2 fields.

    Example:
        >>> import numpy as np, matplotlib.figure
        >>> ax = matplotlib.figure.Figure().subplots()
        >>> plot_benefit([0, 1, 2], {"gap 0": np.zeros((5, 3))}, ax=ax).get_xlabel()
        'sigma of the training noise'
    """
    alphas, ax = arguments.sigmas("alphas", alphas), ax or new_axes()
    for i, (name, values) in enumerate(difference.items()):
        mean, low, high, _ = seed_interval(values)
        style = curve_style(i)
        ax.plot(alphas, mean, label=name, **style)
        ax.fill_between(alphas, low, high, color=style["color"], alpha=0.15, lw=0)
    ax.axhline(0, color="0.3", lw=1)
    return dress(ax, "sigma of the training noise", "risk minus risk without it", legend="best")
