"""DiffAugment: colour, translation and cutout, differentiable, one key a sample.

References:
    Zhao et al. 2020, Differentiable augmentation for data-efficient GAN training, arXiv 2006.10738, section 3.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxgan.errors import unknown
from jaxgan.types import Augment, Images, Key, Keys, Schedule, value_at

Image = Float[Array, 'h w c']


def color(key: Key, image: Image) -> Image:
    """Shift the brightness by U(-0.5, 0.5), scale the saturation by U(0, 2) and the contrast by U(0.5, 1.5).

    Saturation scales about each pixel's mean over its channels, contrast about the image's mean.
    """
    brightness, saturation, contrast = jax.random.uniform(key, (3,), image.dtype)
    image = image + (brightness - 0.5)
    grey = jnp.mean(image, axis=-1, keepdims=True)
    image = grey + (image - grey) * (2.0 * saturation)
    mean = jnp.mean(image, axis=(0, 1, 2), keepdims=True)
    return mean + (image - mean) * (0.5 + contrast)


def translation(key: Key, image: Image) -> Image:
    """Shift by up to 1/8 of each side, in whole pixels; what comes in from outside is 0."""
    height, width, channels = image.shape
    reach = jnp.array([round(height / 8), round(width / 8)])
    shift = jax.random.randint(key, (2,), 0, 2 * reach + 1)
    y, x = round(height / 8), round(width / 8)
    padded = jnp.pad(image, ((y, y), (x, x), (0, 0)))
    return jax.lax.dynamic_slice(padded, (shift[0], shift[1], 0), (height, width, channels))


def cutout(key: Key, image: Image) -> Image:
    """Set a square of half the side to 0; its centre is anywhere in the image, so it may reach over the edge."""
    height, width, _ = image.shape
    centre = jax.random.randint(key, (2,), 0, jnp.array([height + 1, width + 1]))
    rows, columns = jnp.arange(height)[:, None, None], jnp.arange(width)[None, :, None]

    def inside(position: Any, middle: Any, size: int) -> Any:
        half = round(size / 4)
        return (position >= middle - half) & (position < middle + half)

    hole = inside(rows, centre[0], height) & inside(columns, centre[1], width)
    return jnp.where(hole, jnp.zeros((), image.dtype), image)


POLICIES: Mapping[str, Callable[[Key, Image], Image]] = MappingProxyType(
    {'color': color, 'translation': translation, 'cutout': cutout}
)


def diffaugment(policy: Sequence[str], p: float | int | Schedule = 1.0) -> Augment:
    """Make an augmentation from names of ``POLICIES``, applied in the order given.

    Args:
        policy: such as ``('color', 'translation', 'cutout')``.
        p: the probability of each transformation, a sample at a time; a number or a schedule of the images seen.

    Returns:
        ``augment(keys [B], images [B, H, W, C], state) -> images``; ``state.images_seen`` feeds the schedule.

    Raises:
        InputError: a name is not in ``POLICIES``.
    """
    for name in policy:
        if name not in POLICIES:
            raise unknown('augmentation', name, POLICIES)
    transforms = [POLICIES[name] for name in policy]

    def augment(keys: Keys, images: Images, state: Any) -> Images:
        probability = value_at(p, state.images_seen)

        def one(key: Key, image: Image) -> Image:
            for i, transform in enumerate(transforms):
                gate_key, own_key = jax.random.split(jax.random.fold_in(key, i))
                gate = jax.random.uniform(gate_key) < probability
                image = jnp.where(gate, transform(own_key, image), image)
            return image

        return jax.vmap(one)(keys, images) if transforms else images

    return augment
