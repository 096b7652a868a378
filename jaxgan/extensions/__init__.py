"""What a step may do besides its usual phases: each an ``Extension`` for ``Recipe.extensions``."""

from jaxgan.extensions.apa import apa
from jaxgan.extensions.discriminator_steps import discriminator_steps
from jaxgan.extensions.path_length import path_length

__all__ = ['apa', 'discriminator_steps', 'path_length']
