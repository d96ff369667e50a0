"""Noises: one family a file, each with its sampler and its radius rules."""

from jaxsmooth.noises.base import AbstractNoise as AbstractNoise
from jaxsmooth.noises.exp1 import Exp1 as Exp1
from jaxsmooth.noises.exp2 import Exp2 as Exp2
from jaxsmooth.noises.exp_inf import ExpInf as ExpInf
from jaxsmooth.noises.expp import Expp as Expp
from jaxsmooth.noises.gaussian import Gaussian as Gaussian
from jaxsmooth.noises.input_dependent import GaussianAt as GaussianAt
from jaxsmooth.noises.input_dependent import InputDependentGaussian as InputDependentGaussian
from jaxsmooth.noises.laplace import Laplace as Laplace
from jaxsmooth.noises.lattice_gaussian import LatticeGaussian as LatticeGaussian
from jaxsmooth.noises.lattice_uniform import LatticeUniform as LatticeUniform
from jaxsmooth.noises.pareto import Pareto as Pareto
from jaxsmooth.noises.pow2 import Pow2 as Pow2
from jaxsmooth.noises.pow_inf import PowInf as PowInf
from jaxsmooth.noises.splits import Splits as Splits
from jaxsmooth.noises.splits import split_layer as split_layer
from jaxsmooth.noises.uniform import Uniform as Uniform
from jaxsmooth.noises.uniform_ball import UniformBall as UniformBall
