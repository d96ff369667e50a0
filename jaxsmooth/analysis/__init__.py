"""Certificates into numbers, tables, logs and plots; NumPy float64 on the host."""

from jaxsmooth.analysis.class_wise import ClassWiseAccuracy as ClassWiseAccuracy
from jaxsmooth.analysis.class_wise import class_wise_accuracy as class_wise_accuracy
from jaxsmooth.analysis.estimate import CurveEstimate as CurveEstimate
from jaxsmooth.analysis.estimate import estimate_curve as estimate_curve
from jaxsmooth.analysis.log_format import LogWarning as LogWarning
from jaxsmooth.analysis.paired import paired_difference as paired_difference
from jaxsmooth.analysis.plot import plot_certified_accuracy as plot_certified_accuracy
from jaxsmooth.analysis.read_log import read_log as read_log
from jaxsmooth.analysis.read_log import read_log_ids as read_log_ids
from jaxsmooth.analysis.scores import abstention_rate as abstention_rate
from jaxsmooth.analysis.scores import average_certified_radius as average_certified_radius
from jaxsmooth.analysis.scores import certified_accuracy as certified_accuracy
from jaxsmooth.analysis.summary import Summary as Summary
from jaxsmooth.analysis.summary import summary as summary
from jaxsmooth.analysis.table import table as table
from jaxsmooth.analysis.write_log import write_log as write_log
