"""Networks, as Flax Linen modules; ``jaxgan.networks.from_linen`` makes them pure."""

from jaxgan.models.dcgan import DCGANDiscriminator, DCGANGenerator
from jaxgan.models.fastgan import FastGANDiscriminator, FastGANGenerator
from jaxgan.models.mlp import MLPDiscriminator, MLPGenerator
from jaxgan.models.r3gan import R3GANDiscriminator, R3GANGenerator
from jaxgan.models.transformer import TransformerDiscriminator, TransformerGenerator

__all__ = [
    'DCGANDiscriminator',
    'DCGANGenerator',
    'FastGANDiscriminator',
    'FastGANGenerator',
    'MLPDiscriminator',
    'MLPGenerator',
    'R3GANDiscriminator',
    'R3GANGenerator',
    'TransformerDiscriminator',
    'TransformerGenerator',
]
