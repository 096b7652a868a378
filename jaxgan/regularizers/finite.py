"""Penalties on finite differences of the logit: R1 and R2 without a second backward pass."""

import jax.numpy as jnp

from jaxgan.regularizers.noise import gaussian
from jaxgan.types import Critic, Keys, PerSample, Samples


def approximate_r1(
    critic: Critic, real: Samples, fake: Samples, keys: Keys, *, sigma: float | int = 0.01
) -> PerSample:
    """Penalize how the logit of a real sample moves with noise: ``((D(x) - D(x + sigma eps)) / sigma)^2``.

    eps is from N(0, I), and both are seen through the same augmentation. Its mean over eps tends to ``||grad D||^2``
    as sigma falls, twice what ``r1`` is.

    Args:
        critic: samples -> logits.
        real: [B, ...].
        fake: not looked at.
        keys: [B].
        sigma: the noise's standard deviation; samples lie in [-1, 1]. In bfloat16 a logit is rounded by a part in 256,
            which divided by a small sigma is more than the difference: take a larger one there, such as 0.1.

    References:
        Lin et al. 2025, Diffusion adversarial post-training (APT), arXiv 2501.08316, section 3.4, the approximated R1
        (not divided by sigma, weight 100); Hyun et al. 2025, Scalable GANs with transformers (GAT), arXiv 2509.24935 (weight 0.1).
    """
    return _difference(critic, real, keys, sigma)


def approximate_r2(
    critic: Critic, real: Samples, fake: Samples, keys: Keys, *, sigma: float | int = 0.01
) -> PerSample:
    """Penalize how the logit of a fake sample moves with noise: ``((D(x) - D(x + sigma eps)) / sigma)^2``.

    As ``approximate_r1``, for the fake samples: twice what ``r2`` is, in the mean over eps as sigma falls.

    References:
        Lin et al. 2025, arXiv 2501.08316, section 3.4; Hyun et al. 2025, arXiv 2509.24935.
    """
    return _difference(critic, fake, keys, sigma)


def _difference(critic: Critic, samples: Samples, keys: Keys, sigma: float | int) -> PerSample:
    return jnp.square((critic(samples) - critic(samples + sigma * gaussian(keys, samples))) / sigma)
