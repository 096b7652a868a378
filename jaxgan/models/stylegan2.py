"""StyleGAN2: a generator whose layers are modulated by styles, and a discriminator that sees how samples vary.

References:
    Karras et al. 2020, Analyzing and improving the image quality of StyleGAN, arXiv 1912.04958, sections 2 and 4.1, figures 2
    and 7; class conditioning and the settings for CIFAR-10, Karras et al. 2020, Training generative adversarial networks
    with limited data, arXiv 2006.06676, appendix D.
"""

import itertools
import math
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.models.equalized import EqualConv, EqualDense, minibatch_deviation
from jaxgan.models.layers import resolutions
from jaxgan.models.styles import StyledConv, StyleMapping, ToImage
from jaxgan.ops import downsample2d, upsample2d
from jaxgan.types import Field, Images, Logits, Mixture, StyleLatents

AVERAGE_DECAY = 0.995


class StyleSynthesis(nn.Module):
    """Map a style for each layer to an image, the sum of one at each side (the skip architecture).

    Attributes:
        stages: (side, features, dtype), from 4x4.
        channels: of the image.
        clamp: the largest magnitude of activations, or None.
    """

    stages: tuple[tuple[int, int, Any], ...]
    channels: int
    clamp: float | None = None

    @nn.compact
    def __call__(self, w: Any, keys: Any = None) -> Any:
        """Map w [B, 2 stages, W] and the noise's keys [B] to images; a field [B, rows, columns, 2 stages, W] repeats the constant."""
        constant = self.param('constant', nn.initializers.normal(1.0), (4, 4, self.stages[0][1]), jnp.float32)
        whole = jnp.tile(constant, (*w.shape[1:-2], 1)) if w.ndim == 5 else constant
        x = jnp.broadcast_to(whole[None], (w.shape[0], *whole.shape))
        image, layer = None, 0
        for side, width, dtype in self.stages:
            for up in (False,) if side == 4 else (True, False):
                conv = StyledConv(width, layer, up, self.clamp, dtype, name=f'conv_{layer}')
                x = conv(x, w[..., layer, :], keys)
                layer += 1
            # this style is also that of the next side's first convolution
            shown = ToImage(self.channels, self.clamp, dtype, name=f'to_image_{side}')(x, w[..., layer, :])
            image = shown if image is None else upsample2d(image) + shown
        return image


class StyleGAN2Generator(nn.Module):
    """Map a latent to styles w, and these to an image.

    In training it takes ``StyleLatents``, with noise and styles to mix. ``aux`` keeps the noise of the images that are
    made from z alone, and the average style ``averages/w``, which only training moves (decay 0.995): for truncation.

    Attributes:
        size: side of the image, a power of two of at least 8.
        channels: of the image.
        w_dim: values in a style.
        mapping_layers: between z and w.
        channel_base: features at a side are ``min(channel_base / side, channel_max)``.
        channel_max: the most features of a layer.
        mixing: the probability of two styles in an image of training; see ``latents.styled``.
        clamp: the largest magnitude of activations, or None.
        classes: 0, or the number of classes.
        low_precision: so many of the largest sides compute in ``dtype``, the others and 4x4 in float32.
        dtype: of the computation there.
    """

    equalized = True  # kernels are scaled when used: spectral normalization would scale them away

    size: int
    channels: int = 3
    w_dim: int = 512
    mapping_layers: int = 8
    channel_base: int = 32_768
    channel_max: int = 512
    mixing: float = 0.9
    clamp: float | None = 256.0
    classes: int = 0
    low_precision: int = 4
    dtype: Any = jnp.float32

    @property
    def field(self) -> Field:
        """How it takes a field of styles: its layers see less than four places of the 4x4 map around them, and half a cell's style."""
        return Field(self.size, 0, 2)

    def setup(self) -> None:
        """Make the two parts and the average."""
        self.stages = _stages(self)
        self.mapper = StyleMapping(self.w_dim, self.mapping_layers, self.classes)
        self.painter = StyleSynthesis(self.stages, self.channels, self.clamp)
        self.average = self.variable('averages', 'w', jnp.zeros, (self.w_dim,), jnp.float32)

    def mapping(self, latents: Any, label: Any = None) -> Any:
        """Map latents ([B, Z] or StyleLatents) and labels ([B] or a Mixture) to w [B, layers, W]; the first layer's is always z's."""
        if isinstance(label, Mixture):
            parts = [self.mapping(latents, label.classes[:, i]) for i in range(label.classes.shape[1])]
            return sum(label.weights[:, i, None, None] * part for i, part in enumerate(parts))
        layers = 2 * len(self.stages)
        if not isinstance(latents, StyleLatents):
            return self._repeated(self.mapper(latents, label), layers)
        if latents.other is None:
            return self._repeated(self.mapper(latents.z, label), layers)
        both = None if label is None else jnp.concatenate([label, label])
        w, other = jnp.split(self.mapper(jnp.concatenate([latents.z, latents.other]), both), 2)
        first = 1 + jnp.floor(latents.crossover * (layers - 1)).astype(
            jnp.int32
        )  # of the layers with z's style
        own = jnp.arange(layers)[None] < first[:, None]
        return jnp.where(own[..., None], self._repeated(w, layers), self._repeated(other, layers))

    def synthesis(self, w: Any, latents: Any = None) -> Any:
        """Map w [B, layers, W] to images [B, size, size, channels], with the noise of StyleLatents or the kept one.

        A field of styles, [B, rows, columns, layers, W], and of keys, [B, rows, columns], makes a larger one.
        """
        return self.painter(w, latents.noise if isinstance(latents, StyleLatents) else None)

    def __call__(self, latents: Any, label: Any = None, *, train: bool = True) -> Images:
        """Map latents ([B, Z] or StyleLatents) and labels [B] to images [B, size, size, channels]."""
        w = self.mapping(latents, label)
        if train and not self.is_initializing():
            mean = jnp.mean(jax.lax.stop_gradient(w[:, 0]), axis=0)
            self.average.value = mean + AVERAGE_DECAY * (self.average.value - mean)
        return self.synthesis(w, latents)

    def _repeated(self, w: Any, layers: int) -> Any:
        return jnp.broadcast_to(w[:, None], (w.shape[0], layers, w.shape[1]))


