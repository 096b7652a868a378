"""Penalties on the critic: ``penalty(critic, real, fake, keys) -> [B]``, one value a sample.

The critic maps samples to logits and already holds the discriminator's parameters, the labels and the
augmentation, so a gradient is taken with respect to the sample *before* augmentation. A value belongs to one
sample only where the critic does not mix samples: with batch normalization or minibatch standard deviation in the
discriminator the gradient of the summed logits leaks across the batch.
"""

import jax
import jax.numpy as jnp

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
    squared = _squared_norm(_input_gradient(critic, real + u * (fake - real)))
    return jnp.square(_safe_sqrt(squared) - 1.0)


def auxiliary_real(critic: Critic, real: Samples, fake: Samples, keys: Keys) -> PerSample:
    """Add the discriminator's own further loss on real samples: ``Verdict.auxiliary`` (a classifier's, a decoder's).

    References:
        Odena et al. 2016 (AC-GAN), arXiv 1610.09585, equation 3; Liu et al. 2021 (FastGAN), arXiv 2101.04775, equation 4.
    """
    return critic.auxiliary(real)


def _safe_sqrt(x: PerSample) -> PerSample:
    """Take the square root with gradient 0, not infinity, at 0 (a critic that is flat, as at initialization)."""
    positive = x > 0.0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, x, 1.0)), 0.0)
