"""Measurements of models and data sets: votes over sigma, regions along rays, classes, distances, trainings."""

from jaxsmooth.diagnostics.measure.attack import Attack as Attack
from jaxsmooth.diagnostics.measure.attack import attack as attack
from jaxsmooth.diagnostics.measure.ball_fields import ball_field as ball_field
from jaxsmooth.diagnostics.measure.ball_fields import grid_risk as grid_risk
from jaxsmooth.diagnostics.measure.classwise import ClasswiseOverSigma as ClasswiseOverSigma
from jaxsmooth.diagnostics.measure.classwise import classwise_accuracy as classwise_accuracy
from jaxsmooth.diagnostics.measure.classwise import classwise_certified as classwise_certified
from jaxsmooth.diagnostics.measure.classwise import classwise_over_sigma as classwise_over_sigma
from jaxsmooth.diagnostics.measure.cone_samples import ConeRate as ConeRate
from jaxsmooth.diagnostics.measure.cone_samples import cone_rate_mc as cone_rate_mc
from jaxsmooth.diagnostics.measure.distances import InterferenceDistance as InterferenceDistance
from jaxsmooth.diagnostics.measure.distances import component_gap as component_gap
from jaxsmooth.diagnostics.measure.distances import interference_distance as interference_distance
from jaxsmooth.diagnostics.measure.kde import kde_augmented_classifier as kde_augmented_classifier
from jaxsmooth.diagnostics.measure.noise_augmentation import NoiseAugmentationGap as NoiseAugmentationGap
from jaxsmooth.diagnostics.measure.noise_augmentation import mcnemar_p_value as mcnemar_p_value
from jaxsmooth.diagnostics.measure.noise_augmentation import noise_augmentation_gap as noise_augmentation_gap
from jaxsmooth.diagnostics.measure.regions import RegionShrinkage as RegionShrinkage
from jaxsmooth.diagnostics.measure.regions import region_shrinkage as region_shrinkage
from jaxsmooth.diagnostics.measure.seed_interval import SeedInterval as SeedInterval
from jaxsmooth.diagnostics.measure.seed_interval import seed_interval as seed_interval
from jaxsmooth.diagnostics.measure.sigma_grid import SigmaGrid as SigmaGrid
from jaxsmooth.diagnostics.measure.sigma_grid import sigma_grid as sigma_grid
from jaxsmooth.diagnostics.measure.sigma_sweep import RadiusOverSigma as RadiusOverSigma
from jaxsmooth.diagnostics.measure.sigma_sweep import radius_over_sigma as radius_over_sigma
from jaxsmooth.diagnostics.measure.sigma_sweep import votes_over_sigma as votes_over_sigma
