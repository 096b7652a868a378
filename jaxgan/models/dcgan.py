"""DCGAN: a plain convolutional pair for any power-of-two size from 16 and any number of channels.

References:
    Radford, Metz and Chintala 2015, arXiv 1511.06434, section 3 and figure 1.
"""

from functools import partial
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxgan.models.conditioning import Conditioned, Head, batch_norm
from jaxgan.models.fields import as_condition, first_map
from jaxgan.models.layers import (
    Conv,
    ConvTranspose,
    Dense,
    Embed,
    fan_in_normal,
    leaky_gain,
    leaky_relu,
    resolutions,
)
from jaxgan.types import Field, Images, Logits, Verdict


class DCGANGenerator(nn.Module):
    """Map a latent to an image: a linear layer to 4x4, then transposed 4x4 convolutions that double the side.

    The widths halve as the side doubles: ``width`` is that of the last hidden layer, at half the image's side.

    Attributes:
        size: side of the image, a power of two of at least 16.
        channels: of the image.
        width: features at half the image's side; those below have twice as many, up to ``max_width``.
        max_width: the most features of a layer.
        norm: ``'batch'`` (the paper: batch normalization, ReLU, kernels from N(0, 0.02^2)) or ``'none'`` (leaky
            ReLU, kernels scaled by fan-in), for penalties that are defined for one sample.
        output: ``'tanh'`` (the paper) or ``'linear'``.
        refine: features at full size, which a 3x3 convolution turns into the image; 0: none, as in the paper.
        classes: 0, or the number of classes, whose embedding is appended to the latent.
        dtype: of the computation.
    """

    size: int
    channels: int = 3
    width: int = 64
    max_width: int = 512
    norm: str = 'batch'
    output: str = 'tanh'
    refine: int = 0
    classes: int = 0
    dtype: Any = jnp.float32

    @property
    def field(self) -> Field:
        """How it takes a field of latents: its layers see less than two places of the 4x4 map around them."""
        return Field(self.size // 2, 1, 2)

    @nn.compact
    def __call__(self, z: Any, label: Any = None, *, train: bool = True) -> Images:
        """Map latents [B, Z] and labels [B] to images [B, size, size, channels]; a field of latents to a larger one."""
        doublings = len(resolutions(self.size)) - 1
        hidden = _hidden(self)
        condition = Embed(self.classes, 64)(label) if self.classes else None
        first, *widths = [min(self.width << i, self.max_width) for i in reversed(range(doublings))]
        bias = self.norm == 'none'
        dense = Dense(16 * first, use_bias=bias, kernel_init=_init(self.norm), dtype=self.dtype)

        def make(z: Any) -> Any:
            if condition is not None:
                z = jnp.concatenate([z, as_condition(condition, z).astype(z.dtype)], axis=-1)
            return dense(z).reshape(*z.shape[:-1], 4, 4, first)

        x = _activate(first_map(make, z), self.norm, train)
        for features in widths:
            x = _activate(hidden(features)(x), self.norm, train)
        if self.refine:
            x = _activate(hidden(self.refine)(x), self.norm, train)
            x = Conv(self.channels, kernel_init=_init(self.norm, 1.0), dtype=self.dtype)(x)
        else:
            x = ConvTranspose(self.channels, kernel_init=_init(self.norm, 1.0, 2), dtype=self.dtype)(x)
        x = x.astype(jnp.float32)
        return jnp.tanh(x) if self.output == 'tanh' else x


class DCGANDiscriminator(Conditioned, nn.Module):
    """Map an image to a logit: 4x4 convolutions that halve the side down to 4, then one linear layer.

    With classes the label meets the sums of the last features over positions.

    Attributes:
        size: side of the image, a power of two of at least 16.
        channels: of the image.
        width: features at half the image's side; twice as many at each halving, up to ``max_width``.
        max_width: the most features of a layer.
        norm: ``'batch'`` (the paper; all layers but the first) or ``'none'``.
        refine: features at full size, made by a 3x3 convolution before the first halving; 0: none, as in the paper.
        classes: 0, or the number of classes.
        conditioning: how labels enter: one of ``Head``'s.
        dtype: of the computation.
    """

    size: int
    channels: int = 3
    width: int = 64
    max_width: int = 512
    norm: str = 'batch'
    refine: int = 0
    classes: int = 0
    conditioning: str = 'projection'
    dtype: Any = jnp.float32

    def setup(self) -> None:
        """Make the head, whose parameters stand among the discriminator's own."""
        init, embedding_init = _init(self.norm, 1.0), fan_in_normal(0.1)
        self.head = Head(self.classes, self.conditioning, init, embedding_init, dtype=self.dtype)
        nn.share_scope(self, self.head)

    @property
    def mixes_samples(self) -> bool:
        """Whether what a sample gets depends on others: with batch normalization, or with D2D-CE."""
        return self.norm == 'batch' or super().mixes_samples

    @nn.compact
    def __call__(self, x: Images, label: Any = None, *, train: bool = True) -> Logits | Verdict:
        """Map images [B, size, size, channels] and labels [B] to logits [B], or to a ``Verdict``."""
        halvings = len(resolutions(self.size)) - 1
        if self.refine:
            x = leaky_relu(Conv(self.refine, kernel_init=_init(self.norm), dtype=self.dtype)(x))
        for i in range(halvings):
            norm = self.norm if i else 'none'  # the paper leaves the first layer without normalization
            features = min(self.width << i, self.max_width)
            x = Conv(
                features,
                (4, 4),
                2,
                1,
                use_bias=norm == 'none',
                kernel_init=_init(self.norm),
                dtype=self.dtype,
            )(x)
            x = leaky_relu(batch_norm(x, train) if norm == 'batch' else x)
        pooled = jnp.sum(x.astype(jnp.float32), axis=(1, 2))
        return self.head(pooled, label, x.reshape(x.shape[0], -1))


def _init(norm: str, gain: float | None = None, overlap: int = 1) -> Any:
    if norm == 'batch':
        return nn.initializers.normal(0.02)
    return fan_in_normal(leaky_gain() if gain is None else gain, overlap)


def _hidden(module: DCGANGenerator) -> Any:
    init = _init(module.norm, None, 2)
    return partial(ConvTranspose, use_bias=module.norm == 'none', kernel_init=init, dtype=module.dtype)


def _activate(x: Any, norm: str, train: bool) -> Any:
    return nn.relu(batch_norm(x, train)) if norm == 'batch' else leaky_relu(x)
