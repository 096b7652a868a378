"""Differentiable augmentations: ``augment(keys, images, state) -> images``, the same for real and fake."""

from jaxgan.augment.diffaugment import POLICIES, diffaugment
from jaxgan.augment.views import shift_and_flip

__all__ = ['POLICIES', 'diffaugment', 'shift_and_flip']
