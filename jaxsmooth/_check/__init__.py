"""What users pass: values, noises, images, labels and keys; messages name the argument, its value and the remedy.

A noun returns the checked value, in the form in which the library goes on with it. ``require_...`` and ``refuse_...``
return nothing: they raise for what does not have, or has, the property that they name. ``is_...`` never raises.
"""

from jaxsmooth._check.arrays import as_array as as_array
from jaxsmooth._check.arrays import as_float64 as as_float64
from jaxsmooth._check.arrays import float32 as float32
from jaxsmooth._check.arrays import is_real as is_real
from jaxsmooth._check.arrays import is_traced as is_traced
from jaxsmooth._check.arrays import nonnegative as nonnegative
from jaxsmooth._check.arrays import numpy_or_jax as numpy_or_jax
from jaxsmooth._check.arrays import positives as positives
from jaxsmooth._check.arrays import probabilities as probabilities
from jaxsmooth._check.arrays import refuse_masked as refuse_masked
from jaxsmooth._check.batches import split_batch as split_batch
from jaxsmooth._check.images import gathered_images as gathered_images
from jaxsmooth._check.images import image_batch as image_batch
from jaxsmooth._check.images import image_ids as image_ids
from jaxsmooth._check.images import refuse_pair as refuse_pair
from jaxsmooth._check.keys import typed_key as typed_key
from jaxsmooth._check.labels import class_labels as class_labels
from jaxsmooth._check.noises import LARGEST_SIGMA as LARGEST_SIGMA
from jaxsmooth._check.noises import SMALLEST_SIGMA as SMALLEST_SIGMA
from jaxsmooth._check.noises import float32_noise as float32_noise
from jaxsmooth._check.noises import images_for as images_for
from jaxsmooth._check.noises import noise as noise
from jaxsmooth._check.noises import noise_of_one_sigma as noise_of_one_sigma
from jaxsmooth._check.noises import refuse_views as refuse_views
from jaxsmooth._check.noises import require_sigma as require_sigma
from jaxsmooth._check.noises import sampled_sigma as sampled_sigma
from jaxsmooth._check.values import MOST_DRAWS as MOST_DRAWS
from jaxsmooth._check.values import batch_size as batch_size
from jaxsmooth._check.values import boolean as boolean
from jaxsmooth._check.values import dimension as dimension
from jaxsmooth._check.values import draws as draws
from jaxsmooth._check.values import first_draw as first_draw
from jaxsmooth._check.values import integer as integer
from jaxsmooth._check.values import keep as keep
from jaxsmooth._check.values import norm as norm
from jaxsmooth._check.values import number as number
from jaxsmooth._check.values import path as path
from jaxsmooth._check.values import probability as probability
from jaxsmooth._check.values import require_one_of as require_one_of
from jaxsmooth._check.values import require_positive as require_positive
from jaxsmooth._check.values import require_positive_leaf as require_positive_leaf
