"""A transformer pair on the pixels themselves: tokens are patches, and the latent modulates every block.

The plain pair of GAT, which works on the latents of an autoencoder there. Here positions are learned, starting from
two-dimensional sinusoids, where GAT keeps those fixed and rotates queries and keys; the mapping has no equalized
learning rate; and the generator gives one image, not one at each of several depths for the discriminator to see.

References:
    Hyun, Lee and Heo 2025, Scalable GANs with transformers, arXiv 2509.24935, section 3; Dosovitskiy et al. 2020, arXiv
    2010.11929 (patches, class token); Peebles and Xie 2022, arXiv 2212.09748, section 3.2 (adaptive normalization);
    Zhang and Sennrich 2019, arXiv 1910.07467, equation 4 (RMSNorm); Shazeer 2020, arXiv 2002.05202, equation 6 (SwiGLU).
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.errors import InputError
from jaxgan.models.layers import Dense, Embed, fan_in_normal, spread
from jaxgan.types import Images, Logits

SMALL = 0.1  # what scales, gates and layer scales start at: a block starts near the identity


class TransformerGenerator(nn.Module):
    """Map a latent to an image: tokens that are positions, blocks modulated by the mapped latent, one patch a token.

    The mapping is ``w = W2 silu(W1 z / rms(z))``. The output has no nonlinearity.

    Attributes:
        size: side of the image, a multiple of ``patch``.
        channels: of the image.
        patch: side of a token's patch of pixels.
        width: features of a token and of w, a multiple of 4 and of ``heads``.
        depth: number of blocks.
        heads: of the attention.
        classes: 0, or the number of classes, embedded to as many values as the latent has and appended to it.
        dtype: of the blocks' computation.
        remat: keep only what enters each block for the backward pass, and compute its inside again there.
    """

    size: int
    channels: int = 3
    patch: int = 2
    width: int = 384
    depth: int = 12
    heads: int = 6
    classes: int = 0
    dtype: Any = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, z: Any, label: Any = None, *, train: bool = True) -> Images:
        """Map latents [B, Z] and labels [B] to images [B, size, size, channels]."""
        del train
        side = _tokens(self)
        z = rms_norm(z)
        if self.classes:
            z = jnp.concatenate([z, rms_norm(Embed(self.classes, z.shape[-1])(label))], axis=-1)
        w = Dense(self.width, name='map_1')(nn.silu(Dense(self.width, name='map_0')(z)))
        style = nn.silu(w).astype(self.dtype)
        tokens = _positions(self, side)
        x = jnp.broadcast_to(tokens, (z.shape[0], *tokens.shape[1:])).astype(self.dtype)
        block = nn.remat(ModulatedBlock) if self.remat else ModulatedBlock
        for i in range(self.depth):
            x = block(self.heads, self.dtype, name=f'block_{i}')(x, style)
        scale = Dense(self.width, kernel_init=fan_in_normal(SMALL), dtype=self.dtype, name='scale')(style)
        x = (rms_norm(x) * spread(1 + scale[:, None], x)).astype(jnp.float32)
        return join_patches(Dense(self.patch**2 * self.channels, name='to_patch')(x), self.patch)


class TransformerDiscriminator(nn.Module):
    """Map an image to a logit: a linear layer on its patches, a class token beside them, blocks, the class token's logit.

    With classes the last layer has ``width`` outputs, and the logit is their inner product with the label's embedding.

    Attributes:
        size: side of the image, a multiple of ``patch``.
        channels: of the image.
        patch: side of a token's patch of pixels.
        width: features of a token, a multiple of 4 and of ``heads``.
        depth: number of blocks.
        heads: of the attention.
        classes: 0, or the number of classes.
        dtype: of the blocks' computation.
        remat: keep only what enters each block for the backward pass, and compute its inside again there.
    """

    size: int
    channels: int = 3
    patch: int = 2
    width: int = 384
    depth: int = 12
    heads: int = 6
    classes: int = 0
    dtype: Any = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, x: Images, label: Any = None, *, train: bool = True) -> Logits:
        """Map images [B, size, size, channels] and labels [B] to logits [B]."""
        del train
        side = _tokens(self)
        x = Dense(self.width, name='from_patch')(split_patches(x, self.patch)) + _positions(self, side)
        own = self.param('class_token', nn.initializers.normal(0.02), (1, 1, self.width), jnp.float32)
        x = jnp.concatenate([jnp.broadcast_to(own, (x.shape[0], 1, self.width)), x], axis=1)
        x = x.astype(self.dtype)
        block = nn.remat(ScaledBlock) if self.remat else ScaledBlock
        for i in range(self.depth):
            x = block(self.heads, self.dtype, name=f'block_{i}')(x)
        h = RMSNorm(name='norm')(x[:, 0].astype(jnp.float32))
        if not self.classes:
            return Dense(1, name='logit')(h)[:, 0]
        embedding = Embed(self.classes, self.width, fan_in_normal(self.width**-0.5))(label)
        return jnp.sum(Dense(self.width, name='logit')(h) * embedding, axis=-1)


class ModulatedBlock(nn.Module):
    """Add attention, then SwiGLU, each of ``rms_norm(x) (1 + scale)`` and times a gate; both are linear in the style.

    Attributes:
        heads: of the attention.
        dtype: of the computation.
    """

    heads: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Any, style: Any) -> Any:
        """Map tokens [B, T, W] and styles [B, S] to [B, T, W]."""
        width = x.shape[-1]
        modulation = Dense(4 * width, kernel_init=fan_in_normal(SMALL), dtype=self.dtype, name='modulation')
        parts = jnp.split(modulation(style)[:, None], 4, axis=-1)
        scale_1, gate_1, scale_2, gate_2 = (spread(part, x) for part in parts)
        attention = Attention(self.heads, self.dtype, name='attention')
        x = x + gate_1 * attention(rms_norm(x) * (1 + scale_1))
        return x + gate_2 * SwiGLU(self.dtype, name='swiglu')(rms_norm(x) * (1 + scale_2))


class ScaledBlock(nn.Module):
    """Add attention, then SwiGLU, each of ``RMSNorm(x)`` and times a learned scale for each feature, at first 0.1.

    Attributes:
        heads: of the attention.
        dtype: of the computation.

    References:
        Touvron et al. 2021, arXiv 2103.17239, equation 3 (layer scale).
    """

    heads: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Map tokens [B, T, W] to the same shape."""
        attention = Attention(self.heads, self.dtype, name='attention')
        x = x + self._scale('scale_1', x) * attention(RMSNorm(name='norm_1')(x))
        return x + self._scale('scale_2', x) * SwiGLU(self.dtype, name='swiglu')(RMSNorm(name='norm_2')(x))

    def _scale(self, name: str, x: Any) -> Any:
        found = self.param(name, nn.initializers.constant(SMALL), (x.shape[-1],), jnp.float32)
        return spread(found, x)


