"""What smoothing costs: shrinking regions, unequal classes, and what noise in training gains or loses.

Closed forms for known regions, measurements of real models through the sampling engine, and plots.
"""

from jaxsmooth.diagnostics.ball_fields import ball_field as ball_field
from jaxsmooth.diagnostics.ball_fields import grid_risk as grid_risk
from jaxsmooth.diagnostics.classwise import ClasswiseAccuracy as ClasswiseAccuracy
from jaxsmooth.diagnostics.classwise import ClasswiseOverSigma as ClasswiseOverSigma
from jaxsmooth.diagnostics.classwise import classwise_accuracy as classwise_accuracy
from jaxsmooth.diagnostics.classwise import classwise_certified as classwise_certified
from jaxsmooth.diagnostics.classwise import classwise_over_sigma as classwise_over_sigma
from jaxsmooth.diagnostics.distances import InterferenceDistance as InterferenceDistance
from jaxsmooth.diagnostics.distances import component_gap as component_gap
from jaxsmooth.diagnostics.distances import interference_distance as interference_distance
from jaxsmooth.diagnostics.kde import kde_augmented_classifier as kde_augmented_classifier
from jaxsmooth.diagnostics.noise_augmentation import NoiseAugmentationGap as NoiseAugmentationGap
from jaxsmooth.diagnostics.noise_augmentation import SigmaGrid as SigmaGrid
from jaxsmooth.diagnostics.noise_augmentation import mcnemar_p_value as mcnemar_p_value
from jaxsmooth.diagnostics.noise_augmentation import noise_augmentation_gap as noise_augmentation_gap
from jaxsmooth.diagnostics.noise_augmentation import sigma_grid as sigma_grid
from jaxsmooth.diagnostics.regions import RegionShrinkage as RegionShrinkage
from jaxsmooth.diagnostics.regions import region_shrinkage as region_shrinkage
from jaxsmooth.diagnostics.sigma_sweep import RadiusOverSigma as RadiusOverSigma
from jaxsmooth.diagnostics.sigma_sweep import radius_over_sigma as radius_over_sigma
from jaxsmooth.diagnostics.sigma_sweep import votes_over_sigma as votes_over_sigma
from jaxsmooth.diagnostics.theory import ConeRate as ConeRate
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
from jaxsmooth.diagnostics.theory import cone_rate_mc as cone_rate_mc
from jaxsmooth.diagnostics.theory import interval_risk as interval_risk
from jaxsmooth.diagnostics.theory import mixture_bias_1d as mixture_bias_1d
from jaxsmooth.diagnostics.theory import smooth_intervals as smooth_intervals
