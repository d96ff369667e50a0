"""Before JAX is imported: eight virtual CPU devices and a fast compiler. Then: deterministic Hypothesis."""

import gc
import os
from importlib.metadata import version

import pytest
from hypothesis import settings

# Most of the work of this suite is compiling, which takes half the time like this. What takes its time in running asks
# for ``optimized``. JAXSMOOTH_TEST_OPTIMIZED=1 tests everything with the compiler that users have.
OPTIMIZED = os.environ.get("JAXSMOOTH_TEST_OPTIMIZED", "0") == "1"
# An older and faster code generator, on one thread. Later versions do not have it, nor know the flag.
OLDER = tuple(map(int, version("jaxlib").split(".")[:2])) < (0, 11)
FAST = "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
FLAGS = FAST if OLDER and not OPTIMIZED else ""
if not OPTIMIZED:
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {FLAGS} --xla_force_host_platform_device_count=8"
# JAXSMOOTH_TEST_STRICT=1 tests with the settings that refuse what JAX usually converts and broadcasts in silence.
if os.environ.get("JAXSMOOTH_TEST_STRICT", "0") == "1":
    os.environ["JAX_NUMPY_DTYPE_PROMOTION"], os.environ["JAX_NUMPY_RANK_PROMOTION"] = "strict", "raise"
# Programs without the lines of Python that they come from: less to write down for each.
os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")
os.environ.setdefault("MPLBACKEND", "agg")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("KERAS_BACKEND", "jax")

settings.register_profile("deterministic", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("deterministic")

gc.disable()


def pytest_collection_finish():
    """From here on garbage is collected, and what was imported and collected before is not looked through for it."""
    gc.freeze()
    gc.enable()


@pytest.fixture
def optimized():
    """Programs compiled with optimizations, for a test that takes its time in running."""
    import jax

    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", not OPTIMIZED)
