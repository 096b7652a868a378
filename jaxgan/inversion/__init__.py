"""From an image back to its code: optimization in a generator's spaces, and tuning of the generator around what was found.

All of it is pure: networks, parameters and keys are arguments, and whoever calls jits.
"""

from jaxgan.inversion.objective import (
    coarsened,
    deep_distance,
    discriminator_distance,
    make_objective,
    psnr,
    pyramid_distance,
    ssim,
)
from jaxgan.inversion.projector import Projection, Settings, autocorrelation, make_projector
from jaxgan.inversion.search import nearest
from jaxgan.inversion.tuning import Tuned, apply_patch, drift, make_tuner, patch_of

__all__ = [
    'Projection',
    'Settings',
    'Tuned',
    'apply_patch',
    'autocorrelation',
    'coarsened',
    'deep_distance',
    'discriminator_distance',
    'drift',
    'make_objective',
    'make_projector',
    'make_tuner',
    'nearest',
    'patch_of',
    'psnr',
    'pyramid_distance',
    'ssim',
]
