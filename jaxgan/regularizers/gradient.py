"""Penalties on the gradient of the logit with respect to the sample: R1, R2, WGAN-GP, DRAGAN."""

import jax
import jax.numpy as jnp

from jaxgan.regularizers.noise import gaussian
from jaxgan.types import Critic, Keys, PerSample, Samples


def _input_gradient(critic: Critic, samples: Samples) -> Samples:
    """Compute ``dlogit_i / dx_i`` of each sample, from the loss's backward pass where the critic knows its start."""
    start = getattr(critic, 'cotangent', lambda samples: None)(samples)
    if start is None:
        return jax.grad(lambda x: jnp.sum(critic(x)))(samples)
    scaled = jax.grad(lambda x: jnp.sum(start * critic(x)))(samples)
    return scaled / start.astype(scaled.dtype).reshape(-1, *(1,) * (samples.ndim - 1))


def _squared_norm(samples: Samples) -> PerSample:
    return jnp.sum(jnp.square(samples), axis=tuple(range(1, samples.ndim)))


def r1(critic: Critic, real: Samples, fake: Samples, keys: Keys) -> PerSample:
    """Penalize the critic's gradient on real samples: ``||grad_x D(x)||^2 / 2``, x real.

    The norm sums over all of a sample's values; the weight is the papers' gamma.

    References:
        Mescheder et al. 2018, arXiv 1801.04406, equation 9.
    """
    return 0.5 * _squared_norm(_input_gradient(critic, real))


def r2(critic: Critic, real: Samples, fake: Samples, keys: Keys) -> PerSample:
    """Penalize the critic's gradient on fake samples: ``||grad_x D(x)||^2 / 2``, x fake.

    References:
        Mescheder et al. 2018, arXiv 1801.04406, equation 10.
    """
    return 0.5 * _squared_norm(_input_gradient(critic, fake))


def wgan_gp(critic: Critic, real: Samples, fake: Samples, keys: Keys) -> PerSample:
    """Pull the norm of the critic's gradient to 1 between real and fake: ``(||grad_x D(x)|| - 1)^2``.

    ``x = real + u (fake - real)`` with u uniform in [0, 1), one a sample; the papers' weight lambda is 10.

    References:
        Gulrajani et al. 2017, arXiv 1704.00028, equation 3.
    """
    u = jax.vmap(lambda key: jax.random.uniform(key, (1,) * (real.ndim - 1), real.dtype))(keys)
    return _pull_to_one(critic, real + u * (fake - real))


def dragan(
    critic: Critic, real: Samples, fake: Samples, keys: Keys, *, sigma: float | int = 0.5
) -> PerSample:
    """Pull the norm of the critic's gradient to 1 around real samples: ``(||grad_x D(x)|| - 1)^2``.

    ``x = real + sigma eps`` with eps from N(0, I); the paper's weight lambda is 10.

    Args:
        critic: samples -> logits.
        real: [B, ...].
        fake: not looked at.
        keys: [B].
        sigma: the noise's standard deviation, in units of the samples, which lie in [-1, 1].

    References:
        Kodali et al. 2017, On convergence and stability of GANs, arXiv 1705.07215, section 2.4: DRAGAN with k = 1
        and delta from N(0, c I). Public implementations shift by half the pixels' deviation times uniform noise instead.
    """
    return _pull_to_one(critic, real + sigma * gaussian(keys, real))


def _pull_to_one(critic: Critic, samples: Samples) -> PerSample:
    return jnp.square(_safe_sqrt(_squared_norm(_input_gradient(critic, samples))) - 1.0)


def _safe_sqrt(x: PerSample) -> PerSample:
    """Take the square root with gradient 0, not infinity, at 0 (a critic that is flat, as at initialization)."""
    positive = x > 0.0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)
