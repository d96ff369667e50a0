"""Losses on stacked logits ``(num_samples, batch, classes)``: pure, in log space, float32, one value per image.

A logit of -inf masks a class: it has probability 0 and contributes nothing. Divergences from copies that mask what
others expect are infinite, as where logits of 1e38 overflow; their gradients are finite.
"""

from jaxsmooth.losses.cat_rs import lowest_cross_entropy as lowest_cross_entropy
from jaxsmooth.losses.cat_rs import worst_kl as worst_kl
from jaxsmooth.losses.consistency import consistency as consistency
from jaxsmooth.losses.consistency import consistency_kl as consistency_kl
from jaxsmooth.losses.consistency import mean_entropy as mean_entropy
from jaxsmooth.losses.macer import macer as macer
from jaxsmooth.losses.macer import macer_margin as macer_margin
from jaxsmooth.losses.mixup import mixup_kl as mixup_kl
from jaxsmooth.losses.smoothed import gaussian_cross_entropy as gaussian_cross_entropy
from jaxsmooth.losses.smoothed import log_mean_softmax as log_mean_softmax
from jaxsmooth.losses.smoothed import soft_smoothed_nll as soft_smoothed_nll
from jaxsmooth.losses.stability import noisy_stability as noisy_stability
from jaxsmooth.losses.stability import stability as stability