class StyleBlock(nn.Module):
    """Two 3x3 convolutions, the second of which halves the size; with a skip around them, scaled to keep the variance.

    Attributes:
        features: of the result.
        residual: whether there is a skip.
        clamp: the largest magnitude of activations, or None.
        dtype: of the computation.
    """

    features: int
    residual: bool
    clamp: float | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Map [B, H, W, C] to [B, H/2, W/2, features]."""
        gain = math.sqrt(0.5) if self.residual else 1.0
        conv = partial(EqualConv, clamp=self.clamp, dtype=self.dtype)
        h = conv(x.shape[-1], name='conv_0')(x)
        h = conv(self.features, down=True, gain=gain, name='conv_1')(h)
        if not self.residual:
            return h
        skip = EqualConv(self.features, 1, True, False, gain, dtype=self.dtype, name='skip')
        return h + skip(x)


class StyleGAN2Discriminator(nn.Module):
    """Map an image to a logit: blocks that halve the side to 4x4, the minibatch deviation, two dense layers.

    With classes, the logit is the inner product of as many values as the last stage has features with the mapped
    label, divided by the square root of their number.

    Attributes:
        size: side of the image, a power of two of at least 8.
        channels: of the image.
        channel_base: features at a side are ``min(channel_base / side, channel_max)``.
        channel_max: the most features of a layer.
        mapping_layers: between the label's embedding and what is projected on.
        architecture: ``'residual'``; ``'skip'``: each side also sees the image; ``'orig'``: neither.
        deviation_group: samples that the minibatch deviation compares; 1: none.
        deviation_features: feature maps that it makes.
        clamp: the largest magnitude of activations, or None.
        classes: 0, or the number of classes.
        low_precision: so many of the largest sides compute in ``dtype``, the others and 4x4 in float32.
        dtype: of the computation there.
    """

    equalized = True  # kernels are scaled when used: spectral normalization would scale them away

    size: int
    channels: int = 3
    channel_base: int = 32_768
    channel_max: int = 512
    mapping_layers: int = 8
    architecture: str = 'residual'
    deviation_group: int = 4
    deviation_features: int = 1
    clamp: float | None = 256.0
    classes: int = 0
    low_precision: int = 4
    dtype: Any = jnp.float32

    @property
    def mixes_samples(self) -> bool:
        """Whether a sample's logit depends on others: with the minibatch deviation."""
        return self.deviation_group > 1

    @nn.compact
    def __call__(self, image: Images, label: Any = None, *, train: bool = True) -> Logits:
        """Map images [B, size, size, channels] and labels [B] to logits [B]."""
        del train
        stages = _stages(self)[::-1]
        width = stages[-1][1]
        x = _seen(self, image, stages[0])
        for stage, following in itertools.pairwise(stages):
            side, _, dtype = stage
            residual = self.architecture == 'residual'
            x = StyleBlock(following[1], residual, self.clamp, dtype, name=f'block_{side}')(x)
            if self.architecture == 'skip':
                image = downsample2d(image)
                x = x.astype(following[2]) + _seen(self, image, following)
        x = x.astype(jnp.float32)
        if self.deviation_group > 1:
            x = minibatch_deviation(x, self.deviation_group, self.deviation_features)
        h = EqualConv(width, clamp=self.clamp, name='conv')(x)
        h = EqualDense(width, activate=True, name='dense')(h.reshape(h.shape[0], -1))
        if not self.classes:
            return EqualDense(1, name='logit')(h)[:, 0]
        h = EqualDense(width, name='logit')(h)
        mapped = StyleMapping(width, self.mapping_layers, self.classes, name='mapper')(None, label)
        return jnp.sum(h * mapped, axis=-1) / math.sqrt(width)


def _seen(module: StyleGAN2Discriminator, image: Any, stage: tuple[int, int, Any]) -> Any:
    side, features, dtype = stage
    return EqualConv(features, 1, clamp=module.clamp, dtype=dtype, name=f'from_image_{side}')(image)


def _stages(module: StyleGAN2Generator | StyleGAN2Discriminator) -> tuple[tuple[int, int, Any], ...]:
    sides = resolutions(module.size, 8)
    low = sides[max(len(sides) - module.low_precision, 1) :]
    return tuple(
        (
            side,
            max(min(module.channel_base // side, module.channel_max), 1),
            module.dtype if side in low else jnp.float32,
        )
        for side in sides
    )
