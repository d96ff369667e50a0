"""The verbs, thin: names, defaults and docstrings over the one driver."""

from jaxsmooth._verbs.certify import certify as certify
from jaxsmooth._verbs.certify_adaptive import certify_adaptive as certify_adaptive
from jaxsmooth._verbs.certify_batch import certify_batch as certify_batch
from jaxsmooth._verbs.certify_curve import certify_curve as certify_curve
from jaxsmooth._verbs.certify_exact import certify_exact as certify_exact
from jaxsmooth._verbs.certify_outputs import certify_outputs as certify_outputs
from jaxsmooth._verbs.certify_stream import certify_stream as certify_stream
from jaxsmooth._verbs.certify_top_k import certify_top_k as certify_top_k
from jaxsmooth._verbs.certify_values import certify_values as certify_values
from jaxsmooth._verbs.check_classifier import check_classifier as check_classifier
from jaxsmooth._verbs.predict import predict as predict
from jaxsmooth._verbs.recertify import recertify as recertify
from jaxsmooth._verbs.self_check import self_check as self_check
