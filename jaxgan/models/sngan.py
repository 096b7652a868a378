"""SNGAN: residual pairs for 32, 48, 64 and 128 pixels, whose discriminator is made for spectral normalization.

Spectral normalization itself is worn by a whole network: ``jaxgan.networks.spectral_norm``.

References:
    Miyato et al. 2018, Spectral normalization for generative adversarial networks, arXiv 1802.05957, tables 4 to 6 (32, 48
    and 128 pixels); Miyato and Koyama 2018, cGANs with projection discriminator, arXiv 1802.05637 (64 pixels, labels).
"""

from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp

from jaxgan.errors import InputError
from jaxgan.models.conditioning import Conditioned, Head
from jaxgan.models.resblocks import DownBlock, UpBlock, finish, start
from jaxgan.types import Field, Images, Logits, Verdict


class Layout(NamedTuple):
    """Widths of a pair as multiples of the configured width, which is 64 in the papers."""

    side: int  # where the generator starts
    generator: tuple[int, ...]  # features at the start, then of each block
    discriminator: tuple[int, ...]  # of each block
    downs: int  # so many blocks of the discriminator halve the side, the first ones


LAYOUTS = {
    32: Layout(4, (4, 4, 4, 4), (2, 2, 2, 2), 2),
    48: Layout(6, (8, 4, 2, 1), (1, 2, 4, 8, 16), 4),
    64: Layout(4, (16, 8, 4, 2, 1), (1, 2, 4, 8, 16), 5),
    128: Layout(4, (16, 16, 8, 4, 2, 1), (1, 2, 4, 8, 16, 16), 5),
}

ORTHOGONAL = nn.initializers.orthogonal()


class SNGANGenerator(nn.Module):
    """Map a latent to an image: a linear layer, residual blocks with batch normalization that double the side, tanh.

    Attributes:
        size: side of the image: 32, 48, 64 or 128.
        channels: of the image.
        width: 64 in the papers: 256 features everywhere at 32, 512 to 64 at 48, 1024 to 64 at 64 and 128.
        classes: 0, or the number of classes, each with its own gains and biases of the blocks' normalization.
        dtype: of the computation.
    """

    size: int
    channels: int = 3
    width: int = 64
    classes: int = 0
    dtype: Any = jnp.float32

    @property
    def field(self) -> Field:
        """How it takes a field of latents: its layers see less than two places of the first map around them."""
        return Field(self.size // 2, 1, 2)

    @nn.compact
    def __call__(self, z: Any, label: Any = None, *, train: bool = True) -> Images:
        """Map latents [B, Z] and labels [B] to images [B, size, size, channels]; a field of latents to a larger one."""
        layout = _layout(self.size)
        first, *widths = (self.width * multiple for multiple in layout.generator)
        x = start(z, layout.side, first, ORTHOGONAL, self.dtype)
        for features in widths:
            x = UpBlock(features, self.classes, dtype=self.dtype)(x, label, train=train)
        return finish(x, self.channels, ORTHOGONAL, self.dtype, train)


class SNGANDiscriminator(Conditioned, nn.Module):
    """Map an image to a logit: residual blocks without normalization, ReLU, a sum over positions, a linear layer.

    Attributes:
        size: side of the image: 32, 48, 64 or 128.
        channels: of the image.
        width: 64 in the papers: 128 features everywhere at 32, 64 to 1024 at the others.
        classes: 0, or the number of classes.
        conditioning: how labels enter: one of ``Head``'s.
        dtype: of the computation.
    """

    size: int
    channels: int = 3
    width: int = 64
    classes: int = 0
    conditioning: str = 'projection'
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Images, label: Any = None, *, train: bool = True) -> Logits | Verdict:
        """Map images [B, size, size, channels] and labels [B] to logits [B], or to a ``Verdict``."""
        del train
        layout = _layout(self.size)
        for i, multiple in enumerate(layout.discriminator):
            features = self.width * multiple
            hidden = x.shape[-1] if i else features
            x = DownBlock(features, hidden, i < layout.downs, first=not i, dtype=self.dtype)(x)
        pooled = jnp.sum(nn.relu(x).astype(jnp.float32), axis=(1, 2))
        head = Head(self.classes, self.conditioning, ORTHOGONAL, ORTHOGONAL, dtype=self.dtype)
        return head(pooled, label)


def _layout(size: int) -> Layout:
    if size not in LAYOUTS:
        raise InputError(f'image size {size} must be one of {sorted(LAYOUTS)} for SNGAN; give --data.size')
    return LAYOUTS[size]
