"""With JAX's persistent cache a second process compiles nothing: programs do not depend on the process."""

import os
import subprocess
import sys

PROGRAM = """
import jax, jax.numpy as jnp, numpy as np, jaxsmooth as js
counted = {"hits": 0, "misses": 0}
def count(event, **_):
    for name in counted:
        counted[name] += event == f"/jax/compilation_cache/cache_{name}"
jax.monitoring.register_event_listener(count)
weights = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
classify = jax.tree_util.Partial(lambda weights, x: jnp.tanh(x) @ weights, weights)
x, key = np.ones((3, 4), np.float32), jax.random.key(0)
for noise in (js.noises.Gaussian(0.5), js.noises.Laplace(0.5)):
    js.certify(key, classify, noise, x, norm=1, n=200)
    js.certify_curve(key, classify, noise, x, [0.0, 0.1], norm=1, n_max=500)
js.predict(key, classify, noise, x, n=100)
print(counted["hits"], counted["misses"])
"""


def test_a_second_process_compiles_nothing(tmp_path):
    environment = {
        **os.environ,
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }
    found = []
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr
        found.append([int(number) for number in done.stdout.split()])
    (_, first), (hits, second) = found
    assert first > 0, "the first process must fill the cache, or this test cannot fail"
    assert second == 0 and hits >= first
