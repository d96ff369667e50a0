"""The error rate is that of programs compiled as users' are."""

import pytest


@pytest.fixture(autouse=True)
def _as_users_compile(optimized):
    pass
