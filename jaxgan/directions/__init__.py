"""Directions in a generator's space: found by themselves (GANSpace, SeFa) or from labels, and edits along them.

Pure: jit or vmap them. A direction is a unit vector, and an edit is so many standard deviations of the codes along it.
"""

from jaxgan.directions.attributes import Fit, conditional, enough, fit_attributes
from jaxgan.directions.components import Components, principal, regressed
from jaxgan.directions.factors import affine_layers, first_curved, sefa
from jaxgan.directions.types import Directions, edit, fix_signs, measure, move, orthonormal, position

__all__ = [
    'Components',
    'Directions',
    'Fit',
    'affine_layers',
    'conditional',
    'edit',
    'enough',
    'first_curved',
    'fit_attributes',
    'fix_signs',
    'measure',
    'move',
    'orthonormal',
    'position',
    'principal',
    'regressed',
    'sefa',
]
