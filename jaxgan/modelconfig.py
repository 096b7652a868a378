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


Model = DCGAN | R3GAN
KINDS: dict[str, type] = {'dcgan': DCGAN, 'r3gan': R3GAN}
