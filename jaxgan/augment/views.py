"""Mild views of an image for consistency penalties: ``(keys, images) -> images``, always applied."""

import jax
import jax.numpy as jnp

from jaxgan.augment.diffaugment import translation
from jaxgan.types import Images, Keys


def shift_and_flip(keys: Keys, images: Images) -> Images:
    """Flip each image left to right with probability 1/2, then shift it by up to 1/8 of each side.

    What comes in from outside is 0.

    References:
        Zhang et al. 2019, Consistency regularization for GANs, arXiv 1910.12027, section 3.
    """

    def one(key: jax.Array, image: jax.Array) -> jax.Array:
        flip_key, shift_key = jax.random.split(key)
        image = jnp.where(jax.random.bernoulli(flip_key), jnp.flip(image, axis=1), image)
        return translation(shift_key, image)

    return jax.vmap(one)(keys, images)
