"""Networks, as Flax Linen modules; ``jaxgan.networks.from_linen`` makes them pure."""

from jaxgan.models.dcgan import DCGANDiscriminator, DCGANGenerator
from jaxgan.models.r3gan import R3GANDiscriminator, R3GANGenerator

__all__ = ['DCGANDiscriminator', 'DCGANGenerator', 'R3GANDiscriminator', 'R3GANGenerator']
