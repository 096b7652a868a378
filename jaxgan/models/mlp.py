"""MLP: fully connected networks on flattened samples of any side, down to the single pixel that a point is.

References:
    Goodfellow et al. 2014, arXiv 1406.2661, section 5, for the pair; Tancik et al. 2020, Fourier features let networks
    learn high frequency functions in low dimensional domains, arXiv 2006.10739, equation 5, for the features.
"""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.models.layers import Dense, Embed, fan_in_normal, leaky_gain, leaky_relu
from jaxgan.types import Images, Logits


class MLPGenerator(nn.Module):
    """Map a latent to a sample: ``depth`` linear layers with leaky ReLU, then one to all values, without a nonlinearity.

    Attributes:
        size: side of the sample; 1 for points.
        channels: values of a pixel.
        width: features of each hidden layer.
        depth: number of hidden layers.
        classes: 0, or the number of classes, embedded to as many values as the latent has and appended to it.
        dtype: of the computation.
    """

    size: int
    channels: int = 3
    width: int = 256
    depth: int = 3
    classes: int = 0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, z: Any, label: Any = None, *, train: bool = True) -> Images:
        """Map latents [B, Z] and labels [B] to samples [B, size, size, channels]."""
        del train
        if self.classes:
            z = jnp.concatenate([z, Embed(self.classes, z.shape[-1])(label)], axis=-1)
        x = _hidden(self, z)
        x = Dense(self.size**2 * self.channels, dtype=self.dtype)(x).astype(jnp.float32)
        return x.reshape(-1, self.size, self.size, self.channels)


class MLPDiscriminator(nn.Module):
    """Map a sample to a logit: ``depth`` linear layers with leaky ReLU, then one to the logit.

    With ``fourier`` frequencies the first layer also sees ``sin(2 pi B x)`` and ``cos(2 pi B x)``, B drawn once from
    N(0, scale^2) and kept, untrained, in ``aux``: a plain MLP is slow to tell apart what lies close together. With
    classes the label enters by projection (Miyato and Koyama 2018, arXiv 1802.05637, equation 3).

    Attributes:
        size: side of the sample; 1 for points.
        channels: values of a pixel.
        width: features of each hidden layer.
        depth: number of hidden layers.
        fourier: number of frequencies; 0: none.
        scale: standard deviation of the frequencies, in periods for each unit of x.
        classes: 0, or the number of classes.
        dtype: of the computation.
    """

    size: int
    channels: int = 3
    width: int = 256
    depth: int = 3
    fourier: int = 0
    scale: float = 1.0
    classes: int = 0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Images, label: Any = None, *, train: bool = True) -> Logits:
        """Map samples [B, size, size, channels] and labels [B] to logits [B]."""
        del train
        x = x.reshape(x.shape[0], -1)
        if self.fourier:
            angles = 2 * math.pi * (x @ self._frequencies(x.shape[-1]))
            x = jnp.concatenate([x, jnp.sin(angles), jnp.cos(angles)], axis=-1)
        h = _hidden(self, x)
        logits = Dense(1, dtype=self.dtype)(h)[:, 0].astype(jnp.float32)
        if self.classes:
            embedding = Embed(self.classes, self.width, fan_in_normal(self.width**-0.5))(label)
            logits += jnp.sum(h.astype(jnp.float32) * embedding, axis=-1)
        return logits

    def _frequencies(self, values: int) -> Any:
        def draw() -> Any:
            return self.scale * jax.random.normal(self.make_rng('params'), (values, self.fourier))

        return self.variable('constants', 'frequencies', draw).value


def _hidden(module: MLPGenerator | MLPDiscriminator, x: Any) -> Any:
    init = fan_in_normal(leaky_gain())
    for _ in range(module.depth):
        x = leaky_relu(Dense(module.width, kernel_init=init, dtype=module.dtype)(x))
    return x
