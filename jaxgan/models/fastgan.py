"""FastGAN (LightweightGAN): a light pair for a few hundred to a few thousand images, of 32 to 512 pixels a side.

The generator's small feature maps switch the channels of its large ones (skip-layer excitation); the discriminator
learns to redraw what it sees, as a loss of its own on real images, so that it does not only memorize them.

As the paper leaves open, or other than there: the generator is a pure function of the latent, without noise (whose
learned weight starts at 0 in the authors' program); the error of what is redrawn is the mean absolute difference at
three scales, where the paper takes LPIPS, which needs a trained network; all four quarters are redrawn, where one is
drawn at random; the 5x5 logits of an image enter the loss as their mean; kernels are scaled by fan-in.

References:
    Liu, Zhu, Song and Elgammal 2021, Towards faster and stabilized GAN training for high-fidelity few-shot image
    synthesis, arXiv 2101.04775, section 3; Dauphin et al. 2016, arXiv 1612.08083, equation 1 (GLU).
"""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxgan.errors import InputError
from jaxgan.models.conditioning import batch_norm
from jaxgan.models.layers import (
    Conv,
    Dense,
    Embed,
    fan_in_normal,
    leaky_gain,
    leaky_relu,
    resolutions,
    spread,
)
from jaxgan.models.resblocks import average_pool, upsample
from jaxgan.types import Images, Verdict

MULTIPLES = {4: 16.0, 8: 8.0, 16: 4.0, 32: 2.0, 64: 2.0, 128: 1.0, 256: 0.5, 512: 0.25}
"""Features at each side, in units of ``width``."""
REACH = 16
"""A feature map excites the one of so many times its side; images too small for that, the one of full size."""
REDRAWN = 128
"""The largest side at which the discriminator redraws."""
GLU_GAIN = 1.7267
"""The gain that keeps the variance of normal inputs through a gated linear unit: ``g^2 E[s(g x)^2] = 1``."""


