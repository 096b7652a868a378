"""Layers of the StyleGAN family: equalized learning rates, modulated convolution, deviation over the minibatch.

Parameters are drawn from N(0, 1) and scaled when used, so that Adam, whose steps do not depend on a gradient's scale,
moves each by as large a part of its range.

References:
    Karras et al. 2018, Progressive growing of GANs, arXiv 1710.10196, sections 3 and 4.1; Karras et al. 2020, Analyzing
    and improving the image quality of StyleGAN, arXiv 1912.04958, section 2.2 and appendix B.
"""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.errors import InputError
from jaxgan.models.fields import resized
from jaxgan.models.layers import leaky_relu, spread
from jaxgan.ops import blur2d, conv, conv_transpose, downsample2d


class EqualDense(nn.Module):
    """A linear map of the last axis with the kernel ``lr_multiplier kernel / sqrt(fan_in)`` and the same for its bias.

    Attributes:
        features: of the result.
        activate: by a leaky ReLU with gain sqrt 2.
        lr_multiplier: how much slower than others its parameters move.
        bias: the value with which each bias begins.
        dtype: of the computation.
    """

    features: int
    activate: bool = False
    lr_multiplier: float = 1.0
    bias: float = 0.0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Map [..., C] to [..., features]."""
        scale = nn.initializers.normal(1 / self.lr_multiplier)
        kernel = self.param('kernel', scale, (x.shape[-1], self.features), jnp.float32)
        start = nn.initializers.constant(self.bias / self.lr_multiplier)
        bias = self.param('bias', start, (self.features,), jnp.float32) * self.lr_multiplier
        kernel = kernel * (self.lr_multiplier / math.sqrt(x.shape[-1]))
        y = jnp.dot(x.astype(self.dtype), kernel.astype(self.dtype))
        return biased(y, bias, self.activate)


class EqualConv(nn.Module):
    """A convolution, of the same size or half of it, with the kernel ``kernel / sqrt(fan_in)``.

    Attributes:
        features: of the result.
        kernel_size: 1 or 3.
        down: halve the size, smoothed by the filter [1, 3, 3, 1].
        activate: add a bias, and apply a leaky ReLU with gain sqrt 2; otherwise neither.
        gain: of the result.
        clamp: the largest magnitude of the activations, before ``gain``; None: any.
        dtype: of the computation.
    """

    features: int
    kernel_size: int = 3
    down: bool = False
    activate: bool = True
    gain: float = 1.0
    clamp: float | None = None
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Map [B, H, W, C] to [B, H, W, features], or [B, H/2, W/2, features]."""
        side = self.kernel_size
        shape = (side, side, x.shape[-1], self.features)
        kernel = self.param('kernel', nn.initializers.normal(1.0), shape, jnp.float32)
        kernel = (kernel / math.sqrt(side * side * x.shape[-1])).astype(self.dtype)
        x = x.astype(self.dtype)
        if self.down and side == 3:
            y = conv(blur2d(x, 2), kernel, stride=2)
        else:
            y = conv(downsample2d(x) if self.down else x, kernel, padding=side // 2)
        if self.activate:
            bias = self.param('bias', nn.initializers.zeros, (self.features,), jnp.float32)
            y = biased(y, bias, True, self.clamp)
        return y if self.gain == 1.0 else y * self.gain


def biased(x: Any, bias: Any, activate: bool, clamp: float | None = None) -> Any:
    """Add a bias to the last axis; apply ``sqrt(2) leaky_relu`` where asked; limit the magnitude to ``clamp``."""
    x = x + spread(bias, x)
    if activate:
        x = leaky_relu(x) * math.sqrt(2)
    return x if clamp is None else jnp.clip(x, -clamp, clamp)


def normalized(x: Any) -> Any:
    """Scale each vector to mean square 1: ``x / sqrt(mean(x^2) + 1e-8)``, over the last axis."""
    return x * jax.lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + 1e-8)


