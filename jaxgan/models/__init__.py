"""Networks, as Flax Linen modules; ``jaxgan.networks.from_linen`` makes them pure."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from jaxgan.models.biggan import BigGANDiscriminator, BigGANGenerator
from jaxgan.models.biggan_deep import BigGANDeepDiscriminator, BigGANDeepGenerator
from jaxgan.models.dcgan import DCGANDiscriminator, DCGANGenerator
from jaxgan.models.r3gan import R3GANDiscriminator, R3GANGenerator
from jaxgan.models.sngan import SNGANDiscriminator, SNGANGenerator
from jaxgan.models.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator

PAIRS: Mapping[str, tuple[Any, Any]] = MappingProxyType(
    {
        'biggan': (BigGANGenerator, BigGANDiscriminator),
        'biggan_deep': (BigGANDeepGenerator, BigGANDeepDiscriminator),
        'dcgan': (DCGANGenerator, DCGANDiscriminator),
        'r3gan': (R3GANGenerator, R3GANDiscriminator),
        'sngan': (SNGANGenerator, SNGANDiscriminator),
        'stylegan2': (StyleGAN2Generator, StyleGAN2Discriminator),
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
    'R3GANDiscriminator',
    'R3GANGenerator',
    'SNGANDiscriminator',
    'SNGANGenerator',
    'StyleGAN2Discriminator',
    'StyleGAN2Generator',
]
