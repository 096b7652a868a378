"""The parts of a style-based generator: what makes a style, and the layers that wear it.

References:
    Karras et al. 2020, Analyzing and improving the image quality of StyleGAN, arXiv 1912.04958, section 2 and figure 2.
"""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.models.equalized import EqualDense, biased, modulated_conv, normalized
from jaxgan.models.fields import joined
from jaxgan.models.layers import Embed, spread


class StyleMapping(nn.Module):
    """Map a latent, a label or both to a style: each normalized, then layers that learn a hundred times slower.

    Attributes:
        features: of each layer and of the result.
        layers: how many.
        classes: 0, or the number of classes, embedded to ``features`` values.
    """

    features: int
    layers: int
    classes: int = 0

    @nn.compact
    def __call__(self, z: Any, label: Any = None) -> Any:
        """Map z [B, Z] (or None) and labels [B] to [B, features]."""
        parts = [] if z is None else [normalized(z)]
        if self.classes:
            table = Embed(self.classes, self.features, nn.initializers.normal(1.0))
            bias = self.param('bias', nn.initializers.zeros, (self.features,), jnp.float32)
            parts.append(normalized(biased(table(label) / math.sqrt(self.classes), bias, False)))
        x = jnp.concatenate(parts, axis=-1)
        for _ in range(self.layers):
            x = EqualDense(self.features, activate=True, lr_multiplier=0.01)(x)
        return x


class StyledConv(nn.Module):
    """A modulated 3x3 convolution, noise of a learned strength, a bias and a leaky ReLU.

    Attributes:
        features: of the result.
        layer: its number, by which layers draw different noise from one key.
        up: double the size.
        clamp: the largest magnitude of the result, or None.
        dtype: of the computation.
    """

    features: int
    layer: int
    up: bool = False
    clamp: float | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Any, w: Any, keys: Any = None) -> Any:
        """Map [B, H, W, C], a style [B, W] and the noise's keys [B] (None: the noise kept in ``aux``), or fields of both."""
        style = EqualDense(x.shape[-1], bias=1.0, name='style')(w)
        shape = (3, 3, x.shape[-1], self.features)
        kernel = self.param('kernel', nn.initializers.normal(1.0), shape, jnp.float32)
        y = modulated_conv(x.astype(self.dtype), kernel, style, up=self.up)
        strength = self.param('noise_strength', nn.initializers.zeros, (), jnp.float32)
        noise = self._noise(y.shape[1:3], keys, w.shape[1:-1]) * strength
        bias = self.param('bias', nn.initializers.zeros, (self.features,), jnp.float32)
        return biased(y + spread(noise[..., None], y), bias, True, self.clamp)

    def _noise(self, size: tuple[int, int], keys: Any, field: tuple[int, ...]) -> Any:
        kept = self.variable('noise', 'image', lambda: jax.random.normal(self.make_rng('params'), size))
        if keys is None:
            return jnp.tile(kept.value, field)[None] if field else kept.value[None]
        if field:  # each cell has noise of its own
            side = kept.value.shape
            draw = jax.vmap(lambda key: jax.random.normal(jax.random.fold_in(key, self.layer), side))
            return joined(draw(keys.reshape(-1)).reshape(*keys.shape, *side))
        return jax.vmap(lambda key: jax.random.normal(jax.random.fold_in(key, self.layer), size))(keys)


class ToImage(nn.Module):
    """A modulated 1x1 convolution to the image's channels, without demodulation, and a bias.

    Attributes:
        channels: of the image.
        clamp: the largest magnitude of the result, or None.
        dtype: of the computation; the result is float32.
    """

    channels: int
    clamp: float | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Any, w: Any) -> Any:
        """Map [B, H, W, C] and a style [B, W] to [B, H, W, channels]."""
        style = EqualDense(x.shape[-1], bias=1.0, name='style')(w) / math.sqrt(x.shape[-1])
        shape = (1, 1, x.shape[-1], self.channels)
        kernel = self.param('kernel', nn.initializers.normal(1.0), shape, jnp.float32)
        y = modulated_conv(x.astype(self.dtype), kernel, style, demodulate=False)
        bias = self.param('bias', nn.initializers.zeros, (self.channels,), jnp.float32)
        return biased(y, bias, False, self.clamp).astype(jnp.float32)
