"""Randomized smoothing in JAX: certify any classifier, truthfully and fast.

Verbs, all as ``verb(key, classify, noise, x, ...)``:
    certify            a radius for each image, within which the answer provably does not change
    certify_curve      the largest of given radii, with as few votes as it takes
    certify_adaptive   as many votes as each image needs
    certify_top_k      how far classes stay among the k most probable
    certify_outputs    many outputs together: segmentation, tokens, many labels
    certify_values     intervals of real-valued models
    certify_stream     the same for batches that come one after the other
    certify_batch      labels and radii on the device, inside ``jit``
    certify_exact      l1 without chance: no key, no alpha (``certify_exact(classify, noise, x)``)
    predict            labels, or ABSTAIN
    count_votes        votes alone

From votes, without a model:
    recertify          a recorded ledger again, at another alpha, n or norm
    certificates       counts of any origin
    certified_radius, required_probability, radius_table    one bound of a probability, one radius

Other classifiers of a classifier: denoised (behind a denoiser), randomized (it draws random numbers), soft (it votes by
its probabilities).

Before a long run: check_classifier, self_check, measure_throughput. Noises are in ``noises``, training in
``objectives`` and ``losses``, numbers, tables and logs in ``analysis``.
"""

from jaxsmooth import analysis as analysis
from jaxsmooth import bounds as bounds
from jaxsmooth import datasets as datasets
from jaxsmooth import denoisers as denoisers
from jaxsmooth import designs as designs
from jaxsmooth import diagnostics as diagnostics
from jaxsmooth import interop as interop
from jaxsmooth import ledger as ledger
from jaxsmooth import losses as losses
from jaxsmooth import noises as noises
from jaxsmooth import objectives as objectives
from jaxsmooth import radii as radii
from jaxsmooth import scales as scales
from jaxsmooth._certificates import AbstractCertificates as AbstractCertificates
from jaxsmooth._certificates import Certificates as Certificates
from jaxsmooth._certificates import OutputCertificates as OutputCertificates
from jaxsmooth._certificates import Reason as Reason
from jaxsmooth._certificates import Rule as Rule
from jaxsmooth._certificates import TopKCertificates as TopKCertificates
from jaxsmooth._certificates import ValueCertificates as ValueCertificates
from jaxsmooth._certificates import concatenate as concatenate
from jaxsmooth._pytree import frozen_pytree as frozen_pytree
from jaxsmooth._pytree import static as static
from jaxsmooth._types import ABSTAIN as ABSTAIN
from jaxsmooth._types import Votes as Votes
from jaxsmooth._verbs import certify as certify
from jaxsmooth._verbs import certify_adaptive as certify_adaptive
from jaxsmooth._verbs import certify_batch as certify_batch
from jaxsmooth._verbs import certify_curve as certify_curve
from jaxsmooth._verbs import certify_exact as certify_exact
from jaxsmooth._verbs import certify_outputs as certify_outputs
from jaxsmooth._verbs import certify_stream as certify_stream
from jaxsmooth._verbs import certify_top_k as certify_top_k
from jaxsmooth._verbs import certify_values as certify_values
from jaxsmooth._verbs import check_classifier as check_classifier
from jaxsmooth._verbs import predict as predict
from jaxsmooth._verbs import recertify as recertify
from jaxsmooth._verbs import self_check as self_check
from jaxsmooth._version import __version__ as __version__
from jaxsmooth.denoisers.denoised import denoised as denoised
from jaxsmooth.designs.fixed import certificates as certificates
from jaxsmooth.interop.randomized import randomized as randomized
from jaxsmooth.interop.soft import soft as soft
from jaxsmooth.radii import certified_radius as certified_radius
from jaxsmooth.radii import radius_table as radius_table
from jaxsmooth.radii import required_probability as required_probability
from jaxsmooth.sampling import count_votes as count_votes
from jaxsmooth.sampling.margin import with_margin as with_margin
from jaxsmooth.sampling.throughput import measure_throughput as measure_throughput

__all__ = [  # noqa: RUF022 - in the order of a reader
    "certify", "certify_curve", "certify_adaptive", "certify_top_k", "certify_outputs", "certify_values",
    "certify_stream", "certify_batch", "certify_exact", "predict", "count_votes", "with_margin",
    "recertify", "certificates", "concatenate",
    "certified_radius", "required_probability", "radius_table",
    "denoised", "randomized", "soft",
    "check_classifier", "self_check", "measure_throughput",
    "Certificates", "TopKCertificates", "OutputCertificates", "ValueCertificates", "AbstractCertificates",
    "Votes", "Reason", "Rule", "ABSTAIN", "frozen_pytree", "static",
    "noises", "scales", "designs", "bounds", "radii", "ledger", "losses", "objectives", "interop", "denoisers",
    "datasets", "analysis", "diagnostics",
    "__version__",
]  # fmt: skip


def __dir__() -> list[str]:
    return __all__
