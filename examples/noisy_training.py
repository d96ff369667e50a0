"""A multilayer perceptron trained under Gaussian noise, for ``hidden_cost.py`` and ``noise_augmentation.py``."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from models import MLP

import jaxsmooth as js

BATCH = 128
# Hidden layers, training images, validation images, test images, training steps.
SIZES = {"digits": ((128, 128), 997, 300, 500, 840), "mnist": ((256, 256), 20_000, 1000, 1000, 1500)}


def load(dataset, data_dir):
    """``(train, validation, test)``, each images and labels; validation images come from the training split."""
    _, train, validation, test, _ = SIZES[dataset]
    images, labels = js.datasets.load(dataset, f"train[:{train + validation}]", data_dir=data_dir)
    held_out = js.datasets.load(dataset, f"test[:{test}]", data_dir=data_dir)
    return (images[:train], labels[:train]), (images[train:], labels[train:]), held_out


def trainer(model, images, labels, steps, copies=1):
    """``(key, alpha) -> classify``: Adam, cross-entropy, every image under ``copies`` fresh noises of sigma alpha."""
    images, labels = jnp.asarray(images), jnp.asarray(labels)
    apply = jax.tree_util.Partial(model.apply)

    def train(key, alpha):
        return jax.tree_util.Partial(apply, _weights(model, images, labels, steps, copies, key, np.float32(alpha)))

    return train


@functools.partial(jax.jit, static_argnames=("model", "steps", "copies"))
def _weights(model, images, labels, steps, copies, key, alpha):
    init_key, key = jax.random.split(key)
    weights, optimizer = model.init(init_key, images[:1]), optax.adam(1e-3)

    def loss(weights, x, y):
        return optax.softmax_cross_entropy_with_integer_labels(model.apply(weights, x), y).mean()

    def step(carry, step_key):
        weights, state = carry
        batch_key, noise_key = jax.random.split(step_key)
        batch = jnp.tile(jax.random.choice(batch_key, len(images), (min(BATCH, len(images)),), replace=False), copies)
        x = images[batch] + alpha * jax.random.normal(noise_key, (len(batch), *images.shape[1:]))
        update, state = optimizer.update(jax.grad(loss)(weights, x, labels[batch]), state, weights)
        return (optax.apply_updates(weights, update), state), None

    return jax.lax.scan(step, (weights, optimizer.init(weights)), jax.random.split(key, steps))[0][0]


def network(dataset):
    """The perceptron for a data set, and how many steps to train it."""
    hidden, *_, steps = SIZES[dataset]
    return MLP(hidden), steps
