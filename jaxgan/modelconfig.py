"""The networks' configurations: one frozen dataclass a family, its fields those of the generator and discriminator.

A field ``d_x`` is the discriminator's x where it differs from the generator's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Conditioning = Literal['projection', 'concatenation', 'auxiliary', 'd2d_ce']


@dataclass(frozen=True)
class BigGAN:
    """A residual pair with self-attention (Brock et al. 2018) for 32, 64, 128, 256 or 512 pixels."""

    latent_dim: int = 120
    """Number of values in a latent: a multiple of the number of parts into which it is cut, 4 at 32 pixels to 8 at 512."""
    width: int = 96
    """The paper's ch: features of the widest layers are 16 times as many, 4 times at 32 pixels."""
    d_width: int | None = None
    """The discriminator's width (default: as the generator's)."""
    attention: tuple[int, ...] = (64,)
    """Sides at which both networks have self-attention."""
    shared: int | None = 128
    """Size of the label's embedding that all blocks share; None: each normalization has gains and biases for each class."""
    hierarchical: bool = True
    """Give each block a part of the latent of its own."""
    initialization: Literal['orthogonal', 'normal'] = 'orthogonal'
    """Of all kernels: orthogonal, or N(0, 0.02^2)."""
    conditioning: Conditioning = 'projection'
    """How labels reach the discriminator's verdict."""


@dataclass(frozen=True)
class BigGANDeep:
    """BigGAN with bottleneck blocks, four times as deep (Brock et al. 2018), for 32, 64, 128, 256 or 512 pixels."""

    latent_dim: int = 128
    """Number of values in a latent."""
    width: int = 128
    """The paper's ch: features of the widest layers are 16 times as many, 4 times at 32 pixels."""
    d_width: int | None = None
    """The discriminator's width (default: as the generator's)."""
    attention: tuple[int, ...] = (64,)
    """Sides at which both networks have self-attention."""
    shared: int = 128
    """Size of the label's embedding that all blocks share."""
    initialization: Literal['orthogonal', 'normal'] = 'orthogonal'
    """Of all kernels: orthogonal, or N(0, 0.02^2)."""
    conditioning: Conditioning = 'projection'
    """How labels reach the discriminator's verdict."""


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
    conditioning: Conditioning = 'projection'
    """How labels reach the discriminator's verdict."""


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
    signs: int = 0
    """So many of a latent's values are random signs, the others normal: for modes that lie apart."""


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
    conditioning: Conditioning = 'projection'
    """How labels reach the discriminator's verdict."""


@dataclass(frozen=True)
class SNGAN:
    """A residual pair (Miyato et al. 2018) for 32, 48, 64 or 128 pixels, made for spectral normalization of D."""

    latent_dim: int = 128
    """Number of values in a latent."""
    width: int = 64
    """The unit of all widths, 64 in the paper: 256 features in G and 128 in D at 32 pixels, up to 1024 at larger sizes."""
    d_width: int | None = None
    """The discriminator's width (default: as the generator's)."""
    conditioning: Conditioning = 'projection'
    """How labels reach the discriminator's verdict."""


@dataclass(frozen=True)
class StyleGAN2:
    """A style-based generator and a convolutional discriminator (Karras et al. 2020)."""

    latent_dim: int = 512
    """Number of values in a latent z."""
    w_dim: int = 512
    """Number of values in a style w."""
    mapping_layers: int = 8
    """Layers between z and w."""
    d_mapping_layers: int = 8
    """Layers between the label's embedding and what the discriminator projects on."""
    channel_base: int = 32_768
    """Features at a side are this divided by it."""
    channel_max: int = 512
    """The most features of a layer."""
    mixing: float = 0.9
    """The probability that an image in training has two styles."""
    clamp: float | None = 256.0
    """The largest magnitude of activations; None: any."""
    low_precision: int = 4
    """So many of the largest sides compute in the run's dtype, the others (and 4x4) in float32."""
    d_architecture: Literal['residual', 'skip', 'orig'] = 'residual'
    """Residual blocks, an image at each side, or neither."""
    d_deviation_group: int = 4
    """Samples that the minibatch deviation compares; 1: none."""
    d_deviation_features: int = 1
    """Feature maps that it makes."""


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


STYLEGAN2: Mapping[str, StyleGAN2] = MappingProxyType(
    {  # Karras et al. 2020, arXiv 2006.06676 (its released settings)
        'cifar': StyleGAN2(mapping_layers=2, mixing=0.0, d_architecture='orig', d_deviation_group=32),
        'paper256': StyleGAN2(channel_base=16_384, d_deviation_group=8),
        'paper512': StyleGAN2(d_deviation_group=8),
        'paper1024': StyleGAN2(d_deviation_group=4),
    }
)
"""StyleGAN2 at its papers' settings."""

TRANSFORMERS: Mapping[str, Transformer] = MappingProxyType(
    {  # Hyun et al. 2025, arXiv 2509.24935, section 3 (heads: its program)
        'S': Transformer(width=384, depth=12, heads=6),
        'B': Transformer(width=768, depth=12, heads=12),
        'L': Transformer(width=1024, depth=24, heads=16),
        'XL': Transformer(width=1152, depth=28, heads=16),
    }
)
"""The transformer pair at its paper's sizes."""

Model = BigGAN | BigGANDeep | DCGAN | FastGAN | MLP | R3GAN | SNGAN | StyleGAN2 | Transformer
KINDS: dict[str, type] = {
    'biggan': BigGAN,
    'biggan_deep': BigGANDeep,
    'dcgan': DCGAN,
    'fastgan': FastGAN,
    'mlp': MLP,
    'r3gan': R3GAN,
    'sngan': SNGAN,
    'stylegan2': StyleGAN2,
    'transformer': Transformer,
}
