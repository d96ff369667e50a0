# %% [markdown]
# # A first certificate
#
# A classifier, noise, votes, a radius for every image, and what it says. Runs in a minute on a laptop.
# `pip install "jaxsmooth[plot]"`.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np

import jaxsmooth as js

# %% [markdown]
# ## A classifier
#
# Any callable from a batch of images to a batch of scores. Here it compares an image with the mean of each class. Wrapped in
# a `Partial`, its weights are data: other weights do not compile again.

# %%
train_images, train_labels = js.datasets.load("digits", "train")
images, labels = js.datasets.load("digits", "test[:200]")
templates = jnp.stack(
    [train_images[train_labels == c].mean(0).ravel() for c in range(10)]
)
distances = lambda t, x: -((x.reshape(len(x), 1, -1) - t) ** 2).sum(-1)
classify = jax.tree_util.Partial(distances, templates)
print("accuracy without noise", float((classify(images).argmax(-1) == labels).mean()))

# %% [markdown]
# ## Noise
#
# Gaussian, with a standard deviation of a quarter of the range of pixels, which lie in [0, 1]. This is what it does to digits:

# %%
noise = js.noises.Gaussian(0.25)
figure, axes = plt.subplots(2, 6, figsize=(7, 2.6), layout="constrained")
for i, (above, below) in enumerate(axes.T):
    above.imshow(images[i, ..., 0], cmap="gray_r")
    drawn = noise.sample(jax.random.key(i), images[i].shape)
    below.imshow((images[i] + drawn)[..., 0], cmap="gray_r")
    above.set_axis_off()
    below.set_axis_off()

# %% [markdown]
# Before anything long: is there something suspicious about classifier, images and noise?

# %%
print(js.check_classifier(jax.random.key(9), classify, noise, images))

# %% [markdown]
# ## Certificates
#
# 100 votes select a class, 1,000 others bound its probability, and a theorem turns the bound into a radius.

# %%
certificates = js.certify(jax.random.key(0), classify, noise, images, n=1000)
certificates

# %% [markdown]
# One of them: with probability 0.999 over the noise that was drawn, no perturbation of the image that is shorter than the
# radius changes the answer of the smoothed classifier. The rule names the theorem.

# %%
print(certificates.label[0], certificates.radius[0], certificates.rule[0])

# %% [markdown]
# All of them, against the truth:

# %%
js.analysis.summary(certificates, labels, radii=[0, 0.25, 0.5])

# %%
figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
axes = js.analysis.plot_certified_accuracy(certificates, labels, alpha=0.05, ax=axes)

# %% [markdown]
# ## What limits a radius
#
# The votes that agree, and their number: even if all n agree they prove no more than $p = \alpha^{1/n}$.

# %%
for n in (1000, 10_000, 100_000):
    print(
        f"{n:7} votes prove at most {js.radii.sampling_cap(noise, n=n, alpha=0.001):.3f}"
    )

# %% [markdown]
# Where only some radii matter, `certify_curve` stops as soon as the answer is clear, up to 100,000 votes where it is not:

# %%
curve = js.certify_curve(
    jax.random.key(0), classify, noise, images, [0, 0.25, 0.5, 0.75], labels=labels
)
print(js.analysis.certified_accuracy(curve, labels, [0, 0.25, 0.5, 0.75]))
print("votes an image, median:", int(np.median(curve.samples)))
