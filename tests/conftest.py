"""Eight virtual CPU devices and deterministic Hypothesis, before JAX is imported."""

import os

os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=8"
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

from hypothesis import settings

settings.register_profile("deterministic", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("deterministic")
