"""Losses: functions of the logits of paired real and fake samples, one value a sample.

Each is a ``Loss(discriminator, generator)``, both ``(real [B], fake [B]) -> [B]`` and both to be minimized. The
step takes the mean. A new loss is two formulas and a docstring.
"""

import jax.numpy as jnp
from jax.nn import relu, softplus

from jaxgan.types import Logits, Loss, PerSample


def _cross_entropy(real: Logits, fake: Logits) -> PerSample:
    return softplus(-real) + softplus(fake)


def _minimax_generator(real: Logits, fake: Logits) -> PerSample:
    return -softplus(fake)


def _non_saturating_generator(real: Logits, fake: Logits) -> PerSample:
    return softplus(-fake)


def _least_squares_discriminator(real: Logits, fake: Logits) -> PerSample:
    return 0.5 * (jnp.square(real - 1.0) + jnp.square(fake))


def _least_squares_generator(real: Logits, fake: Logits) -> PerSample:
    return 0.5 * jnp.square(fake - 1.0)


def _hinge_discriminator(real: Logits, fake: Logits) -> PerSample:
    return relu(1.0 - real) + relu(1.0 + fake)


def _difference(real: Logits, fake: Logits) -> PerSample:
    return fake - real


def _raise_fake(real: Logits, fake: Logits) -> PerSample:
    return -fake


def _relativistic_discriminator(real: Logits, fake: Logits) -> PerSample:
    return softplus(fake - real)


def _relativistic_generator(real: Logits, fake: Logits) -> PerSample:
    return softplus(real - fake)


minimax = Loss(_cross_entropy, _minimax_generator)
"""``D: -log s(real) - log(1 - s(fake))``, ``G: log(1 - s(fake))``, s the logistic function.

References:
    Goodfellow et al. 2014, arXiv 1406.2661, equation 1. The generator's gradient vanishes where D is sure.
"""

non_saturating = Loss(_cross_entropy, _non_saturating_generator)
"""``D`` as minimax, ``G: -log s(fake)``.

References:
    Goodfellow et al. 2014, arXiv 1406.2661, section 3.
"""

least_squares = Loss(_least_squares_discriminator, _least_squares_generator)
"""``D: ((real - 1)^2 + fake^2) / 2``, ``G: (fake - 1)^2 / 2``.

References:
    Mao et al. 2017, Least squares generative adversarial networks, arXiv 1611.04076, equation 2 with a=0, b=c=1.
"""

hinge = Loss(_hinge_discriminator, _raise_fake)
"""``D: max(0, 1 - real) + max(0, 1 + fake)``, ``G: -fake``.

References:
    Lim and Ye 2017, Geometric GAN, arXiv 1705.02894; Miyato et al. 2018, arXiv 1802.05957, equations 16 and 17.
"""

wasserstein = Loss(_difference, _raise_fake)
"""``D: fake - real``, ``G: -fake``; the critic needs a Lipschitz constraint, such as ``wgan_gp``.

References:
    Arjovsky et al. 2017, Wasserstein GAN, arXiv 1701.07875, equation 2.
"""

relativistic = Loss(_relativistic_discriminator, _relativistic_generator)
"""``D: log(1 + exp(fake - real))``, ``G: log(1 + exp(real - fake))`` on pairs of one real and one fake.

References:
    Jolicoeur-Martineau 2018, arXiv 1807.00734, section 3.1; Huang et al. 2025 (R3GAN), arXiv 2501.05441, equation 2.
"""
