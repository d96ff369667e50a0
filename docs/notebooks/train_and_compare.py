# %% [markdown]
# # Train and compare
#
# The same network with two objectives, certified on the same images, and the table for the paper. Two minutes on a laptop.
# `pip install "jaxsmooth[plot]" optax`.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import optax

import jaxsmooth as js

images, labels = map(jnp.asarray, js.datasets.load("digits", "train"))
test_images, test_labels = js.datasets.load("digits", "test[:300]")
noise = js.noises.Gaussian(0.25)

# %% [markdown]
# ## A network and a step
#
# Functions of weights; Flax works as well (see *Training networks that certify*). An objective is a function of a key, the network,
# the noise and a batch, and returns a loss.


# %%
def first_weights(key):
    one, two = jax.random.split(key)
    return [
        jax.random.normal(one, (64, 256)) / 8,
        jax.random.normal(two, (256, 10)) / 16,
    ]


def network(weights, x):
    return jax.nn.relu(x.reshape(len(x), -1) @ weights[0]) @ weights[1]


EPOCHS, BATCH = 60, 128
STEPS = EPOCHS * (len(images) // BATCH)
optimizer = optax.sgd(optax.cosine_decay_schedule(0.1, STEPS), momentum=0.9)


def train(objective, seed):
    @jax.jit
    def step(carry, number):
        weights, state = carry
        key = jax.random.fold_in(jax.random.key(seed), number)
        picked = jax.random.randint(
            jax.random.fold_in(key, 1), (BATCH,), 0, len(images)
        )

        def loss(weights):
            apply = jax.tree_util.Partial(network, weights)
            return objective(
                key, apply, noise, images[picked], labels[picked], step=number
            )

        (value, _), gradient = jax.value_and_grad(loss, has_aux=True)(weights)
        update, state = optimizer.update(gradient, state)
        return (optax.apply_updates(weights, update), state), value

    weights = first_weights(jax.random.key(100 + seed))
    (weights, _), losses = jax.lax.scan(
        step, (weights, optimizer.init(weights)), jnp.arange(STEPS)
    )
    return weights, losses


# %% [markdown]
# ## Two objectives
#
# Gaussian augmentation asks for right answers under noise; Consistency also asks the noisy copies of an image to agree. Both see
# two copies of each image.

# %%
objectives = {
    "gaussian": js.objectives.GaussianAugmentation(num_samples=2),
    "consistency": js.objectives.Consistency(lam=5.0, eta=0.5, num_samples=2),
}
trained = {name: train(objective, seed=0) for name, objective in objectives.items()}

# %%
figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
for name, (_, losses) in trained.items():
    axes.plot(losses.reshape(EPOCHS, -1).mean(1), label=name)
axes.set(xlabel="epoch", ylabel="loss")
legend = axes.legend()

# %% [markdown]
# ## Certify
#
# The same key for both: votes of image i see the same noise. As the weights are data, the second one compiles nothing.

# %%
runs = {}
for name, (weights, _) in trained.items():
    classify = jax.tree_util.Partial(network, weights)
    found = js.certify(jax.random.key(1), classify, noise, test_images, n=4000)
    runs[name] = (found, test_labels)

# %%
print(js.analysis.table(runs, [0, 0.25, 0.5, 0.75], baseline="gaussian"))

# %%
print(
    js.analysis.table(runs, [0, 0.25, 0.5, 0.75], baseline="gaussian", format="latex")
)

# %%
figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
certificates = {name: found for name, (found, _) in runs.items()}
axes = js.analysis.plot_certified_accuracy(
    certificates, test_labels, alpha=0.05, ax=axes
)

# %% [markdown]
# ## Who pays?
#
# Certified accuracy of every class, with exact intervals:

# %%
js.analysis.class_wise_accuracy(runs["consistency"][0], test_labels, radius=0.5)
