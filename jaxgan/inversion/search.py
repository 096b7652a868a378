"""Where to start: the nearest of many random images."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.inversion.objective import coarsened
from jaxgan.types import Images

SIDE = 16  # pixels at which candidates are compared


def nearest(images: Images, targets: Images, n: int, mask: Any = None, coarse: int = 1) -> Any:
    """Find the nearest images of each target, by squares of pixels averaged to about 16 a side.

    Args:
        images: candidates [N, H, W, C].
        targets: [B, H, W, C].
        n: how many, at most N.
        mask: [B, H, W, 1]: which pixels count; None: all.
        coarse: compare blocks of at least so many pixels.

    Returns:
        Places among the candidates, [B, n], the nearest first.
    """
    block = coarse
    while min(images.shape[1:3]) // block >= 2 * SIDE and min(images.shape[1:3]) % (2 * block) == 0:
        block *= 2
    weight = jnp.ones((*targets.shape[:3], 1), jnp.float32) if mask is None else mask
    weight, small = coarsened(weight, block), coarsened(images, block)

    def one(target: Any, counts: Any) -> Any:
        distances = jnp.sum(jnp.square(small - target[None]) * counts[None], axis=(1, 2, 3))
        return jax.lax.top_k(-distances, n)[1]

    # for one target after the other: every candidate's differences would not fit into memory for all at once
    return jax.lax.map(lambda pair: one(*pair), (coarsened(targets, block), weight))
