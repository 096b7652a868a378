"""Networks, as Flax Linen modules; ``jaxgan.networks.from_linen`` makes them pure."""

from jaxgan.models.biggan import BigGANDiscriminator, BigGANGenerator
from jaxgan.models.biggan_deep import BigGANDeepDiscriminator, BigGANDeepGenerator
from jaxgan.models.dcgan import DCGANDiscriminator, DCGANGenerator
from jaxgan.models.r3gan import R3GANDiscriminator, R3GANGenerator
from jaxgan.models.sngan import SNGANDiscriminator, SNGANGenerator

__all__ = [
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
]