class SkipExcitation(nn.Module):
    """Multiply each channel of a large map by a gate from a small one: ``high * s(W2 a(W1 * pool(low)))``.

    pool averages to 4x4, W1 is a 4x4 convolution that leaves one pixel, a = leaky ReLU, W2 linear, s the logistic
    function.

    Attributes:
        dtype: of the computation.

    References:
        Liu et al. 2021, arXiv 2101.04775, equation 1 and figure 3.
    """

    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, low: Any, high: Any) -> Any:
        """Map [B, h, h, C] and [B, H, H, D] to [B, H, H, D]; h is a multiple of 4."""
        features = high.shape[-1]
        init = fan_in_normal(leaky_gain())
        squeeze = Conv(features, (4, 4), padding='VALID', kernel_init=init, dtype=self.dtype)
        h = leaky_relu(squeeze(average_pool(low, low.shape[1] // 4)))
        return high * spread(nn.sigmoid(Conv(features, (1, 1), dtype=self.dtype)(h)), high)


class FastGANGenerator(nn.Module):
    """Map a latent to an image: a linear layer to 4x4, then nearest doublings with 3x3 convolutions and GLUs; tanh.

    Every other doubling, from the first, has a second convolution. A map of side s excites that of side 16 s.

    Attributes:
        size: side of the image, a power of two from 32 to 512.
        channels: of the image.
        width: features at side 128; the others follow ``MULTIPLES``.
        max_width: the most features of a layer.
        norm: ``'batch'`` (the paper) or ``'none'``.
        classes: 0, or the number of classes, whose embedding is appended to the latent.
        dtype: of the computation.
    """

    size: int
    channels: int = 3
    width: int = 64
    max_width: int = 1024
    norm: str = 'batch'
    classes: int = 0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, z: Any, label: Any = None, *, train: bool = True) -> Images:
        """Map latents [B, Z] and labels [B] to images [B, size, size, channels]."""
        sides = _sides(self.size)
        reach = min(REACH, self.size // 4)
        if self.classes:
            z = jnp.concatenate([z, Embed(self.classes, 64)(label).astype(z.dtype)], axis=-1)
        first = _features(self, 4)
        x = Dense(32 * first, use_bias=self.norm == 'none', kernel_init=_GLU, dtype=self.dtype)(z)
        x = glu(_normalize(x.reshape(-1, 4, 4, 2 * first), self.norm, train))
        maps = {4: x}
        for i, side in enumerate(sides[1:]):
            x = _double(self, x, _features(self, side), 1 + (i + 1) % 2, train)
            if side // reach in maps:
                x = SkipExcitation(self.dtype)(maps[side // reach], x)
            maps[side] = x
        return jnp.tanh(Conv(self.channels, dtype=self.dtype)(x).astype(jnp.float32))


class FastGANDiscriminator(nn.Module):
    """Map an image to a ``Verdict``: its logit, and how badly it can be redrawn from the features.

    A 3x3 convolution (above 256 pixels: 4x4 with stride 2), residual halvings down to 8x8, and 5x5 logits, whose mean
    is the logit. One decoder redraws the image from the 8x8 features, another each quarter of it from its quarter of
    the 16x16 features. With classes the label enters by projection (Miyato and Koyama 2018, arXiv 1802.05637).

    Attributes:
        size: side of the image, a power of two from 32 to 512.
        channels: of the image.
        width: features at side 128; the others follow ``MULTIPLES``.
        max_width: the most features of a layer.
        norm: ``'batch'`` (the paper) or ``'none'``, for penalties that are defined for one sample.
        classes: 0, or the number of classes.
        dtype: of the computation.
    """

    size: int
    channels: int = 3
    width: int = 64
    max_width: int = 1024
    norm: str = 'batch'
    classes: int = 0
    dtype: Any = jnp.float32

    @property
    def mixes_samples(self) -> bool:
        """Whether a sample's logit depends on others: with batch normalization."""
        return self.norm == 'batch'

    @property
    def returns_auxiliary(self) -> bool:
        """Whether a penalty must bring in a further loss: always, the error of what is redrawn."""
        return True

    @nn.compact
    def __call__(self, x: Images, label: Any = None, *, train: bool = True) -> Verdict:
        """Map images [B, size, size, channels] and labels [B] to logits [B] and errors [B]."""
        image, side = x, _sides(self.size)[-1]
        halved = side > 256
        kernel, padding = ((4, 4), 1) if halved else ((3, 3), 'SAME')
        init = fan_in_normal(leaky_gain())
        features = _features(self, side)
        x = Conv(features, kernel, 1 + halved, padding, kernel_init=init, dtype=self.dtype)(x)
        x, side = leaky_relu(x), side // (1 + halved)
        maps = {}
        while side > 8:
            side //= 2
            x = maps[side] = _halve(self, x, _features(self, side), train)
        logits, h = self._judge(x, train)
        if self.classes:
            pooled = jnp.sum(h.astype(jnp.float32), axis=(1, 2))
            logits += jnp.sum(pooled * Embed(self.classes, h.shape[-1], fan_in_normal(0.1))(label), axis=-1)
        return Verdict(logits, self._errors(image, maps[8], maps[16], train))

    def _judge(self, x: Any, train: bool) -> tuple[Any, Any]:
        h = _conv(self, _features(self, 4), (1, 1), fan_in_normal(leaky_gain()))(x)
        h = leaky_relu(_normalize(h, self.norm, train))
        patches = Conv(1, (4, 4), padding='VALID', use_bias=False, dtype=self.dtype, name='logits')(h)
        return jnp.mean(patches.astype(jnp.float32), axis=(1, 2, 3)), h

    def _errors(self, image: Any, whole: Any, parts: Any, train: bool) -> Any:
        quarters = split_quarters(image)
        side, part = min(self.size, REDRAWN), min(self.size // 2, REDRAWN)
        redrawn = self._redraw(whole, side, train)
        error = reconstruction_error(average_pool(image, self.size // side), redrawn)
        redrawn = self._redraw(split_quarters(parts), part, train)
        errors = reconstruction_error(average_pool(quarters, self.size // 2 // part), redrawn)
        return error + jnp.mean(errors.reshape(-1, 4), axis=1)

    def _redraw(self, x: Any, size: int, train: bool) -> Any:
        """Decode 8x8 features to an image of a side."""
        side = 8
        while side < size:
            side *= 2
            x = _double(self, x, _features(self, side), 1, train)
        return jnp.tanh(Conv(self.channels, dtype=self.dtype)(x).astype(jnp.float32))


def glu(x: Any) -> Any:
    """Gate the first half of the channels by the second: ``a * s(b)``, s the logistic function."""
    a, b = jnp.split(x, 2, axis=-1)
    return a * nn.sigmoid(b)


def split_quarters(x: Any) -> Any:
    """Cut [B, H, W, C] into quarters, four to each sample and beside each other: [4 B, H / 2, W / 2, C]."""
    b, h, w, c = x.shape
    x = x.reshape(b, 2, h // 2, 2, w // 2, c).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(4 * b, h // 2, w // 2, c)


def reconstruction_error(image: Any, redrawn: Any) -> Any:
    """Compare images [B, H, W, C]: mean absolute difference at full, half and quarter size, their mean; [B]."""
    difference = image - redrawn
    scales = [jnp.mean(jnp.abs(average_pool(difference, factor)), axis=(1, 2, 3)) for factor in (1, 2, 4)]
    return sum(scales) / 3


_GLU = fan_in_normal(GLU_GAIN)


def _sides(size: int) -> list[int]:
    sides = resolutions(size, 32)
    if size not in MULTIPLES:
        raise InputError(f'image size {size} must be at most {max(MULTIPLES)} for this model')
    return sides


def _features(module: FastGANGenerator | FastGANDiscriminator, side: int) -> int:
    return max(1, min(int(module.width * MULTIPLES[side]), module.max_width))


def _conv(module: Any, features: int, kernel: tuple[int, int], init: Any) -> Conv:
    return Conv(features, kernel, use_bias=module.norm == 'none', kernel_init=init, dtype=module.dtype)


def _normalize(x: Any, norm: str, train: bool) -> Any:
    return batch_norm(x, train) if norm == 'batch' else x


def _double(module: Any, x: Any, features: int, convolutions: int, train: bool) -> Any:
    x = upsample(x)
    for _ in range(convolutions):
        x = glu(_normalize(_conv(module, 2 * features, (3, 3), _GLU)(x), module.norm, train))
    return x


def _halve(module: Any, x: Any, features: int, train: bool) -> Any:
    """Add a path of 4x4 (stride 2) and 3x3 convolutions to one of pooling and a 1x1 convolution."""
    init, bias = fan_in_normal(leaky_gain()), module.norm == 'none'
    down = Conv(features, (4, 4), 2, 1, use_bias=bias, kernel_init=init, dtype=module.dtype)
    h = leaky_relu(_normalize(down(x), module.norm, train))
    h = leaky_relu(_normalize(_conv(module, features, (3, 3), init)(h), module.norm, train))
    direct = _conv(module, features, (1, 1), init)(average_pool(x, 2))
    direct = leaky_relu(_normalize(direct, module.norm, train))
    return (h + direct) * 0.5**0.5  # the paper's mean, scaled to keep the variance
