"""Noises: one family a file, each with its sampler and its radius rules."""

from jaxsmooth.noises.base import AbstractNoise as AbstractNoise
from jaxsmooth.noises.gaussian import Gaussian as Gaussian
