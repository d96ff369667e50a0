"""What smoothing does to known regions, in closed form: balls, cones, mixtures and intervals, each in its own file.

Everything runs on the host in float64. The threshold is the probability that keeps a point in its class's region: 1/2
for what a certificate can speak of, 1/c for the most generous reading of c classes.
"""

from jaxsmooth.diagnostics.theory.balls import ball_certified_radius as ball_certified_radius
from jaxsmooth.diagnostics.theory.balls import ball_prob as ball_prob
from jaxsmooth.diagnostics.theory.balls import ball_shrink_onset as ball_shrink_onset
from jaxsmooth.diagnostics.theory.balls import ball_shrinkage_rate as ball_shrinkage_rate
from jaxsmooth.diagnostics.theory.balls import ball_smoothed_radius as ball_smoothed_radius
from jaxsmooth.diagnostics.theory.balls import ball_vanishing_bound as ball_vanishing_bound
from jaxsmooth.diagnostics.theory.balls import ball_vanishing_sigma as ball_vanishing_sigma
from jaxsmooth.diagnostics.theory.cones import cone_critical_angle as cone_critical_angle
from jaxsmooth.diagnostics.theory.cones import cone_prob as cone_prob
from jaxsmooth.diagnostics.theory.cones import cone_rate as cone_rate
from jaxsmooth.diagnostics.theory.cones import cone_rate_bound as cone_rate_bound
from jaxsmooth.diagnostics.theory.intervals import closing_sigma as closing_sigma
from jaxsmooth.diagnostics.theory.intervals import interval_risk as interval_risk
from jaxsmooth.diagnostics.theory.intervals import smooth_intervals as smooth_intervals
from jaxsmooth.diagnostics.theory.mixtures import MixtureBias as MixtureBias
from jaxsmooth.diagnostics.theory.mixtures import mixture_bias_1d as mixture_bias_1d
