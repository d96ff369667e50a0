# %% [markdown]
# # A pod run in miniature
#
# Eight devices, a ledger, a kill, a resumption, parts that are merged, and certificates at another alpha without the classifier:
# what a long run on a pod does, with eight virtual devices of one CPU. `pip install jaxsmooth`.

# %%
import os

os.environ["XLA_FLAGS"] = (
    "--xla_force_host_platform_device_count=8"  # before JAX starts
)

import pathlib
import tempfile
import warnings

import jax
import jax.numpy as jnp
import numpy as np

import jaxsmooth as js

mesh = jax.make_mesh((8,), ("draws",))
print(mesh)

# %% [markdown]
# ## Can these devices be trusted?

# %%
js.self_check(mesh=mesh)

# %% [markdown]
# ## A run that is killed
#
# `ledger=` names a file to which votes are written as images are finished. This is what a run leaves whose machine is taken away
# after 40 of 64 images, in the middle of writing a line:

# %%
train_images, train_labels = js.datasets.load("digits", "train")
images, labels = js.datasets.load("digits", "test[:64]")
means = [train_images[train_labels == c].mean(0).ravel() for c in range(10)]
distances = lambda t, x: -((x.reshape(len(x), 1, -1) - t) ** 2).sum(-1)
classify = jax.tree_util.Partial(distances, jnp.stack(means))
key, noise = jax.random.key(0), js.noises.Gaussian(0.25)
folder = pathlib.Path(tempfile.mkdtemp())
ledger = folder / "votes.jsonl"

options = {"n": 2000, "mesh": mesh, "ledger": ledger}
js.certify(key, classify, noise, images[:40], **options)
written = ledger.write_bytes(ledger.read_bytes() + b'{"image":40,"pixels":"5f')

# %% [markdown]
# ## The same call goes on
#
# All images at once this time, on the same mesh. What is recorded is not drawn again, and the counts are those of a run that was
# never killed.

# %%
with warnings.catch_warnings(record=True) as caught:
    resumed = js.certify(key, classify, noise, images, **options)
print(str(caught[0].message).partition(": ")[2])
straight = js.certify(key, classify, noise, images, n=2000)  # one device, no ledger
print("the same to the last vote:", resumed == straight)

# %% [markdown]
# ## Two jobs, one ledger
#
# Images may be split over jobs that know nothing of each other; `image_ids` say which they are.

# %%
parts = [folder / "job-0.jsonl", folder / "job-1.jsonl"]
for part, ids in zip(parts, (np.arange(32), np.arange(32, 64)), strict=True):
    x = images[ids]
    js.certify(key, classify, noise, x, n=2000, image_ids=ids, ledger=part)
js.ledger.merge(parts, folder / "all.jsonl")
again = js.recertify(folder / "all.jsonl", noise, js.designs.Fixed(n=2000))
print("the same certificates:", bool((again.radius == straight.radius).all()))

# %% [markdown]
# ## Other questions to the same votes
#
# Another alpha, another norm, fewer votes: without the classifier and in milliseconds.

# %%
for design in (
    js.designs.Fixed(n=2000, alpha=1e-6),
    js.designs.Fixed(n=1000),
    js.designs.Fixed(n=2000, norm=np.inf),
):
    found = js.recertify(folder / "all.jsonl", noise, design)
    print(f"{found.radius.mean():.4f}", design)

# %% [markdown]
# The same from a shell: `jaxsmooth merge job-0.jsonl job-1.jsonl --into all.jsonl`, then
# `jaxsmooth recertify all.jsonl --alpha 1e-6`. On a real pod every process makes the same call with a mesh of all devices;
# `examples/certify_pod.py` is such a script.
