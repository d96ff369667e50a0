"""These tests take their time in running, and are of optimized programs."""

import pytest


@pytest.fixture(autouse=True)
def _optimized(optimized):
    pass
