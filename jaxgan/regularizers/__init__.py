"""Penalties: ``penalty(critic, real, fake, keys) -> [B]``, one value a sample, or one for all.

The critic maps samples to logits and already holds the discriminator's parameters, the labels and the
augmentation (``jaxgan.critic.BoundCritic``), so a gradient is taken with respect to the sample *before* augmentation.
A value belongs to one sample only where the critic does not mix samples: with batch normalization or minibatch
standard deviation in the discriminator the gradient of the summed logits leaks across the batch.

What a penalty needs besides is keyword-only. A new one is a function (or a ``Regularizer``, where it remembers
something) in a module of this package, and its name here.
"""

from jaxgan.regularizers.anchors import lecam, make_lecam
from jaxgan.regularizers.auxiliary import auxiliary_fake, auxiliary_real
from jaxgan.regularizers.consistency import bcr, cr, latent_diversity, zcr
from jaxgan.regularizers.finite import approximate_r1, approximate_r2
from jaxgan.regularizers.gradient import dragan, r1, r2, wgan_gp
from jaxgan.regularizers.weights import orthogonal

REAL_ONLY = (approximate_r1, auxiliary_real, cr, dragan, r1)
"""Penalties that look at real samples only, so that the generator's parameters do not enter."""

FAKE_ONLY = (latent_diversity,)
"""Penalties that do not ask the critic, so that the discriminator's parameters do not enter."""

__all__ = [
    'FAKE_ONLY',
    'REAL_ONLY',
    'approximate_r1',
    'approximate_r2',
    'auxiliary_fake',
    'auxiliary_real',
    'bcr',
    'cr',
    'dragan',
    'latent_diversity',
    'lecam',
    'make_lecam',
    'orthogonal',
    'r1',
    'r2',
    'wgan_gp',
    'zcr',
]
