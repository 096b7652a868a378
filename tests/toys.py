"""Small plain-JAX networks and recipes that several tests share."""

import jax
import jax.numpy as jnp
import optax

from jaxgan import Recipe, from_functions, losses, regularizers
from jaxgan.latents import normal
from jaxgan.types import Regularizer


def mlp(sizes, squeeze=False, classes=0):
    """A leaky-ReLU MLP on flat inputs; with classes the label is appended as one-hot."""

    def init(key, x, label=None):
        widths = [x.shape[-1] + classes, *sizes]
        keys = jax.random.split(key, len(sizes))
        return [
            {'w': jax.random.normal(k, (a, b)) * (2 / a) ** 0.5, 'b': jnp.zeros((b,))}
            for k, a, b in zip(keys, widths[:-1], widths[1:])
        ]

    def apply(params, x, label=None):
        if classes:
            x = jnp.concatenate([x, jax.nn.one_hot(label, classes)], axis=-1)
        for i, layer in enumerate(params):
            x = x @ layer['w'] + layer['b'][None]
            if i < len(params) - 1:
                x = jax.nn.leaky_relu(x, 0.2)
        return x[:, 0] if squeeze else x

    return from_functions(init, apply)


def pair(latent=4, width=16, data=2, classes=0):
    del latent
    return mlp((width, width, data), classes=classes), mlp((width, width, 1), squeeze=True, classes=classes)


def recipe(**changes):
    defaults = {
        'loss': losses.relativistic,
        'g_tx': optax.sgd(0.05),
        'd_tx': optax.sgd(0.05),
        'latents': normal(4),
        'd_regularizers': (Regularizer(regularizers.r1, 0.5), Regularizer(regularizers.r2, 0.5)),
    }
    return Recipe(**(defaults | changes))


def points(key, n, data=2, classes=0):
    batch = {'image': jax.random.normal(key, (n, data))}
    if classes:
        batch['label'] = jnp.arange(n) % classes
    return batch
