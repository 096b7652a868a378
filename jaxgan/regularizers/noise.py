"""Noise for penalties: one key a sample, so that splitting a batch draws the same numbers."""

import jax

from jaxgan.types import Keys, Samples


def gaussian(keys: Keys, samples: Samples) -> Samples:
    """Draw standard normal noise of the samples' shape and dtype, each sample's from its own key."""
    return jax.vmap(lambda key, x: jax.random.normal(key, x.shape, x.dtype))(keys, samples)
