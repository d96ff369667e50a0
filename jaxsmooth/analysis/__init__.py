"""Certificates into numbers, tables, logs and plots; NumPy float64 on the host."""

from jaxsmooth.analysis.class_wise import ClassWiseAccuracy as ClassWiseAccuracy
from jaxsmooth.analysis.class_wise import class_wise_accuracy as class_wise_accuracy
from jaxsmooth.analysis.estimate import CurveEstimate as CurveEstimate
from jaxsmooth.analysis.estimate import estimate_curve as estimate_curve
from jaxsmooth.analysis.log_format import LogWarning as LogWarning
from jaxsmooth.analysis.outputs import OutputSummary as OutputSummary
from jaxsmooth.analysis.outputs import output_summary as output_summary
from jaxsmooth.analysis.paired import paired_difference as paired_difference
from jaxsmooth.analysis.plot import plot_certified_accuracy as plot_certified_accuracy
from jaxsmooth.analysis.plot_kinds import plot_output_map as plot_output_map
from jaxsmooth.analysis.plot_kinds import plot_values as plot_values
from jaxsmooth.analysis.read_log import read_log as read_log
from jaxsmooth.analysis.read_log import read_log_ids as read_log_ids
from jaxsmooth.analysis.sandwich import Sandwich as Sandwich
from jaxsmooth.analysis.sandwich import plot_sandwich as plot_sandwich
from jaxsmooth.analysis.sandwich import sandwich as sandwich
from jaxsmooth.analysis.scores import abstention_rate as abstention_rate
from jaxsmooth.analysis.scores import average_certified_radius as average_certified_radius
from jaxsmooth.analysis.scores import certified_accuracy as certified_accuracy
from jaxsmooth.analysis.summary import Summary as Summary
from jaxsmooth.analysis.summary import summary as summary
from jaxsmooth.analysis.summary_table import summary_table as summary_table
from jaxsmooth.analysis.table import table as table
from jaxsmooth.analysis.values import ValueSummary as ValueSummary
from jaxsmooth.analysis.values import value_summary as value_summary
from jaxsmooth.analysis.write_log import write_log as write_log
