"""From counts to probabilities: confidence bounds in float64, rounded to the safe side."""

from jaxsmooth.bounds.clopper_pearson import clopper_pearson_lower as clopper_pearson_lower
from jaxsmooth.bounds.clopper_pearson import clopper_pearson_upper as clopper_pearson_upper
