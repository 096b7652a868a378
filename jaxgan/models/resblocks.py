"""Pre-activation residual blocks that double or halve the side: those of SNGAN, SAGAN and BigGAN.

References:
    Gulrajani et al. 2017, arXiv 1704.00028, appendix F; Miyato et al. 2018, arXiv 1802.05957, appendix B.4; Brock et al.
    2018, arXiv 1809.11096, figure 15.
"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxgan.models.conditioning import ConditionalBatchNorm, batch_norm
from jaxgan.models.fields import first_map
from jaxgan.models.layers import Conv, Dense


def upsample(x: Any) -> Any:
    """Double the side: each pixel four times."""
    batch, height, width, features = x.shape
    shape = (batch, height, 2, width, 2, features)
    repeated = jnp.broadcast_to(x[:, :, None, :, None, :], shape)
    return repeated.reshape(batch, 2 * height, 2 * width, features)


def average_pool(x: Any, factor: int = 2) -> Any:
    """Divide the side by ``factor``: the mean of each square of so many pixels."""
    batch, height, width, features = x.shape
    return jnp.mean(
        x.reshape(batch, height // factor, factor, width // factor, factor, features), axis=(2, 4)
    )


class UpBlock(nn.Module):
    """Double the side: (normalize, ReLU, up, 3x3, normalize, ReLU, 3x3) plus (up, 1x1); up repeats pixels.

    The shortcut's 1x1 convolution stands before its up-sampling: the two commute, and it sees a quarter of the pixels.

    Attributes:
        features: of the result.
        classes: as ``ConditionalBatchNorm``'s.
        kernel_init: of the convolutions.
        condition_init: of the maps from condition to gains and biases.
        dtype: of the computation.
    """

    features: int
    classes: int = 0
    kernel_init: Callable = nn.initializers.orthogonal()
    condition_init: Callable = nn.initializers.zeros
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Any, condition: Any = None, *, train: bool = True) -> Any:
        """Map [B, H, W, C] and a condition to [B, 2H, 2W, features]."""

        def activate(x: Any) -> Any:
            return nn.relu(ConditionalBatchNorm(self.classes, self.condition_init)(x, condition, train=train))

        def conv(size: int) -> Conv:
            return Conv(self.features, (size, size), kernel_init=self.kernel_init, dtype=self.dtype)

        h = conv(3)(upsample(activate(x)))
        h = conv(3)(activate(h))
        return h + upsample(conv(1)(x))


class DownBlock(nn.Module):
    """Halve the side, or keep it: (ReLU, 3x3, ReLU, 3x3, pool) plus (pool, 1x1); pool takes means of 2x2 pixels.

    The shortcut is the identity where neither side nor features change. Its pooling stands before its 1x1 convolution: the
    two commute, and the convolution sees a quarter of the pixels.

    Attributes:
        features: of the result.
        hidden: features between the two convolutions.
        down: halve the side.
        first: the block sees the image: there is no ReLU before its first convolution.
        kernel_init: of the convolutions.
        dtype: of the computation.
    """

    features: int
    hidden: int
    down: bool = True
    first: bool = False
    kernel_init: Callable = nn.initializers.orthogonal()
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Map [B, H, W, C] to [B, H/2, W/2, features], or to [B, H, W, features]."""

        def conv(features: int, size: int) -> Conv:
            return Conv(features, (size, size), kernel_init=self.kernel_init, dtype=self.dtype)

        x = x.astype(self.dtype)
        h = conv(self.hidden, 3)(x if self.first else nn.relu(x))
        h = conv(self.features, 3)(nn.relu(h))
        shortcut = average_pool(x) if self.down else x
        if self.down or x.shape[-1] != self.features:
            shortcut = conv(self.features, 1)(shortcut)
        return (average_pool(h) if self.down else h) + shortcut


def start(z: Any, side: int, features: int, kernel_init: Callable, dtype: Any) -> Any:
    """Map latents [B, Z] linearly to [B, side, side, features], or a field of them; the layer is part of the caller."""
    dense = Dense(side * side * features, kernel_init=kernel_init, dtype=dtype)
    return first_map(lambda z: dense(z).reshape(*z.shape[:-1], side, side, features), z)


def finish(x: Any, channels: int, kernel_init: Callable, dtype: Any, train: bool) -> Any:
    """Make the image: batch normalization, ReLU, 3x3 convolution, tanh; the layers are part of the caller."""
    x = nn.relu(batch_norm(x, train))
    return jnp.tanh(Conv(channels, kernel_init=kernel_init, dtype=dtype)(x).astype(jnp.float32))
