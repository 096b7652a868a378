"""The networks' configurations: one frozen dataclass a family, its fields those of the generator and discriminator.

A field ``d_x`` is the discriminator's x where it differs from the generator's.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class DCGAN:
    """A plain convolutional pair (Radford et al. 2015) for any power-of-two size from 16."""

    latent_dim: int = 64
    """Number of values in a latent."""
    width: int = 64
    """Features at half the image's side; twice as many at each halving."""
    d_width: int | None = None
    """The discriminator's width (default: as the generator's)."""
    max_width: int = 512
    """The most features of a layer."""
    norm: Literal['batch', 'none'] = 'batch'
    """Batch normalization as in the paper, or none."""
    output: Literal['tanh', 'linear'] = 'tanh'
    """The generator's last nonlinearity."""
    refine: int = 0
    """Features at full size, next to the image; 0: none, as in the paper."""
    d_refine: int | None = None
    """The discriminator's (default: as the generator's)."""


@dataclass(frozen=True)
class FastGAN:
    """A light pair for few images of 32 to 512 pixels a side (Liu et al. 2021); its D redraws what it sees."""

    latent_dim: int = 256
    """Number of values in a latent."""
    width: int = 64
    """Features at side 128; 16 times as many at side 4, a quarter at side 512."""
    d_width: int | None = None
    """The discriminator's width (default: as the generator's)."""
    max_width: int = 1024
    """The most features of a layer."""
    norm: Literal['batch', 'none'] = 'batch'
    """Batch normalization as in the paper, or none."""


@dataclass(frozen=True)
class MLP:
    """A fully connected pair on flattened samples, for points and the smallest images."""

    latent_dim: int = 64
    """Number of values in a latent."""
    width: int = 256
    """Features of each hidden layer."""
    d_width: int | None = None
    """The discriminator's (default: as the generator's)."""
    depth: int = 3
    """Number of hidden layers."""
    d_depth: int | None = None
    """The discriminator's (default: as the generator's)."""
    d_fourier: int = 0
    """Random frequencies whose sines and cosines the discriminator sees beside the sample; 0: none."""
    d_scale: float = 1.0
    """Their standard deviation, in periods for each unit of the sample's values."""


@dataclass(frozen=True)
class R3GAN:
    """A norm-free residual pair (Huang et al. 2025)."""

    latent_dim: int = 64
    """Number of values in a latent."""
    widths: tuple[int, ...] = (768, 768, 768, 768)
    """Features of each stage, from 4x4 to the image's size."""
    groups: tuple[int, ...] = (96, 96, 96, 96)
    """Groups of each stage's 3x3 convolutions."""
    blocks_per_stage: int = 2
    """Residual blocks in a stage."""
    remat: bool = False
    """Compute each block's inside again in the backward pass: less memory, more time, the same gradients."""


@dataclass(frozen=True)
class Transformer:
    """A transformer pair on patches of pixels (Hyun et al. 2025); ``TRANSFORMERS`` holds the paper's sizes."""

    latent_dim: int = 64
    """Number of values in a latent."""
    patch: int = 2
    """Side of a token's patch; must divide the image's."""
    width: int = 384
    """Features of a token, a multiple of 4 and of the heads."""
    d_width: int | None = None
    """The discriminator's (default: as the generator's)."""
    depth: int = 12
    """Number of blocks."""
    d_depth: int | None = None
    """The discriminator's (default: as the generator's)."""
    heads: int = 6
    """Of each block's attention."""
    d_heads: int | None = None
    """The discriminator's (default: as the generator's)."""
    remat: bool = False
    """Compute each block's inside again in the backward pass: less memory, more time, the same gradients."""


TRANSFORMERS: dict[str, Transformer] = {
    'S': Transformer(width=384, depth=12, heads=6),
    'B': Transformer(width=768, depth=12, heads=12),
    'L': Transformer(width=1024, depth=24, heads=16),
    'XL': Transformer(width=1152, depth=28, heads=16),
}
"""The sizes of Hyun et al. 2025, arXiv 2509.24935, section 3."""

Model = DCGAN | FastGAN | MLP | R3GAN | Transformer
KINDS: dict[str, type] = {
    'dcgan': DCGAN,
    'fastgan': FastGAN,
    'mlp': MLP,
    'r3gan': R3GAN,
    'transformer': Transformer,
}
