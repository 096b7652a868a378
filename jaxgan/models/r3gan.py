"""R3GAN: a norm-free residual pair for the relativistic loss with R1 and R2.

References:
    Huang, Gokaslan, Kuleshov and Tompkin 2025, The GAN is dead; long live the GAN! A modern baseline GAN, arXiv
    2501.05441, section 3 and appendix; the initialization follows Fixup (Zhang et al. 2019, arXiv 1901.09321).
"""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxgan.errors import InputError
from jaxgan.models.conditioning import Conditioned, Head
from jaxgan.models.fields import as_condition, first_map
from jaxgan.models.layers import Conv, Dense, Embed, fan_in_normal, leaky_gain, leaky_relu, resolutions
from jaxgan.ops import downsample2d, upsample2d
from jaxgan.types import Field, Images, Logits, Verdict


class R3GANBlock(nn.Module):
    """Add ``W3 a(b2 + W2 * a(b1 + W1 x))`` to x: 1x1 to twice the features, grouped 3x3, 1x1 back; a = leaky ReLU.

    Attributes:
        groups: of the 3x3 convolution.
        blocks: number of residual blocks in the whole network; W1 and W2 start with gain
            ``sqrt(2 / (1 + 0.2^2)) blocks^(-1/4)``, W3 at zero.
        dtype: of the computation.
    """

    groups: int
    blocks: int
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Map [B, H, W, C] to the same shape."""
        features = x.shape[-1]
        init = fan_in_normal(leaky_gain() * self.blocks**-0.25)
        x = x.astype(self.dtype)
        h = leaky_relu(Conv(2 * features, (1, 1), kernel_init=init, dtype=self.dtype)(x))
        grouped = Conv(2 * features, feature_group_count=self.groups, kernel_init=init, dtype=self.dtype)
        h = leaky_relu(grouped(h))
        zeros = nn.initializers.zeros
        return x + Conv(features, (1, 1), use_bias=False, kernel_init=zeros, dtype=self.dtype)(h)


class R3GANGenerator(nn.Module):
    """Map a latent to an image: a learned 4x4 basis scaled by the latent, then stages of residual blocks.

    A stage is (1x1 convolution where the features change, doubling of the side by the filter [1, 3, 3, 1]) and the
    blocks; the last features become channels by a 1x1 convolution, without a nonlinearity.

    Attributes:
        size: side of the image, a power of two of at least 16.
        channels: of the image.
        widths: features of each stage, from 4x4 to ``size``.
        groups: of each stage's 3x3 convolutions.
        blocks_per_stage: 2 in the paper.
        classes: 0, or the number of classes, embedded to as many values as the latent has and appended to it.
        dtype: of the stages' computation; the 4x4 stage, and those below the four largest, stay in float32.
        remat: keep only what enters each block for the backward pass, and compute its inside again there.
    """

    size: int
    channels: int = 3
    widths: Sequence[int] = (768, 768, 768, 768)
    groups: Sequence[int] = (96, 96, 96, 96)
    blocks_per_stage: int = 2
    classes: int = 0
    dtype: Any = jnp.float32
    remat: bool = False

    @property
    def field(self) -> Field:
        """How it takes a field of latents: its layers see less than ``2 blocks_per_stage + 2`` places of the 4x4 map around them."""
        return Field(self.size // 2, 1, self.blocks_per_stage + 2)

    @nn.compact
    def __call__(self, z: Any, label: Any = None, *, train: bool = True) -> Images:
        """Map latents [B, Z] and labels [B] to images [B, size, size, channels]; a field of latents to a larger one."""
        del train
        stages = _stages(self)
        condition = Embed(self.classes, z.shape[-1])(label) if self.classes else None
        basis = self.param('basis', nn.initializers.normal(1.0), (4, 4, self.widths[0]), jnp.float32)
        scale = Dense(self.widths[0], use_bias=False, name='scale')

        def make(z: Any) -> Any:
            if condition is not None:
                z = jnp.concatenate([z, as_condition(condition, z)], axis=-1)
            scales = scale(z)[..., None, None, :]
            return jnp.broadcast_to(basis, (*z.shape[:-1], *basis.shape)) * scales

        x = first_map(make, z)
        for i, (side, width, groups, dtype) in enumerate(stages):
            if side > 4:
                x = upsample2d(_change_width(x.astype(dtype), width, dtype))
            x = _blocks(self, x, i, groups, dtype)
        return Conv(self.channels, (1, 1), use_bias=False, name='to_image')(x)


class R3GANDiscriminator(Conditioned, nn.Module):
    """Map an image to a logit: the generator's stages in reverse, then a 4x4 depthwise convolution and a linear map.

    With classes and the paper's projection the linear map has as many outputs as the first stage has features, and the
    logit is their inner product with the label's embedding: unlike ``Head``'s, there is no term without the label.

    Attributes:
        size: side of the image, a power of two of at least 16.
        channels: of the image.
        widths: features of each stage, from 4x4 to ``size``.
        groups: of each stage's 3x3 convolutions.
        blocks_per_stage: 2 in the paper.
        classes: 0, or the number of classes.
        conditioning: how labels enter: ``'projection'`` as the paper does, or another one of ``Head``'s.
        dtype: of the stages' computation; the 4x4 stage, and those below the four largest, stay in float32.
        remat: keep only what enters each block for the backward pass, and compute its inside again there.
    """

    size: int
    channels: int = 3
    widths: Sequence[int] = (768, 768, 768, 768)
    groups: Sequence[int] = (96, 96, 96, 96)
    blocks_per_stage: int = 2
    classes: int = 0
    conditioning: str = 'projection'
    dtype: Any = jnp.float32
    remat: bool = False

    @nn.compact
    def __call__(self, x: Images, label: Any = None, *, train: bool = True) -> Logits | Verdict:
        """Map images [B, size, size, channels] and labels [B] to logits [B], or to a ``Verdict``."""
        del train
        stages = list(reversed(_stages(self)))
        x = Conv(self.widths[-1], (1, 1), use_bias=False, dtype=stages[0][3], name='from_image')(x)
        for i, (side, _, groups, dtype) in enumerate(stages):
            x = _blocks(self, x, i, groups, dtype)
            if side > 4:
                _, width, _, next_dtype = stages[i + 1]
                x = _change_width(downsample2d(x), width, next_dtype)
        width = self.widths[0]
        pool = Conv(width, (4, 4), padding='VALID', feature_group_count=width, use_bias=False, name='pool')
        h = pool(x)[:, 0, 0, :]
        if not self.classes:
            return Dense(1, use_bias=False, name='logit')(h)[:, 0]
        if self.conditioning != 'projection':
            return Head(self.classes, self.conditioning, name='head')(h, label)
        h = Dense(width, use_bias=False, name='logit')(h)
        embedding = Embed(self.classes, width, fan_in_normal(width**-0.5))(label)
        return jnp.sum(h * embedding, axis=-1)


Stage = tuple[int, int, int, Any]  # side, features, groups, dtype


def _stages(module: R3GANGenerator | R3GANDiscriminator) -> list[Stage]:
    sides = resolutions(module.size)
    for name, values in (('widths', module.widths), ('groups', module.groups)):
        if len(values) != len(sides):
            raise InputError(
                f'model.{name} {tuple(values)} must name {len(sides)} stages, one for each side of {sides}'
            )
    for width, groups in zip(module.widths, module.groups, strict=True):
        if 2 * width % groups:
            raise InputError(f'model.groups {groups} does not divide {2 * width}, twice its width {width}')
    dtypes = [
        module.dtype if side > 4 and i >= len(sides) - 4 else jnp.float32 for i, side in enumerate(sides)
    ]
    return list(zip(sides, module.widths, module.groups, dtypes, strict=True))


def _blocks(module: R3GANGenerator | R3GANDiscriminator, x: Any, stage: int, groups: int, dtype: Any) -> Any:
    total = module.blocks_per_stage * len(module.widths)
    block = nn.remat(R3GANBlock) if module.remat else R3GANBlock
    for i in range(module.blocks_per_stage):
        # named, since Flax would name a wrapped block otherwise: the parameters are the same with and without
        x = block(groups, total, dtype, name=f'R3GANBlock_{stage * module.blocks_per_stage + i}')(x)
    return x


def _change_width(x: Any, width: int, dtype: Any) -> Any:
    return x if x.shape[-1] == width else Conv(width, (1, 1), use_bias=False, dtype=dtype)(x)
