"""LeCam: D's logits are drawn to moving averages of what D says of the other kind of sample."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from jaxgan.types import Keys, Memory, PerSample, Regularizer, Samples


def make_lecam(decay: float | int = 0.99) -> Regularizer:
    """Make LeCam's penalty: ``(D(real) - a_fake)^2 + (D(fake) - a_real)^2``.

    ``a_real`` and ``a_fake`` are moving averages of D's mean logits of real and fake samples over past steps, each the
    average of the steps so far (the sum of their weights is kept, and 0 before any), constants in this step.

    Args:
        decay: of a past step's weight at each new one.

    References:
        Tseng et al. 2021, Regularizing GANs under limited data, arXiv 2104.03310, section 3.2.
    """

    def lecam(critic: Any, real: Samples, fake: Samples, keys: Keys) -> PerSample:
        past = critic.extra['lecam']
        a_real, a_fake = (past[name] / jnp.maximum(past['weight'], 1e-8) for name in ('real', 'fake'))
        return jnp.square(critic(real) - a_fake) + jnp.square(critic(fake) - a_real)

    def update(old: dict, metrics: dict, images: int) -> dict:
        new = {'real': metrics['real'], 'fake': metrics['fake'], 'weight': jnp.float32(1.0)}
        return {name: decay * old[name] + (1.0 - decay) * new[name] for name in old}

    initial = {name: np.zeros((), np.float32) for name in ('fake', 'real', 'weight')}
    return Regularizer(lecam, memory=Memory('lecam', initial, update))


lecam = make_lecam()
"""``(D(real) - a_fake)^2 + (D(fake) - a_real)^2``, moving averages a of D's logits, decay 0.99.

References:
    Tseng et al. 2021, Regularizing GANs under limited data, arXiv 2104.03310, section 3.2.
"""
