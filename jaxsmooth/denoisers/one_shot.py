"""One step of a diffusion model as a denoiser: its estimate of the image at the timestep whose noise is ours."""

import math
from collections.abc import Callable
from typing import Any, ClassVar, Literal

import jax.numpy as jnp

from jaxsmooth import _check
from jaxsmooth._pytree import frozen_pytree, static
from jaxsmooth._types import Array
from jaxsmooth.denoisers.base import AbstractDenoiser, float32_in_words
from jaxsmooth.denoisers.fit import check_takes, checked_range
from jaxsmooth.denoisers.schedules import ContinuousSchedule, Schedule
from jaxsmooth.interop.bare_models import function_in_evaluation_mode
from jaxsmooth.interop.python_callable import with_numbers

Output = Literal["eps", "x0", "v", "score", "edm"]
Match = Literal["first", "nearest", False]


@frozen_pytree
class OneShotDenoiser(AbstractDenoiser):
    r"""A diffusion network that denoises in one step; made by ``one_shot``.

    In the model's space, where images are z in [-1, 1]:
    :math:`x_0 = \mathrm{skip}\, z + \mathrm{out}\, F(\mathrm{scale}\, z, t)`. All numbers are data: another sigma
    does not re-trace.

    Attributes:
        network: F, ``((batch, *event), (batch,)) -> (batch, *event)``; its weights are data if it is a pytree.
        sigma: of the noise, in the units of the images.
        timestep: t, what the network is told.
        scale: what its input is multiplied by.
        skip: the weight of the input in the estimate.
        out: the weight of the network's output.
        noise_of_model: the sigma that the model believes in at this timestep, in the units of the images.
        value_range: least and largest value of a coordinate; static.
        clip: whether the estimate is clipped to that range; static.
        match: how the timestep was found; False leaves it to you that the noise is the denoiser's; static.
        output: what the network predicts, in words; ``skip`` and ``out`` are what it comes to; static.
        schedule: of the training, in words; static.
    """

    network: Callable[..., Array]
    sigma: Any
    timestep: Any
    scale: Any
    skip: Any
    out: Any
    noise_of_model: Any
    value_range: tuple[float, float] = static(default=(0.0, 1.0))
    clip: bool = static(default=True)
    match: Match = static(default="first")
    output: Output = static(default="eps")
    schedule: str = static(default="")

    why: ClassVar[str] = "the timestep"
    for_any_noise: ClassVar[str] = "make the denoiser with match=False"

    def __call__(self, x: Array, keys: Array | None = None) -> Array:
        """See ``AbstractDenoiser.__call__``."""
        low, high = self.value_range
        z = (x - low) * (2 / (high - low)) - 1
        whole = jnp.issubdtype(jnp.result_type(self.timestep), jnp.integer)
        t = jnp.broadcast_to(jnp.asarray(self.timestep, jnp.int32 if whole else jnp.float32), x.shape[:1])
        scale, skip, out = (jnp.asarray(value, jnp.float32) for value in (self.scale, self.skip, self.out))
        estimate = skip * z + out * _first_channels(self._asked(scale * z, t, keys=keys), z)
        if self.clip:
            estimate = jnp.clip(estimate, -1, 1)
        return (estimate + 1) * ((high - low) / 2) + low

    @property
    def expects_sigma(self) -> Any:
        """See ``AbstractDenoiser.expects_sigma``."""
        return None if self.match is False else self.sigma

    @property
    def setting_in_words(self) -> str:
        """See ``AbstractDenoiser.setting_in_words``."""
        numbers = ("sigma", "timestep", "scale", "skip", "out", "noise_of_model")
        told = ", ".join(f"{name}={float32_in_words(getattr(self, name))}" for name in numbers)
        return (
            f"one_shot(output={self.output}, schedule={self.schedule}, match={self.match}, {told}, "
            f"value_range={self.value_range}, clip={self.clip})"
        )

    def __str__(self) -> str:
        return (
            f"one-shot denoiser at timestep {self.timestep:g} for sigma {self.sigma:g}: scale {self.scale:.6f}, "
            f"sigma of the model {self.noise_of_model:.6g} (ratio {self.noise_of_model / self.sigma:.5f})"
        )


