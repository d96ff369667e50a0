"""Denoisers: what turns a noisy image into a clean one, in front of a classifier that has never seen noise."""

from jaxsmooth.denoisers.base import AbstractDenoiser as AbstractDenoiser
from jaxsmooth.denoisers.denoised import Denoised as Denoised
from jaxsmooth.denoisers.one_shot import OneShotDenoiser as OneShotDenoiser
from jaxsmooth.denoisers.one_shot import one_shot as one_shot
from jaxsmooth.denoisers.schedules import ContinuousSchedule as ContinuousSchedule
from jaxsmooth.denoisers.schedules import Schedule as Schedule
from jaxsmooth.denoisers.schedules import continuous as continuous
from jaxsmooth.denoisers.schedules import from_alpha_bar as from_alpha_bar
from jaxsmooth.denoisers.schedules import from_betas as from_betas
from jaxsmooth.denoisers.schedules import schedule as schedule
from jaxsmooth.denoisers.trained import TrainedDenoiser as TrainedDenoiser
from jaxsmooth.denoisers.trained import trained as trained
