"""From counts to probabilities: confidence bounds in float64, rounded to the safe side."""

from jaxsmooth.bounds.adaptive_plan import AdaptivePlan as AdaptivePlan
from jaxsmooth.bounds.adaptive_plan import adaptive_tests as adaptive_tests
from jaxsmooth.bounds.boundary_crossing import crossing_probability as crossing_probability
from jaxsmooth.bounds.calibration import calibrated_thresholds as calibrated_thresholds
from jaxsmooth.bounds.clopper_pearson import clopper_pearson_lower as clopper_pearson_lower
from jaxsmooth.bounds.clopper_pearson import clopper_pearson_upper as clopper_pearson_upper
from jaxsmooth.bounds.curve_plan import CurvePlan as CurvePlan
from jaxsmooth.bounds.curve_plan import curve_tests as curve_tests
from jaxsmooth.bounds.e_process import anytime_lower as anytime_lower
from jaxsmooth.bounds.e_process import anytime_threshold as anytime_threshold
from jaxsmooth.bounds.e_process import mixture_log_e_value as mixture_log_e_value
from jaxsmooth.bounds.futility import AbstractFutility as AbstractFutility
from jaxsmooth.bounds.futility import ConditionalPower as ConditionalPower
from jaxsmooth.bounds.futility import ConfidentlyBelow as ConfidentlyBelow
from jaxsmooth.bounds.futility import Unreachable as Unreachable
from jaxsmooth.bounds.group_sequential import GroupSequential as GroupSequential
from jaxsmooth.bounds.multiplicity import holm as holm
from jaxsmooth.bounds.multiplicity import k_fwer as k_fwer
from jaxsmooth.bounds.optimal_futility import OptimalFutility as OptimalFutility
from jaxsmooth.bounds.predict_plan import PredictPlan as PredictPlan
from jaxsmooth.bounds.predict_plan import leader_p_value as leader_p_value
from jaxsmooth.bounds.quantiles import quantile_indices as quantile_indices
from jaxsmooth.bounds.runner_up import runner_up_bounds as runner_up_bounds
from jaxsmooth.bounds.top_k import top_k_bounds as top_k_bounds