def one_shot(
    network: Callable[..., Array],
    schedule: Schedule | ContinuousSchedule | None,
    sigma: float,
    output: Output = "eps",
    *,
    value_range: tuple[float, float] = (0.0, 1.0),
    clip: bool = True,
    match: Match = "first",
    time_scale: float = 1.0,
    sigma_data: float = 0.5,
) -> OneShotDenoiser:
    r"""One step of a diffusion model as a denoiser for Gaussian noise of a sigma.

    A noisy image u with values in ``value_range`` becomes :math:`z = 2u - 1` in [-1, 1], with noise :math:`2\sigma` for
    pixels in [0, 1]. The network is asked at the timestep t whose noise :math:`\sqrt{(1 - \bar\alpha_t) /
    \bar\alpha_t}` is that, with :math:`x_t = \sqrt{\bar\alpha_t}\, z`, and its output e turned into an image:

    - ``"eps"``: :math:`(x_t - \sqrt{1 - \bar\alpha_t}\, e) / \sqrt{\bar\alpha_t}`
    - ``"x0"``: e
    - ``"v"``: :math:`\sqrt{\bar\alpha_t}\, x_t - \sqrt{1 - \bar\alpha_t}\, e`
    - ``"score"``: :math:`(x_t + (1 - \bar\alpha_t)\, e) / \sqrt{\bar\alpha_t}`
    - ``"edm"``: :math:`c_{skip} z + c_{out} F(c_{in} z, \ln(s) / 4)` with :math:`s = 2\sigma`; no schedule.

    A discrete timestep is not met exactly; certificates use the sigma of the noise that is drawn, always. Of an output
    with twice as many channels (learned variances) the first half is used.

    Args:
        network: ``(x_t, t)`` to its output: float32 ``(batch, *event)`` and t ``(batch,)``, int32 for discrete
            schedules unless ``time_scale`` is given. A pytree such as ``jax.tree_util.Partial(apply, weights)`` makes
            weights data.
        schedule: of the training: ``schedule``, ``from_betas``, ``from_alpha_bar``, ``continuous``; None for ``"edm"``.
        sigma: of the noise, in the units of the images.
        output: what the network predicts.
        value_range: least and largest value of a coordinate of the images.
        clip: clip the estimate to that range.
        match: ``"first"``: the first timestep with at least this noise (not the timestep 0). ``"nearest"``: the nearest
            in log. False: as the first, and the denoiser can be put behind any noise.
        time_scale: what the timestep is multiplied by for the network: 1000 / 4000 for improved diffusion's.
        sigma_data: standard deviation of the data, for ``"edm"``.

    Returns:
        A ``OneShotDenoiser``: images to images, for ``denoised``. It has ``timestep``, ``scale`` and
        ``noise_of_model``.

    Raises:
        ValueError: for a sigma outside the range of the schedule, and other values out of range.
        TypeError: for arguments of the wrong kind.

    References:
        Carlini et al., "(Certified!!) adversarial robustness for free!", 2023; Karras et al., "Elucidating the design
        space of diffusion-based generative models", 2022.

    Example:
        >>> import jaxsmooth as js
        >>> network = lambda x, t: 0 * x  # sees no noise
        >>> denoiser = js.denoisers.one_shot(
        ...     network, js.denoisers.schedule("linear", 1000), sigma=0.25
        ... )
        >>> print(denoiser)
        one-shot denoiser at timestep 145 for sigma 0.25: scale 0.893294, sigma of the model 0.251581 (ratio 1.00632)
    """
    if not callable(network):
        raise TypeError(f"network must be callable, (x, t) to its output; got {type(network).__name__}")
    check_takes("network", network, 2, "take noisy images and timesteps, (x, t); of images alone use denoisers.trained")
    _check.require_one_of("output", output, Output)
    _check.require_one_of("match", match, Match)
    value_range = checked_range(value_range)
    for name, value in (("sigma", sigma), ("time_scale", time_scale), ("sigma_data", sigma_data)):
        _check.require_positive(name, value)
    sigma, half = float(sigma), (value_range[1] - value_range[0]) / 2
    noise, data = sigma / half, float(sigma_data)
    if output == "edm":
        if schedule is not None:
            raise ValueError(f'schedule must be None for output="edm", which is told the noise; got {schedule!r}')
        total = noise**2 + data**2
        timestep, scale, believed = math.log(noise) / 4, 1 / math.sqrt(total), noise
        skip, out = data**2 / total, noise * data / math.sqrt(total)
    else:
        if not isinstance(schedule, Schedule | ContinuousSchedule):
            raise TypeError(
                "schedule must be that of the network's training, such as jaxsmooth.denoisers.schedule('linear', 1000);"
                f" got {schedule!r}"
            )
        timestep, a, believed = schedule.match(noise, match or "first")
        scale = math.sqrt(a)
        skip, out = {
            "eps": (1.0, -math.sqrt((1 - a) / a)),
            "x0": (0.0, 1.0),
            "v": (a, -math.sqrt(1 - a)),
            "score": (1.0, (1 - a) / scale),
        }[output]
    if float(time_scale) != 1.0:
        timestep = timestep * float(time_scale)
    network = with_numbers(function_in_evaluation_mode(network, "network"))
    return OneShotDenoiser(
        network, sigma, timestep, scale, skip, out, believed * half, value_range, bool(clip), match, output,
        _schedule_in_words(schedule),
    )  # fmt: skip


def _schedule_in_words(schedule: Schedule | ContinuousSchedule | None) -> str:
    if isinstance(schedule, Schedule):
        return f"{schedule.name} of {len(schedule.alpha_bar)}"
    return "none" if schedule is None else "continuous"


def _first_channels(output: Any, z: Array) -> Array:
    """The output as float32; the first half of its channels if there are twice as many."""
    shape, channels = getattr(output, "shape", None), z.shape[-1]
    if shape == (*z.shape[:-1], 2 * channels):
        output = output[..., :channels]
    elif shape != z.shape:
        raise ValueError(
            f"network must return the shape of its input {z.shape}, or twice as many channels; it returned "
            f"{shape or type(output).__name__}"
        )
    return output.astype(jnp.float32)
