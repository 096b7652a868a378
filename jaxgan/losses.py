"""Losses: functions of the logits of paired real and fake samples, one value a sample.

Each is a ``Loss(discriminator, generator)``, both ``(real [B], fake [B]) -> [B]`` and both to be minimized. The
step takes the mean. A new loss is two formulas and a docstring.

Some compare the samples of a batch: their values are still one a sample, but each depends on the other logits, so
another batch size, or microbatches, make them another loss.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax.nn import logsumexp, relu, softplus

from jaxgan.types import Logits, Loss, PerSample, Schedule, value_at


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


def _average_discriminator(real: Logits, fake: Logits) -> PerSample:
    return softplus(jnp.mean(fake) - real) + softplus(fake - jnp.mean(real))


def _average_hinge_discriminator(real: Logits, fake: Logits) -> PerSample:
    return relu(1.0 - (real - jnp.mean(fake))) + relu(1.0 + (fake - jnp.mean(real)))


def _dual_contrastive_discriminator(real: Logits, fake: Logits) -> PerSample:
    return softplus(logsumexp(fake) - real) + softplus(fake + logsumexp(-real))


def _exchanged(discriminator: Callable) -> Callable:
    """Make the generator's loss of the discriminator's: the same with real and fake exchanged."""

    def generator(real: Logits, fake: Logits) -> PerSample:
        return discriminator(fake, real)

    return generator


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

relativistic_average = Loss(_average_discriminator, _exchanged(_average_discriminator))
"""``D: log(1 + exp(mean(fake) - real)) + log(1 + exp(fake - mean(real)))``, ``G``: real and fake exchanged (RaSGAN).

The means are over the batch in hand: microbatches, which see fewer samples, change the loss.

References:
    Jolicoeur-Martineau 2018, arXiv 1807.00734, section 4.3 with the standard loss (RaSGAN).
"""

relativistic_average_hinge = Loss(_average_hinge_discriminator, _exchanged(_average_hinge_discriminator))
"""``D: max(0, 1 - real + mean(fake)) + max(0, 1 + fake - mean(real))``, ``G``: real and fake exchanged (RaHingeGAN).

The means are over the batch in hand: microbatches, which see fewer samples, change the loss.

References:
    Jolicoeur-Martineau 2018, arXiv 1807.00734, section 4.3 with the hinge loss (RaHingeGAN).
"""

dual_contrastive = Loss(_dual_contrastive_discriminator, _exchanged(_dual_contrastive_discriminator))
"""``D: log(1 + sum_n exp(fake_n - real)) + log(1 + sum_n exp(fake - real_n))``, ``G``: real and fake exchanged.

Each real sample is told from all fake ones of the batch, and each fake one from all real ones: microbatches, which
see fewer, change the loss. The paper writes the game as one value that D maximizes and G minimizes; G's loss here is
its non-saturating form, as for the other losses.

References:
    Yu et al. 2021, Dual contrastive loss and attention for GANs, arXiv 2103.16748, section 3.
"""


def why_no_sign(loss: Loss) -> str | None:
    """Say why the sign of a logit does not tell whether D takes a sample for real; ``None`` where it does.

    It does where ``L_D(real, fake) = L_D(-fake, -real)``, so that an unsure discriminator says 0, and ``L_D`` changes when
    a number is added to all logits. Tried at two pairs of logits.

    >>> why_no_sign(hinge), why_no_sign(relativistic)
    (None, 'knows differences only')
    """
    d, real, fake = loss.discriminator, jnp.float32([0.3, -1.2]), jnp.float32([0.8, -0.4])
    here, moved, mirrored = d(real, fake), d(real + 4.0, fake + 4.0), d(-fake, -real)
    if not jnp.allclose(here, mirrored, rtol=1e-4):
        return 'is not symmetric: an unsure discriminator does not say 0'
    return 'knows differences only' if jnp.allclose(here, moved, rtol=1e-4) else None


def top_k(fraction: float | int | Schedule) -> Callable[[Any, Any], Any]:
    """Weigh the generator's loss: only the k fake samples with the largest logits count, k = fraction B.

    ``w_i = B / k`` where logit i is among the k largest, else 0: the weights' mean is 1, so the loss is the mean over
    these k. Microbatches choose within their own samples.

    Args:
        fraction: in (0, 1]; a number, or a schedule of the images seen (the paper falls from 1 to 1/2 or 3/4). k is
            rounded to the nearest integer and is at least 1; shapes do not depend on it.

    Returns:
        ``weights(fake logits [B], images seen) -> [B]``, for ``Recipe.g_weights``.

    References:
        Sinha et al. 2020, Top-k training of GANs, arXiv 2002.06224, algorithm 1.

    >>> top_k(0.5)(jnp.array([0.1, -2.0, 3.0, 0.2]), 0).tolist()
    [0.0, 0.0, 2.0, 2.0]
    """

    def weights(fake: Logits, images_seen: Any) -> PerSample:
        size = fake.shape[0]
        part = jnp.asarray(value_at(fraction, images_seen), jnp.float32)
        k = jnp.clip(jnp.round(part * size), 1, size).astype(fake.dtype)
        rank = jnp.argsort(jnp.argsort(-fake)).astype(fake.dtype)  # 0 for the largest; ties by their place
        return jnp.where(rank < k, size / k, jnp.zeros_like(fake))

    return weights
