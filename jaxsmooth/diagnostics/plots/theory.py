"""Figures of the closed forms: matplotlib axes in, axes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from jaxsmooth.analysis.figure_style import COLORS, DASHES, curve_style, dress, new_axes
from jaxsmooth.diagnostics.theory.balls import (
    ball_certified_radius,
    ball_shrinkage_rate,
    ball_smoothed_radius,
    ball_vanishing_bound,
    ball_vanishing_sigma,
)
from jaxsmooth.diagnostics.theory.cones import cone_critical_angle, cone_rate, cone_rate_bound

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_ball_radius(dims: Sequence[int], *, threshold: float, ax: Axes | None = None) -> Axes:
    """Radius of the smoothed ball over sigma, both as fractions: of R and of the sigma at which it vanishes.

    Args:
        dims: dimensions, a curve each.
        threshold: 1/2, or 1/c for c classes; below 1/2 the ball grows at first.
        ax: matplotlib axes to draw into; new ones by default.

    Returns:
        The axes.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: for a value out of range.

    Example:
        >>> import matplotlib.figure
        >>> ax = matplotlib.figure.Figure().subplots()
        >>> plot_ball_radius([2, 10, 784], threshold=0.5, ax=ax).get_ylabel()
        'radius left, of R'
    """
    ax = ax or new_axes()
    share = 1 - np.linspace(1, 0, 200) ** 2  # more points where it ends
    for i, d in enumerate(dims):
        sigma = np.maximum(share, 1e-3) * ball_vanishing_sigma(1.0, d, threshold=threshold)
        ax.plot(share, ball_smoothed_radius(1.0, sigma, d, threshold=threshold), label=f"d = {d}", **curve_style(i))
    return dress(ax, "sigma, of the sigma at which nothing is left", "radius left, of R", legend="lower left")


def plot_ball_rate(dims: Sequence[int], *, threshold: float, ax: Axes | None = None) -> Axes:
    """Shrinkage rate of the ball over sigma; it has no bound where the ball vanishes.

    Args:
        dims: dimensions, a curve each.
        threshold: 1/2, or 1/c for c classes.
        ax: matplotlib axes to draw into; new ones by default.

    Returns:
        The axes, logarithmic upwards; negative rates are left out.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: for a value out of range.

    Example:
        >>> import matplotlib.figure
        >>> ax = matplotlib.figure.Figure().subplots()
        >>> plot_ball_rate([3, 50], threshold=0.5, ax=ax).get_yscale()
        'log'
    """
    ax = ax or new_axes()
    share = np.clip(1 - np.linspace(1, 0, 200) ** 2, 1e-2, 1 - 1e-5)
    for i, d in enumerate(dims):
        sigma = share * ball_vanishing_sigma(1.0, d, threshold=threshold)
        rate = ball_shrinkage_rate(1.0, sigma, d, threshold=threshold)
        ax.plot(share, np.where(rate > 0, rate, np.nan), label=f"d = {d}", **curve_style(i))
    ax.set_yscale("log")
    return dress(
        ax, "sigma, of the sigma at which nothing is left", "shrinkage rate, $-dR/d\\sigma$", legend="upper left"
    )


def plot_vanishing_sigma(dims: Sequence[int], thresholds: Sequence[float], *, ax: Axes | None = None) -> Axes:
    """The sigma at which a ball of radius 1 vanishes, over the dimension, with the published bound.

    Args:
        dims: dimensions of at least 2, increasing.
        thresholds: a pair of curves each.
        ax: matplotlib axes to draw into; new ones by default.

    Returns:
        The axes, logarithmic both ways.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: for a value out of range.

    Example:
        >>> import matplotlib.figure
        >>> ax = matplotlib.figure.Figure().subplots()
        >>> len(plot_vanishing_sigma([2, 10, 100], [0.5, 0.1], ax=ax).lines)
        4
    """
    ax = ax or new_axes()
    x = np.asarray(dims)
    for i, threshold in enumerate(thresholds):
        name = f"1/{1 / threshold:g}"
        colour = COLORS[i % len(COLORS)]
        exact = ball_vanishing_sigma(1.0, x, threshold=threshold)
        ax.plot(x, exact, color=colour, lw=2.5, label=f"exact, threshold {name}")
        bound = ball_vanishing_bound(1.0, x, threshold=threshold)
        ax.plot(x, bound, color=colour, lw=1.8, linestyle=DASHES[1], label=f"published bound, {name}")
    ax.set(xscale="log", yscale="log")
    return dress(ax, "dimension", "sigma at which nothing is left, of R", legend="lower left")


def plot_cone_rate(dims: Sequence[int], *, threshold: float, ax: Axes | None = None) -> Axes:
    """Shrinkage rate of a cone over its half-angle, with the published bound and the critical angles.

    Args:
        dims: dimensions, a curve each.
        threshold: 1/2, or 1/c for c classes; below 1/2 wide cones grow.
        ax: matplotlib axes to draw into; new ones by default.

    Returns:
        The axes; upwards the rate over the square root of the dimension.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: for a value out of range.

    Example:
        >>> import matplotlib.figure
        >>> ax = matplotlib.figure.Figure().subplots()
        >>> plot_cone_rate([3, 64], threshold=0.1, ax=ax).get_xlabel()
        'half-angle of the cone (degrees)'
    """
    ax = ax or new_axes()
    degrees = np.linspace(20, 89, 140)
    theta = np.radians(degrees)
    for i, d in enumerate(dims):
        colour = COLORS[i % len(COLORS)]
        ax.plot(degrees, cone_rate(theta, d, threshold=threshold) / np.sqrt(d), color=colour, lw=2.5, label=f"d = {d}")
        bound = cone_rate_bound(theta, d, threshold=threshold) / np.sqrt(d)
        ax.plot(degrees, bound, color=colour, lw=1.6, linestyle=DASHES[1])
        critical = np.degrees(cone_critical_angle(d, threshold=threshold))
        if critical < 90:
            ax.plot(critical, 0, "o", color=colour, ms=7, zorder=3)
    ax.axhline(0, color="0.4", lw=1)
    ax.plot([], [], color="0.3", lw=1.6, linestyle=DASHES[1], label="published bound")
    if threshold < 0.5:
        ax.plot([], [], "o", color="0.3", ms=7, label="critical angle")
    return dress(ax, "half-angle of the cone (degrees)", "shrinkage rate / $\\sqrt{d}$", legend="upper right")


def plot_certified_radius(
    d: int, *, ns: Sequence[int] = (1000, 10_000, 100_000), alpha: float = 1e-3, ax: Axes | None = None
) -> Axes:
    """Certified radius at the centre of a ball of radius 1 over sigma: exact, and capped by finitely many votes.

    Args:
        d: dimension.
        ns: numbers of votes, a curve each.
        alpha: error probability of a certificate, in (0, 1).
        ax: matplotlib axes to draw into; new ones by default.

    Returns:
        The axes.

    Raises:
        ImportError: if matplotlib is not installed.
        ValueError: for a value out of range.

    Example:
        >>> import matplotlib.figure
        >>> ax = matplotlib.figure.Figure().subplots()
        >>> len(plot_certified_radius(30, ax=ax).lines)
        4
    """
    ax = ax or new_axes()
    sigma = np.linspace(1e-3, 1.02, 400) * ball_vanishing_sigma(1.0, d, threshold=0.5)
    ax.plot(sigma, ball_certified_radius(1.0, sigma, d), label="exact probability", **curve_style(4))
    for i, n in enumerate(ns):
        radius = ball_certified_radius(1.0, sigma, d, n=n, alpha=alpha)
        ax.plot(sigma, radius, label=f"{n:,} votes at best", **curve_style(i, offset=1))
    ax.set_ylim(0, 1.02)
    return dress(ax, f"sigma, of R (d = {d})", "certified radius at the centre, of R", legend="upper right")
