"""What smoothing costs: shrinking regions, unequal classes, and what noise in training gains or loses.

Three rooms: ``theory``, closed forms for known regions (no JAX); ``measure``, real models through the sampling engine;
``plots``. All of it is also here.
"""

from jaxsmooth.diagnostics.measure import Attack as Attack
from jaxsmooth.diagnostics.measure import ClasswiseOverSigma as ClasswiseOverSigma
from jaxsmooth.diagnostics.measure import ConeRate as ConeRate
from jaxsmooth.diagnostics.measure import InterferenceDistance as InterferenceDistance
from jaxsmooth.diagnostics.measure import NoiseAugmentationGap as NoiseAugmentationGap
from jaxsmooth.diagnostics.measure import RadiusOverSigma as RadiusOverSigma
from jaxsmooth.diagnostics.measure import RegionShrinkage as RegionShrinkage
from jaxsmooth.diagnostics.measure import SeedInterval as SeedInterval
from jaxsmooth.diagnostics.measure import SigmaGrid as SigmaGrid
from jaxsmooth.diagnostics.measure import attack as attack
from jaxsmooth.diagnostics.measure import ball_field as ball_field
from jaxsmooth.diagnostics.measure import classwise_accuracy as classwise_accuracy
from jaxsmooth.diagnostics.measure import classwise_certified as classwise_certified
from jaxsmooth.diagnostics.measure import classwise_over_sigma as classwise_over_sigma
from jaxsmooth.diagnostics.measure import component_gap as component_gap
from jaxsmooth.diagnostics.measure import cone_rate_mc as cone_rate_mc
from jaxsmooth.diagnostics.measure import grid_risk as grid_risk
from jaxsmooth.diagnostics.measure import interference_distance as interference_distance
from jaxsmooth.diagnostics.measure import kde_augmented_classifier as kde_augmented_classifier
from jaxsmooth.diagnostics.measure import mcnemar_p_value as mcnemar_p_value
from jaxsmooth.diagnostics.measure import noise_augmentation_gap as noise_augmentation_gap
from jaxsmooth.diagnostics.measure import radius_over_sigma as radius_over_sigma
from jaxsmooth.diagnostics.measure import region_shrinkage as region_shrinkage
from jaxsmooth.diagnostics.measure import seed_interval as seed_interval
from jaxsmooth.diagnostics.measure import sigma_grid as sigma_grid
from jaxsmooth.diagnostics.measure import votes_over_sigma as votes_over_sigma
from jaxsmooth.diagnostics.plots import plot_ball_radius as plot_ball_radius
from jaxsmooth.diagnostics.plots import plot_ball_rate as plot_ball_rate
from jaxsmooth.diagnostics.plots import plot_benefit as plot_benefit
from jaxsmooth.diagnostics.plots import plot_certified_radius as plot_certified_radius
from jaxsmooth.diagnostics.plots import plot_class_accuracy as plot_class_accuracy
from jaxsmooth.diagnostics.plots import plot_cone_rate as plot_cone_rate
from jaxsmooth.diagnostics.plots import plot_decision_regions as plot_decision_regions
from jaxsmooth.diagnostics.plots import plot_distances as plot_distances
from jaxsmooth.diagnostics.plots import plot_extreme_classes as plot_extreme_classes
from jaxsmooth.diagnostics.plots import plot_ray_ratios as plot_ray_ratios
from jaxsmooth.diagnostics.plots import plot_risk as plot_risk
from jaxsmooth.diagnostics.plots import plot_sigma_grid as plot_sigma_grid
from jaxsmooth.diagnostics.plots import plot_vanishing_sigma as plot_vanishing_sigma
from jaxsmooth.diagnostics.theory import MixtureBias as MixtureBias
from jaxsmooth.diagnostics.theory import ball_certified_radius as ball_certified_radius
from jaxsmooth.diagnostics.theory import ball_prob as ball_prob
from jaxsmooth.diagnostics.theory import ball_shrink_onset as ball_shrink_onset
from jaxsmooth.diagnostics.theory import ball_shrinkage_rate as ball_shrinkage_rate
from jaxsmooth.diagnostics.theory import ball_smoothed_radius as ball_smoothed_radius
from jaxsmooth.diagnostics.theory import ball_vanishing_bound as ball_vanishing_bound
from jaxsmooth.diagnostics.theory import ball_vanishing_sigma as ball_vanishing_sigma
from jaxsmooth.diagnostics.theory import closing_sigma as closing_sigma
from jaxsmooth.diagnostics.theory import cone_critical_angle as cone_critical_angle
from jaxsmooth.diagnostics.theory import cone_prob as cone_prob
from jaxsmooth.diagnostics.theory import cone_rate as cone_rate
from jaxsmooth.diagnostics.theory import cone_rate_bound as cone_rate_bound
from jaxsmooth.diagnostics.theory import interval_risk as interval_risk
from jaxsmooth.diagnostics.theory import mixture_bias_1d as mixture_bias_1d
from jaxsmooth.diagnostics.theory import smooth_intervals as smooth_intervals
