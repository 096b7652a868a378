"""Networks, as Flax Linen modules; ``jaxgan.networks.from_linen`` makes them pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from jaxgan.models.biggan import BigGANDiscriminator, BigGANGenerator
from jaxgan.models.biggan_deep import BigGANDeepDiscriminator, BigGANDeepGenerator
from jaxgan.models.dcgan import DCGANDiscriminator, DCGANGenerator
from jaxgan.models.fastgan import FastGANDiscriminator, FastGANGenerator
from jaxgan.models.mlp import MLPDiscriminator, MLPGenerator
from jaxgan.models.r3gan import R3GANDiscriminator, R3GANGenerator
from jaxgan.models.sngan import SNGANDiscriminator, SNGANGenerator
from jaxgan.models.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from jaxgan.models.transformer import TransformerDiscriminator, TransformerGenerator

PAIRS: Mapping[str, tuple[Any, Any]] = MappingProxyType(
    {
        'biggan': (BigGANGenerator, BigGANDiscriminator),
        'biggan_deep': (BigGANDeepGenerator, BigGANDeepDiscriminator),
        'dcgan': (DCGANGenerator, DCGANDiscriminator),
        'fastgan': (FastGANGenerator, FastGANDiscriminator),
        'mlp': (MLPGenerator, MLPDiscriminator),
        'r3gan': (R3GANGenerator, R3GANDiscriminator),
        'sngan': (SNGANGenerator, SNGANDiscriminator),
        'stylegan2': (StyleGAN2Generator, StyleGAN2Discriminator),
        'transformer': (TransformerGenerator, TransformerDiscriminator),
    }
)
"""The families by the names that configurations and exports use: generator, discriminator."""

__all__ = [
    'PAIRS',
    'BigGANDeepDiscriminator',
    'BigGANDeepGenerator',
    'BigGANDiscriminator',
    'BigGANGenerator',
    'DCGANDiscriminator',
    'DCGANGenerator',
    'FastGANDiscriminator',
    'FastGANGenerator',
    'MLPDiscriminator',
    'MLPGenerator',
    'R3GANDiscriminator',
    'R3GANGenerator',
    'SNGANDiscriminator',
    'SNGANGenerator',
    'StyleGAN2Discriminator',
    'StyleGAN2Generator',
    'TransformerDiscriminator',
    'TransformerGenerator',
]