def modulated_conv(x: Any, kernel: Any, style: Any, demodulate: bool = True, up: bool = False) -> Any:
    """Convolve each sample with a kernel of its own: ``w'_kco = s_c w_kco``, demodulated to ``w' / ||w'_o||``.

    ``||w'_o||^2 = sum_kc (s_c w_kco)^2 + 1e-8``. The style scales the input and the demodulation the result, which is
    the same and needs one convolution for all samples instead of one a sample. Below float32, style and kernel are
    first scaled so that no sum overflows even float16, which demodulation undoes.

    Args:
        x: [B, H, W, C]; the result has its dtype.
        kernel: [k, k, C, O], k odd.
        style: [B, C], float32; or a field [B, rows, columns, C], which is interpolated between the middles of its cells.
        demodulate: scale the result to unit variance for an input of unit variance.
        up: double the size, smoothed by the filter [1, 3, 3, 1].

    Returns:
        [B, H, W, O], or [B, 2H, 2W, O].

    References:
        Karras et al. 2020, arXiv 1912.04958, equations 1 and 3; the order of scaling, section 2.2 and appendix B.
    """
    if demodulate and x.dtype != jnp.float32:  # the result depends on neither scale, so gradients need not
        fan_in = math.prod(kernel.shape[:3])
        kernel = kernel / (_largest(kernel, (0, 1, 2)) * math.sqrt(fan_in))
        style = style / _largest(style, tuple(range(1, style.ndim)))
    modulated = x * spread(_at(style, x), x)
    w = kernel.astype(x.dtype)
    if up:
        y = blur2d(conv_transpose(modulated, w, stride=2, padding='VALID'), 1) * 4.0
    else:
        y = conv(modulated, w, padding=kernel.shape[0] // 2)
    if demodulate:
        places = style if style.ndim == 2 else _at(style, y)
        squares = jnp.dot(jnp.square(places), jnp.sum(jnp.square(kernel), axis=(0, 1)))
        scale = jax.lax.rsqrt(squares + 1e-8)
        y = y * spread(scale if scale.ndim == 4 else scale[:, None, None, :], y)
    return y


def _at(style: Any, x: Any) -> Any:
    """Give each place of x its style."""
    return style[:, None, None, :] if style.ndim == 2 else resized(style, x.shape[1:3])


def _largest(x: Any, axes: tuple[int, ...]) -> Any:
    return jax.lax.stop_gradient(jnp.max(jnp.abs(x), axis=axes, keepdims=True) + 1e-8)


def minibatch_deviation(x: Any, group: int, features: int = 1) -> Any:
    """Append to each sample how much its group varies, so that the discriminator sees a lack of variety.

    A group is ``group`` neighbours in the batch. The features fall into ``features`` equal runs; of each,
    ``sqrt(var + 1e-8)`` over the group, averaged over the run and the places, becomes one more feature map.

    Args:
        x: [B, H, W, C]; of a batch smaller than ``group`` all are one group.
        group: divides B.
        features: divides C.

    Returns:
        [B, H, W, C + features].

    Raises:
        InputError: the groups do not divide the batch, or the runs the features.

    References:
        Karras et al. 2018, arXiv 1710.10196, section 3.
    """
    n, height, width, channels = x.shape
    group = min(group, n)
    if n % group:
        raise InputError(f'a batch of {n} does not divide into groups of {group} for the minibatch deviation')
    if channels % features:
        raise InputError(
            f'{channels} features do not divide into {features} runs for the minibatch deviation'
        )
    grouped = x.reshape(n // group, group, height, width, features, channels // features)
    deviation = jnp.sqrt(jnp.var(grouped, axis=1, keepdims=True) + 1e-8)
    statistic = jnp.mean(deviation, axis=(2, 3, 5), keepdims=True)
    maps = jnp.broadcast_to(statistic, (*grouped.shape[:5], 1)).reshape(n, height, width, features)
    return jnp.concatenate([x, maps], axis=-1)
