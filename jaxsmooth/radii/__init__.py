"""From probabilities to radii: the registry of (noise, norm) rules, in float64 on the host."""

from jaxsmooth.radii.certified_radius import certified_radius as certified_radius
from jaxsmooth.radii.certified_radius import explain_radius as explain_radius
from jaxsmooth.radii.certified_radius import published_radius as published_radius
from jaxsmooth.radii.certified_radius import required_probability as required_probability
from jaxsmooth.radii.registry import RadiusRule as RadiusRule
from jaxsmooth.radii.registry import radius_rule as radius_rule
from jaxsmooth.radii.registry import rules_for as rules_for
from jaxsmooth.radii.table import radius_table as radius_table
