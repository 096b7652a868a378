"""Differentiable augmentations: ``augment(keys, images, state) -> images``, the same for real and fake."""

from jaxgan.augment.diffaugment import POLICIES, diffaugment

__all__ = ['POLICIES', 'diffaugment']
