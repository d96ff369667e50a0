"""Scales: sigma(x) for input-dependent smoothing, each with a declared bound of how fast it may change."""

from jaxsmooth.scales.base import AbstractScale as AbstractScale
from jaxsmooth.scales.combine import ClippedScale as ClippedScale
from jaxsmooth.scales.combine import ExtremeScale as ExtremeScale
from jaxsmooth.scales.combine import clip as clip
from jaxsmooth.scales.combine import maximum as maximum
from jaxsmooth.scales.combine import minimum as minimum
from jaxsmooth.scales.constant import Constant as Constant
from jaxsmooth.scales.lipschitz import LipschitzScale as LipschitzScale
from jaxsmooth.scales.nearest import KNNScale as KNNScale
from jaxsmooth.scales.presets import cifar10 as cifar10
from jaxsmooth.scales.presets import mnist as mnist
from jaxsmooth.scales.selected import certify_selected as certify_selected
