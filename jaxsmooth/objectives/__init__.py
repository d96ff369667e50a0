"""Training objectives: frozen dataclasses that draw the noise, call the network and return a loss."""

from jaxsmooth.objectives.attacks import smooth_ddn as smooth_ddn
from jaxsmooth.objectives.attacks import smooth_pgd as smooth_pgd
from jaxsmooth.objectives.base import AbstractObjective as AbstractObjective
from jaxsmooth.objectives.base import Aux as Aux
from jaxsmooth.objectives.base import measure as measure
from jaxsmooth.objectives.cat_rs import CatRS as CatRS
from jaxsmooth.objectives.cat_rs import frequencies as frequencies
from jaxsmooth.objectives.collapse import ClassCollapse as ClassCollapse
from jaxsmooth.objectives.collapse import ClassCollapseWarning as ClassCollapseWarning
from jaxsmooth.objectives.collapse import class_collapse as class_collapse
from jaxsmooth.objectives.consistency import Consistency as Consistency
from jaxsmooth.objectives.denoise import Denoise as Denoise
from jaxsmooth.objectives.gaussian_augmentation import GaussianAugmentation as GaussianAugmentation
from jaxsmooth.objectives.macer import MACER as MACER
from jaxsmooth.objectives.presets import Preset as Preset
from jaxsmooth.objectives.presets import Recipe as Recipe
from jaxsmooth.objectives.presets import preset as preset
from jaxsmooth.objectives.schedules import Deferred as Deferred
from jaxsmooth.objectives.schedules import Ramp as Ramp
from jaxsmooth.objectives.smooth_adv import SmoothAdv as SmoothAdv
from jaxsmooth.objectives.smooth_mix import SmoothMix as SmoothMix
from jaxsmooth.objectives.stability import Stability as Stability
