"""Figures of ``theory`` and of ``measure``; matplotlib is imported when one is drawn."""

from jaxsmooth.diagnostics.plots.classes import plot_class_accuracy as plot_class_accuracy
from jaxsmooth.diagnostics.plots.classes import plot_decision_regions as plot_decision_regions
from jaxsmooth.diagnostics.plots.classes import plot_distances as plot_distances
from jaxsmooth.diagnostics.plots.classes import plot_extreme_classes as plot_extreme_classes
from jaxsmooth.diagnostics.plots.classes import plot_ray_ratios as plot_ray_ratios
from jaxsmooth.diagnostics.plots.noise_augmentation import plot_benefit as plot_benefit
from jaxsmooth.diagnostics.plots.noise_augmentation import plot_risk as plot_risk
from jaxsmooth.diagnostics.plots.noise_augmentation import plot_sigma_grid as plot_sigma_grid
from jaxsmooth.diagnostics.plots.theory import plot_ball_radius as plot_ball_radius
from jaxsmooth.diagnostics.plots.theory import plot_ball_rate as plot_ball_rate
from jaxsmooth.diagnostics.plots.theory import plot_certified_radius as plot_certified_radius
from jaxsmooth.diagnostics.plots.theory import plot_cone_rate as plot_cone_rate
from jaxsmooth.diagnostics.plots.theory import plot_vanishing_sigma as plot_vanishing_sigma
