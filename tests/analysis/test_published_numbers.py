"""A whole published log: the numbers recomputed from it are those on record, and survive being written again."""

from pathlib import Path

import numpy as np
import pytest

from jaxsmooth import analysis

LOG = Path(__file__).parent / "data" / "cohen_2019_cifar10_sigma050.tsv"
ACR, CLEAN, ABSTAINED, CLASS_DEVIATION = 0.537533, 0.652, 0.166, 0.160357
ACCURACY = {0.25: 0.546, 0.5: 0.414, 0.75: 0.32, 1.0: 0.234, 1.25: 0.152, 1.5: 0.094, 1.75: 0.052, 2.0: 0.0}
CLASSES = [0.770833, 0.826087, 0.52, 0.446429, 0.446809, 0.458333, 0.638298, 0.763636, 0.807692, 0.843137]


@pytest.fixture(params=["as published", "written again"])
def log(request, tmp_path):
    certificates, labels = analysis.read_log(LOG)
    if request.param == "as published":
        return certificates, labels
    analysis.write_log(tmp_path / "log.tsv", certificates, labels, image_ids=analysis.read_log_ids(LOG))
    return analysis.read_log(tmp_path / "log.tsv")


def test_the_numbers_on_record(log):
    certificates, labels = log
    assert len(certificates) == 500 and certificates.radius.max() == 1.96
    assert analysis.average_certified_radius(certificates, labels) == pytest.approx(ACR, abs=5e-7)
    assert analysis.abstention_rate(certificates) == ABSTAINED
    assert analysis.certified_accuracy(certificates, labels, [0.0]) == CLEAN
    accuracy = analysis.certified_accuracy(certificates, labels, list(ACCURACY))
    np.testing.assert_allclose(accuracy, list(ACCURACY.values()), rtol=1e-12)


def test_the_classes_on_record(log):
    classes = analysis.class_wise_accuracy(*log)
    np.testing.assert_allclose(classes.acc, CLASSES, atol=5e-7)
    assert classes.standard_deviation == pytest.approx(CLASS_DEVIATION, abs=1e-6)
