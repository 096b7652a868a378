"""Layers under the names that Flax users know, with Flax's parameters, on the fast convolutions of ``jaxgan.ops``.

``Conv`` and ``ConvTranspose`` hold the same ``kernel`` and ``bias`` as ``nn.Conv`` and ``nn.ConvTranspose``, so
checkpoints exchange. Parameters are float32; a layer computes in ``dtype``.
"""

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.errors import InputError
from jaxgan.ops import conv, conv_transpose
from jaxgan.types import Mixture

Padding = Any  # 'SAME', 'VALID', an int, or ((low, high), (low, high))


def fan_in_normal(gain: float | int = 1.0, overlap: int = 1) -> Callable:
    """Initialize a kernel from ``N(0, gain^2 / fan_in)``, fan_in = the product of all axes but the last.

    Args:
        gain: such as ``leaky_gain()`` before a leaky ReLU.
        overlap: stride of a transposed convolution, each of whose outputs sees ``1 / overlap^2`` of the taps.

    References:
        He et al. 2015, arXiv 1502.01852, equation 10.
    """

    def init(key: Any, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Any:
        fan_in = math.prod(shape[:-1]) / overlap**2
        return gain / math.sqrt(fan_in) * jax.random.normal(key, shape, dtype)

    return init


def leaky_gain(slope: float | int = 0.2) -> float:
    """Compute the gain that keeps the variance through a leaky ReLU: ``sqrt(2 / (1 + slope^2))``.

    >>> round(leaky_gain(0.2), 4)
    1.3868
    """
    return math.sqrt(2 / (1 + slope**2))


class Conv(nn.Module):
    """A 2-D convolution: parameters and result of ``nn.Conv``."""

    features: int
    kernel_size: tuple[int, int] = (3, 3)
    strides: int = 1
    padding: Padding = 'SAME'
    feature_group_count: int = 1
    use_bias: bool = True
    kernel_init: Callable = fan_in_normal()
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Map [B, H, W, C] to [B, h, w, features]."""
        shape = (*self.kernel_size, x.shape[-1] // self.feature_group_count, self.features)
        kernel = self.param('kernel', self.kernel_init, shape, jnp.float32)
        y = conv(
            x.astype(self.dtype),
            kernel.astype(self.dtype),
            stride=self.strides,
            padding=self.padding,
            groups=self.feature_group_count,
        )
        return _add_bias(self, y) if self.use_bias else y


class ConvTranspose(nn.Module):
    """A transposed convolution that scales the size by ``strides``: ``nn.ConvTranspose`` with 'SAME' padding."""

    features: int
    kernel_size: tuple[int, int] = (4, 4)
    strides: int = 2
    use_bias: bool = True
    kernel_init: Callable = fan_in_normal(overlap=2)
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Map [B, H, W, C] to [B, strides H, strides W, features]."""
        kernel = self.param(
            'kernel', self.kernel_init, (*self.kernel_size, x.shape[-1], self.features), jnp.float32
        )
        y = conv_transpose(
            x.astype(self.dtype), kernel.astype(self.dtype), stride=self.strides, padding='SAME'
        )
        return _add_bias(self, y) if self.use_bias else y


class Dense(nn.Module):
    """A linear map of the last axis: parameters and result of ``nn.Dense``."""

    features: int
    use_bias: bool = True
    kernel_init: Callable = fan_in_normal()
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Map [..., C] to [..., features]."""
        kernel = self.param('kernel', self.kernel_init, (x.shape[-1], self.features), jnp.float32)
        y = jnp.dot(x.astype(self.dtype), kernel.astype(self.dtype))
        return _add_bias(self, y) if self.use_bias else y


class Embed(nn.Module):
    """A table of one vector for each class: a linear map of one-hot labels, as a look-up."""

    classes: int
    features: int
    embedding_init: Callable = fan_in_normal()

    @nn.compact
    def __call__(self, label: Any) -> Any:
        """Map labels [B], or a ``Mixture`` of them, to [B, features]."""
        if label is None:
            raise InputError(f'this network is conditional on {self.classes} classes and was given no label')
        table = self.param('embedding', self.embedding_init, (self.classes, self.features), jnp.float32)
        if isinstance(label, Mixture):
            return jnp.einsum('bk,bkf->bf', label.weights, table[label.classes], precision='highest')
        return table[label]


def _add_bias(module: nn.Module, y: Any) -> Any:
    bias = module.param('bias', nn.initializers.zeros, (y.shape[-1],), jnp.float32)
    return y + spread(bias, y)


def spread(values: Any, like: Any) -> Any:
    """Broadcast values to the shape of ``like``, in its dtype; the sum that is their gradient runs in float32.

    Cast before the broadcast, that sum would run in bfloat16, and be off by half where it has 4,000 terms.
    """
    wide = values.astype(jnp.float32) if values.dtype.itemsize < 4 else values
    return jnp.broadcast_to(wide, like.shape).astype(like.dtype)


def leaky_relu(x: Any) -> Any:
    """Apply a leaky ReLU with slope 0.2."""
    return nn.leaky_relu(x, 0.2)


def resolutions(size: int, smallest: int = 16) -> list[int]:
    """List the sides from 4 to ``size``, each twice the one before.

    >>> resolutions(32)
    [4, 8, 16, 32]

    Raises:
        InputError: ``size`` is not a power of two, or below ``smallest``.
    """
    if size < smallest or size & (size - 1):
        raise InputError(
            f'image size {size} must be a power of two and at least {smallest}; give --data.size'
        )
    return [4 << i for i in range(size.bit_length() - 2)]
