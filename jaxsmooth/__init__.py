"""Randomized smoothing in JAX: certify any classifier, truthfully and fast."""

from jaxsmooth import analysis as analysis
from jaxsmooth import bounds as bounds
from jaxsmooth import datasets as datasets
from jaxsmooth import interop as interop
from jaxsmooth import losses as losses
from jaxsmooth import noises as noises
from jaxsmooth import objectives as objectives
from jaxsmooth import radii as radii
from jaxsmooth import scales as scales
from jaxsmooth._types import ABSTAIN as ABSTAIN
from jaxsmooth._types import Certificates as Certificates
from jaxsmooth._types import Votes as Votes
from jaxsmooth.adaptive import certify_adaptive as certify_adaptive
from jaxsmooth.certify import certify as certify
from jaxsmooth.certify import certify_batch as certify_batch
from jaxsmooth.curve import certify_curve as certify_curve
from jaxsmooth.predict import predict as predict
from jaxsmooth.radii import certified_radius as certified_radius
from jaxsmooth.radii import radius_table as radius_table
from jaxsmooth.radii import required_probability as required_probability
from jaxsmooth.sampling import count_votes as count_votes
