"""The dual form: the smaller of two radii, the sum of two error probabilities, no draw wasted on abstentions."""

import numpy as np
import pytest

import jaxsmooth as js
import jaxsmooth.scales

SIGMAS = (0.25, 0.5)


def certificates(label, radius, alpha, norm=2, classes=2, samples=100):
    label, radius = np.array(label, np.int32), np.array(radius, np.float64)
    votes = js.Votes(np.ones((len(label), classes), np.int32), np.zeros(len(label), np.int32))
    p = np.full(len(label), 0.9)
    rule = np.where(radius > 0, "rule", "").astype(object)
    return js.Certificates(
        label, radius, p, 1 - p, np.full(len(label), samples), votes, norm=norm, alpha=alpha, rule=rule
    )


SELECTOR = certificates([1, 0, -1, 1], [0.3, 0.9, 0.0, 2.0], 5e-4)


def test_the_smaller_radius_and_the_sum_of_alphas():
    calls = []

    def certify_at(sigma, images):
        calls.append((sigma, images.tolist()))
        return certificates(images, sigma * np.ones(len(images)), 5e-4, classes=4, samples=1000)

    both = js.scales.certify_selected(SELECTOR, SIGMAS, certify_at)
    assert calls == [(0.25, [1]), (0.5, [0, 3])]
    assert both.label.tolist() == [0, 1, -1, 3]
    assert both.radius.tolist() == [0.3, 0.25, 0.0, 0.5]
    assert both.alpha == 1e-3
    assert both.samples.tolist() == [1100, 1100, 100, 1100]
    assert both.rule.tolist() == ["certify_selected: radius within which the scale is constant", "rule", "", "rule"]
    assert both.votes.counts.sum(1).tolist() == [4, 4, 0, 4]
    assert both.p_upper[2] == 1 and both.p_lower[2] == 0


def test_abstentions_of_either_are_abstentions():
    nothing = js.scales.certify_selected(
        certificates([-1, -1], [0, 0], 1e-3), SIGMAS, lambda sigma, images: pytest.fail("nothing to certify")
    )
    assert (nothing.label == js.ABSTAIN).all() and (nothing.radius == 0).all() and nothing.votes is None
    undecided = js.scales.certify_selected(
        SELECTOR, SIGMAS, lambda sigma, images: certificates(-np.ones(len(images)), np.zeros(len(images)), 5e-4)
    )
    assert (undecided.label == js.ABSTAIN).all()


def test_an_unknown_alpha_stays_unknown():
    both = js.scales.certify_selected(
        SELECTOR, SIGMAS, lambda sigma, images: certificates(0 * images, np.ones(len(images)), None)
    )
    assert both.alpha is None


@pytest.mark.parametrize(
    "sigmas, make, message",
    [
        ((0.5,), lambda s, i: None, "class 1 has none"),
        ((0.5, -1.0), lambda s, i: None, r"sigmas\[1\] must be positive"),
        (SIGMAS, lambda s, i: certificates([0] * 3, [1] * 3, 5e-4), "certify_at must certify 1 images at sigma 0.25"),
        (SIGMAS, lambda s, i: certificates(0 * i, 1 + i, 5e-4, norm=1), "the norms must agree"),
    ],
)
def test_bad_input(sigmas, make, message):
    with pytest.raises(ValueError, match=message):
        js.scales.certify_selected(SELECTOR, sigmas, make)