class Attention(nn.Module):
    """Attend with every head: ``softmax(Q K^T / sqrt(d)) V``, d features a head, then a linear map of all heads.

    Attributes:
        heads: each has an equal part of the features.
        dtype: of the computation; the softmax is float32.

    References:
        Vaswani et al. 2017, arXiv 1706.03762, equation 1 and section 3.2.2.
    """

    heads: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Map tokens [B, T, W] to the same shape."""
        width = x.shape[-1]
        qkv = Dense(3 * width, dtype=self.dtype, name='qkv')(x)
        q, k, v = jnp.split(qkv.reshape(*x.shape[:2], 3 * self.heads, -1), 3, axis=2)
        scores = jnp.einsum('bthd,bshd->bhts', q, k, preferred_element_type=jnp.float32)
        scores = scores * q.shape[-1] ** -0.5
        mixed = jnp.einsum('bhts,bshd->bthd', jax.nn.softmax(scores).astype(self.dtype), v)
        return Dense(width, dtype=self.dtype, name='out')(mixed.reshape(x.shape))


class SwiGLU(nn.Module):
    """Map each token by ``W3 (silu(W1 x) * (W2 x))``, through 8/3 times as many features."""

    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Map tokens [B, T, W] to the same shape."""
        width = x.shape[-1]
        gate, value = jnp.split(Dense(2 * (8 * width // 3), dtype=self.dtype, name='in')(x), 2, axis=-1)
        return Dense(width, dtype=self.dtype, name='out')(nn.silu(gate) * value)


class RMSNorm(nn.Module):
    """Divide by the root mean square over the features, times a learned scale for each."""

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Map [..., W] to the same shape."""
        scale = self.param('scale', nn.initializers.ones, (x.shape[-1],), jnp.float32)
        return rms_norm(x) * spread(scale, x)


def rms_norm(x: Any) -> Any:
    """Divide by the root mean square over the last axis, computed in float32: ``x / sqrt(mean(x^2) + 1e-6)``."""
    y = x.astype(jnp.float32)
    return (y * jax.lax.rsqrt(jnp.mean(jnp.square(y), axis=-1, keepdims=True) + 1e-6)).astype(x.dtype)


def split_patches(x: Any, patch: int) -> Any:
    """Cut images [B, H, W, C] into patches, row by row: [B, H W / patch^2, patch^2 C]."""
    b, h, w, c = x.shape
    x = x.reshape(b, h // patch, patch, w // patch, patch, c).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(b, -1, patch * patch * c)


def join_patches(x: Any, patch: int) -> Any:
    """Lay patches [B, T, patch^2 C] of a square image side by side again: the inverse of ``split_patches``."""
    b, t, values = x.shape
    side, c = round(t**0.5), values // patch**2
    x = x.reshape(b, side, side, patch, patch, c).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(b, side * patch, side * patch, c)


def sinusoids(side: int, width: int) -> np.ndarray:
    """Tabulate ``sin`` and ``cos`` of row and column at ``width / 4`` frequencies ``10^(-16 i / width)``.

    Returns:
        float32 [side^2, width]: sines and cosines of the row, then of the column.
    """
    angles = np.arange(side)[:, None] * 10_000.0 ** -(np.arange(width // 4) * 4 / width)
    line = np.concatenate([np.sin(angles), np.cos(angles)], axis=1)
    rows, columns = np.repeat(line, side, axis=0), np.tile(line, (side, 1))
    return np.concatenate([rows, columns], axis=1).astype(np.float32)


def _positions(module: TransformerGenerator | TransformerDiscriminator, side: int) -> Any:
    def init(key: Any) -> Any:
        del key
        return jnp.asarray(sinusoids(side, module.width), jnp.float32)

    return module.param('positions', init)[None]


def _tokens(module: TransformerGenerator | TransformerDiscriminator) -> int:
    """Count the tokens a side.

    Raises:
        InputError: size, patch, width and heads do not divide as they must.
    """
    if module.size % module.patch:
        raise InputError(f'model.patch {module.patch} does not divide the image size {module.size}')
    if module.width % module.heads or module.width % 4:
        raise InputError(
            f'model.width {module.width} must be a multiple of 4 and of model.heads {module.heads}'
        )
    return module.size // module.patch
