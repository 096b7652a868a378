"""An encoder: from an image back to the values of its code."""

import math
from functools import partial
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxgan.models.layers import Conv, Dense, Embed, fan_in_normal, leaky_gain, leaky_relu
from jaxgan.types import Images


class Encoder(nn.Module):
    """Map an image to a code: 3x3 convolutions at full size, 4x4 convolutions that halve the side down to 4, two linear layers.

    Attributes:
        code: the shape of a code.
        width: features at full size; twice as many at each halving, up to ``max_width``.
        max_width: the most features of a layer.
        classes: 0, or the number of classes, whose embedding joins the last features: what a label says, a code need not.
    """

    code: tuple[int, ...]
    width: int = 32
    max_width: int = 256
    classes: int = 0

    @nn.compact
    def __call__(self, image: Images, label: Any = None, *, train: bool = True) -> Any:
        """Map images [B, H, W, C] and labels [B] to codes [B, *code]."""
        del train
        init = fan_in_normal(leaky_gain())
        x = leaky_relu(Conv(self.width, kernel_init=init)(image.astype(jnp.float32)))
        halving = partial(Conv, kernel_size=(4, 4), strides=2, kernel_init=init)
        width = self.width
        while min(x.shape[1:3]) > 4:
            width = min(2 * width, self.max_width)
            x = leaky_relu(halving(width)(x))
        x = x.reshape(x.shape[0], -1)
        if self.classes:
            x = jnp.concatenate([x, Embed(self.classes, 64)(label).astype(x.dtype)], axis=-1)
        x = leaky_relu(Dense(self.max_width, kernel_init=init)(x))
        x = Dense(math.prod(self.code), kernel_init=fan_in_normal(1.0))(x)
        return x.reshape(x.shape[0], *self.code)
