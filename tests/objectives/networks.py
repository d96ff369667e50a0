"""Small networks for the tests: one without a state, one with BatchNorm statistics, one with dropout."""

import functools

import jax
import jax.numpy as jnp
from flax import linen as nn

CLASSES = 3
X = jax.random.uniform(jax.random.key(0), (8, 2, 3))
LABELS = jnp.array([0, 1, 2, 0, 1, 2, 0, 1])
TARGETS = jax.jit(lambda labels: jax.nn.softmax(3 * jax.nn.one_hot(labels, CLASSES)))(LABELS)


def mlp(weights, batch):
    hidden = jnp.tanh(batch.reshape(len(batch), -1) @ weights["hidden"])
    return hidden @ weights["output"]


WEIGHTS = {
    "hidden": jax.random.normal(jax.random.key(1), (6, 16)),
    "output": jax.random.normal(jax.random.key(2), (16, CLASSES)),
}
APPLY = functools.partial(mlp, WEIGHTS)


class Normed(nn.Module):
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x, train=False):
        x = nn.Dense(16)(x.reshape(len(x), -1))
        x = nn.BatchNorm(use_running_average=not train, momentum=0.9, axis_name=self.axis_name if train else None)(x)
        return nn.Dense(CLASSES)(nn.relu(x))


VARIABLES = jax.jit(Normed().init)(jax.random.key(3), X)


def normed_train(params, stats, batch, axis_name=None):
    variables = {"params": params, "batch_stats": stats}
    logits, new = Normed(axis_name).apply(variables, batch, train=True, mutable=["batch_stats"])
    return logits, new["batch_stats"]


def normed_eval(params, stats, batch):
    return Normed().apply({"params": params, "batch_stats": stats}, batch)


class Dropped(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        x = nn.Dropout(0.5, deterministic=not train)(nn.relu(nn.Dense(64)(x.reshape(len(x), -1))))
        return nn.Dense(CLASSES)(x)
