"""BigGAN-deep: four times as many layers as BigGAN, with fewer parameters, by bottlenecks and skips that stay identities.

References:
    Brock, Donahue and Simonyan 2018, arXiv 1809.11096, appendix B, figure 16 and tables 7 to 9 (128, 256 and 512 pixels);
    at 32 and 64 pixels, which the paper does not describe, the authors' later settings.
"""

from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from jaxgan.models.biggan import INITS, LAYOUTS, Layout, judge, layout_of
from jaxgan.models.conditioning import ConditionalBatchNorm, Conditioned, SelfAttention
from jaxgan.models.layers import Conv, Embed
from jaxgan.models.resblocks import average_pool, finish, start, upsample
from jaxgan.types import Images, Logits, Verdict

# The discriminator's first width is that of its first convolution; its stages are as BigGAN's blocks but at 32 pixels.
LAYOUTS = LAYOUTS | {32: Layout((4, 4, 4, 4), (4, 4, 4, 4), 2)}

RATIO = 4  # of a block's features to those of its 3x3 convolutions


class DeepUpBlock(nn.Module):
    """Add (1x1 down, up, 3x3, 3x3, 1x1), each after normalization and ReLU, to the first ``features`` of x, up.

    Attributes:
        features: of the result, at most those of x: the others of x are dropped.
        up: double the side, between the first two convolutions.
        kernel_init: of convolutions, and of the maps from condition to gains and biases.
        dtype: of the computation.
    """

    features: int
    up: bool
    kernel_init: Callable
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Any, condition: Any = None, *, train: bool = True) -> Any:
        """Map [B, H, W, C] and a condition [B, K] to [B, H, W, features], H and W doubled with ``up``."""
        hidden = x.shape[-1] // RATIO

        def activate(x: Any) -> Any:
            return nn.relu(ConditionalBatchNorm(kernel_init=self.kernel_init)(x, condition, train=train))

        def conv(features: int, size: int) -> Conv:
            return Conv(features, (size, size), kernel_init=self.kernel_init, dtype=self.dtype)

        h = activate(conv(hidden, 1)(activate(x)))
        h = conv(hidden, 3)(upsample(h) if self.up else h)
        h = conv(hidden, 3)(activate(h))
        h = conv(self.features, 1)(activate(h))
        kept = x[..., : self.features]
        return h + (upsample(kept) if self.up else kept)


class DeepDownBlock(nn.Module):
    """Add (1x1 down, 3x3, 3x3, pool, 1x1), each convolution after a ReLU, to x, pooled and widened.

    Where the result has more features than x, a 1x1 convolution of x gives the others and x stays as it is.

    Attributes:
        features: of the result, at least those of x.
        down: halve the side.
        kernel_init: of the convolutions.
        dtype: of the computation.
    """

    features: int
    down: bool
    kernel_init: Callable
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Any) -> Any:
        """Map [B, H, W, C] to [B, H, W, features], H and W halved with ``down``."""

        def conv(features: int, size: int) -> Conv:
            return Conv(features, (size, size), kernel_init=self.kernel_init, dtype=self.dtype)

        hidden = self.features // RATIO
        h = conv(hidden, 1)(nn.relu(x))
        h = conv(hidden, 3)(nn.relu(h))
        h = nn.relu(conv(hidden, 3)(nn.relu(h)))
        h = conv(self.features, 1)(average_pool(h) if self.down else h)
        shortcut = average_pool(x) if self.down else x
        if self.features > x.shape[-1]:
            others = conv(self.features - x.shape[-1], 1)(shortcut)
            shortcut = jnp.concatenate([shortcut, others], axis=-1)
        return h + shortcut


class BigGANDeepGenerator(nn.Module):
    """Map a latent to an image: a linear layer, two bottleneck blocks at each side, attention, tanh.

    The linear layer and the gains and biases of all batch normalizations are linear in (the label's embedding, the whole
    latent).

    Attributes:
        size: side of the image: 32, 64, 128, 256 or 512.
        channels: of the image.
        width: the paper's ch, 128.
        attention: sides after which there is self-attention, in this network and in the discriminator.
        shared: size of the label's embedding.
        initialization: ``'orthogonal'`` or ``'normal'``: N(0, 0.02^2).
        classes: 0, or the number of classes.
        dtype: of the computation.
    """

    size: int
    channels: int = 3
    width: int = 128
    attention: Sequence[int] = (64,)
    shared: int = 128
    initialization: str = 'orthogonal'
    classes: int = 0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, z: Any, label: Any = None, *, train: bool = True) -> Images:
        """Map latents [B, Z] and labels [B] to images [B, size, size, channels]."""
        layout, init = layout_of(self, LAYOUTS), INITS[self.initialization]
        if self.classes:
            z = jnp.concatenate([Embed(self.classes, self.shared, init)(label), z], axis=-1)
        first, *widths = (self.width * multiple for multiple in layout.generator)
        x = start(z, 4, first, init, self.dtype)
        for features in widths:
            x = DeepUpBlock(x.shape[-1], False, init, self.dtype)(x, z, train=train)
            x = DeepUpBlock(features, True, init, self.dtype)(x, z, train=train)
            if x.shape[1] in self.attention:
                x = SelfAttention(init, self.dtype)(x)
        return finish(x, self.channels, init, self.dtype, train)


class BigGANDeepDiscriminator(Conditioned, nn.Module):
    """Map an image to a logit: the generator's stages in reverse, ReLU, a sum over positions, projection.

    Attributes:
        size: side of the image: 32, 64, 128, 256 or 512.
        channels: of the image.
        width: the paper's ch, 128.
        attention: sides at which stages are followed by self-attention.
        initialization: ``'orthogonal'`` or ``'normal'``: N(0, 0.02^2).
        classes: 0, or the number of classes.
        conditioning: how labels enter: one of ``Head``'s.
        dtype: of the computation.
    """

    size: int
    channels: int = 3
    width: int = 128
    attention: Sequence[int] = (64,)
    initialization: str = 'orthogonal'
    classes: int = 0
    conditioning: str = 'projection'
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Images, label: Any = None, *, train: bool = True) -> Logits | Verdict:
        """Map images [B, size, size, channels] and labels [B] to logits [B], or to a ``Verdict``."""
        del train
        layout, init = layout_of(self, LAYOUTS), INITS[self.initialization]
        first, *widths = (self.width * multiple for multiple in layout.discriminator)
        x = Conv(first, kernel_init=init, dtype=self.dtype)(x)
        for i, features in enumerate(widths):
            down = i < layout.downs
            x = DeepDownBlock(features, down, init, self.dtype)(x)
            x = DeepDownBlock(features, False, init, self.dtype)(x)
            if down and x.shape[1] in self.attention:
                x = SelfAttention(init, self.dtype)(x)
        return judge(self, x, label)
