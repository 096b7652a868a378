"""Differentiable augmentations: ``augment(keys, images, state) -> images``, the same for real and fake."""

from jaxgan.augment.ada import ada, ada_pipeline
from jaxgan.augment.controller import controller
from jaxgan.augment.diffaugment import POLICIES, diffaugment
from jaxgan.augment.names import GROUPS, SETS, strengths
from jaxgan.augment.views import shift_and_flip

__all__ = [
    'GROUPS',
    'POLICIES',
    'SETS',
    'ada',
    'ada_pipeline',
    'controller',
    'diffaugment',
    'shift_and_flip',
    'strengths',
]
