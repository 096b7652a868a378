"""BigGAN: residual pairs with self-attention, whose latent reaches every resolution together with the label.

Spectral normalization of both networks is worn from outside: ``jaxgan.networks.spectral_norm``.

References:
    Brock, Donahue and Simonyan 2018, Large scale GAN training for high fidelity natural image synthesis,
    arXiv 1809.11096, appendix B, figure 15 and tables 4 to 6 (128, 256 and 512 pixels); at 32 and 64 pixels, which the
    paper does not describe, the authors' later settings for CIFAR-10 and ImageNet.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax.numpy as jnp

from jaxgan.errors import InputError
from jaxgan.models.conditioning import Conditioned, Head, SelfAttention
from jaxgan.models.layers import Embed
from jaxgan.models.resblocks import DownBlock, UpBlock, finish, start
from jaxgan.types import Images, Logits, Verdict


class Layout(NamedTuple):
    """Widths of a pair as multiples of the configured width."""

    generator: tuple[int, ...]  # features at 4x4, then of each block, which doubles the side
    discriminator: tuple[int, ...]  # features of each block
    downs: int  # so many blocks of the discriminator halve the side, the first ones


LAYOUTS = {
    32: Layout((4, 4, 4, 4), (2, 2, 2, 2), 2),
    64: Layout((16, 16, 8, 4, 2), (1, 2, 4, 8, 16), 4),
    128: Layout((16, 16, 8, 4, 2, 1), (1, 2, 4, 8, 16, 16), 5),
    256: Layout((16, 16, 8, 8, 4, 2, 1), (1, 2, 4, 8, 8, 16, 16), 6),
    512: Layout((16, 16, 8, 8, 4, 2, 1, 1), (1, 1, 2, 4, 8, 8, 16, 16), 7),
}

INITS = {'orthogonal': nn.initializers.orthogonal(), 'normal': nn.initializers.normal(0.02)}


class BigGANGenerator(nn.Module):
    """Map a latent to an image: a linear layer, residual blocks that double the side, attention between them, tanh.

    The gains and biases of the blocks' batch normalization are linear in (the label's embedding, which all blocks share;
    a part of the latent of their own). The latent is cut into equal parts: one for the linear layer, one for each block.

    Attributes:
        size: side of the image: 32, 64, 128, 256 or 512.
        channels: of the image.
        width: the paper's ch, 96.
        attention: sides after which there is self-attention, in this network and in the discriminator.
        shared: size of the shared embedding; ``None``: each normalization has its own gains and biases for each class.
        hierarchical: give each block its part of the latent; otherwise the linear layer gets all of it.
        initialization: ``'orthogonal'`` or ``'normal'``: N(0, 0.02^2).
        classes: 0, or the number of classes.
        dtype: of the computation.
    """

    size: int
    channels: int = 3
    width: int = 96
    attention: Sequence[int] = (64,)
    shared: int | None = 128
    hierarchical: bool = True
    initialization: str = 'orthogonal'
    classes: int = 0
    dtype: Any = jnp.float32

    @property
    def latent_parts(self) -> int:
        """Into how many equal parts a latent is cut, the first for the linear layer, the others for the blocks in turn."""
        return len(layout_of(self).generator) if self.hierarchical else 1

    @nn.compact
    def __call__(self, z: Any, label: Any = None, *, train: bool = True) -> Images:
        """Map latents [B, Z] and labels [B] to images [B, size, size, channels]."""
        layout, init = layout_of(self), INITS[self.initialization]
        first, *widths = (self.width * multiple for multiple in layout.generator)
        z, conditions = self._conditions(z, label, len(widths))
        classes = self.classes if self.shared is None else 0
        x = start(z, 4, first, init, self.dtype)
        for features, condition in zip(widths, conditions, strict=True):
            x = UpBlock(features, classes, init, init, self.dtype)(x, condition, train=train)
            if x.shape[1] in self.attention:
                x = SelfAttention(init, self.dtype)(x)
        return finish(x, self.channels, init, self.dtype, train)

    def _conditions(self, z: Any, label: Any, blocks: int) -> tuple[Any, list[Any]]:
        """Return what the linear layer gets, and what each block's normalization gets."""
        if not self.hierarchical:
            return z, [self._embedded(label)] * blocks
        if z.shape[-1] % (blocks + 1):
            raise InputError(
                f'model.latent_dim {z.shape[-1]} must be a multiple of {blocks + 1}: a part for the linear layer and '
                f'for each of {blocks} blocks'
            )
        if self.classes and self.shared is None:
            raise InputError(
                'model.shared None needs --model.no-hierarchical: without it no embedding joins z'
            )
        z, *parts = jnp.split(z, blocks + 1, axis=-1)
        embedded = self._embedded(label)
        return z, [part if embedded is None else jnp.concatenate([embedded, part], axis=-1) for part in parts]

    def _embedded(self, label: Any) -> Any:
        if not self.classes:
            return None
        return (
            label
            if self.shared is None
            else Embed(self.classes, self.shared, INITS[self.initialization])(label)
        )


class BigGANDiscriminator(Conditioned, nn.Module):
    """Map an image to a logit: residual blocks with attention, ReLU, a sum over positions, projection.

    Attributes:
        size: side of the image: 32, 64, 128, 256 or 512.
        channels: of the image.
        width: the paper's ch, 96.
        attention: sides at which blocks are followed by self-attention.
        initialization: ``'orthogonal'`` or ``'normal'``: N(0, 0.02^2).
        classes: 0, or the number of classes.
        conditioning: how labels enter: one of ``Head``'s.
        dtype: of the computation.
    """

    size: int
    channels: int = 3
    width: int = 96
    attention: Sequence[int] = (64,)
    initialization: str = 'orthogonal'
    classes: int = 0
    conditioning: str = 'projection'
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Images, label: Any = None, *, train: bool = True) -> Logits | Verdict:
        """Map images [B, size, size, channels] and labels [B] to logits [B], or to a ``Verdict``."""
        del train
        layout, init = layout_of(self), INITS[self.initialization]
        for i, multiple in enumerate(layout.discriminator):
            features, down = self.width * multiple, i < layout.downs
            x = DownBlock(features, features, down, first=not i, kernel_init=init, dtype=self.dtype)(x)
            if down and x.shape[1] in self.attention:
                x = SelfAttention(init, self.dtype)(x)
        return judge(self, x, label)


def judge(module: Any, x: Any, label: Any) -> Any:
    """End a discriminator: ReLU, a sum over positions, and its head; the head is part of the caller."""
    pooled = jnp.sum(nn.relu(x).astype(jnp.float32), axis=(1, 2))
    init = INITS[module.initialization]
    return Head(module.classes, module.conditioning, init, init, dtype=module.dtype)(pooled, label)


def layout_of(module: Any, layouts: dict[int, Layout] = LAYOUTS) -> Layout:
    """Find the layout of a module's size.

    Raises:
        InputError: there is none, or attention is asked for at a side that no block of both networks has.
    """
    if module.size not in layouts:
        raise InputError(
            f'image size {module.size} must be one of {sorted(layouts)} for BigGAN; give --data.size'
        )
    sides = [4 << i for i in range(1, module.size.bit_length() - 3)]
    if not set(module.attention) <= set(sides):
        raise InputError(
            f'model.attention {tuple(module.attention)} must be among the sides {sides} of images of {module.size}'
        )
    return layouts[module.size]
