"""What ADA draws for one image: matrices of its geometric and colour transformations, gains of its bands.

Each function maps a key to its transformation at full strength; ``gated`` leaves it out with probability 1 - p.

References:
    Karras et al. 2020, arXiv 2006.06676, appendix B, which has the distributions.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxgan.augment.wavelets import BANDS
from jaxgan.types import Key

Matrix3 = Float[Array, '3 3']
Matrix4 = Float[Array, '4 4']
Size = tuple[int, int]  # height, width

GREY = np.full(3, 3.0**-0.5, np.float32)  # the luma axis
LUMA = np.pad(np.outer(GREY, GREY), (0, 1))  # the projection on it
SPECTRUM = np.array([10.0, 1.0, 1.0, 1.0], np.float32) / 13.0
"""The power that natural images (1/f) are expected to have in each band."""


def gated(key: Key, p: Any, draw: Callable, neutral: Any) -> Any:
    """Draw with probability p, or return what changes nothing."""
    gate_key, own_key = jax.random.split(key)
    return jnp.where(jax.random.uniform(gate_key) < p, draw(own_key), neutral)


def _normal(key: Key, deviation: float, shape: tuple[int, ...] = ()) -> Any:
    return jax.random.normal(key, shape) * deviation


def _uniform(key: Key, bound: float, shape: tuple[int, ...] = ()) -> Any:
    return jax.random.uniform(key, shape, minval=-bound, maxval=bound)


def scaling(x: Any, y: Any) -> Matrix3:
    """Scale the axes: diag(x, y, 1)."""
    return jnp.diag(jnp.stack([x, y, jnp.ones_like(x)]))


def rotation(angle: Any) -> Matrix3:
    """Rotate by an angle from the x axis towards the y axis, which points down."""
    c, s, zero = jnp.cos(angle), jnp.sin(angle), jnp.zeros_like(angle)
    return jnp.stack([c, -s, zero, s, c, zero, zero, zero, jnp.ones_like(angle)]).reshape(3, 3)


def shifting(x: Any, y: Any) -> Matrix3:
    """Shift by (x, y)."""
    return jnp.eye(3).at[:2, 2].set(jnp.stack([x, y]))


# Geometry: from an image's size and a key to the inverse matrix, which maps positions in the result to the image.


def xflip(key: Key, size: Size) -> Matrix3:
    """Mirror left and right, every second time."""
    sign = jnp.where(jax.random.bernoulli(key), -1.0, 1.0)
    return scaling(sign, jnp.ones(()))


def rotate90(key: Key, size: Size) -> Matrix3:
    """Rotate by 0, 1, 2 or 3 right angles; their sines are whole numbers exactly."""
    cosines = jnp.array([1.0, 0.0, -1.0, 0.0])
    turns = jax.random.randint(key, (), 0, 4)
    c, s = cosines[turns], cosines[(turns + 3) % 4]
    return jnp.eye(3).at[:2, :2].set(jnp.stack([c, -s, s, c]).reshape(2, 2))


def xint(key: Key, size: Size) -> Matrix3:
    """Shift by whole pixels, up to an eighth of each side: U(-1/8, 1/8), rounded."""
    height, width = size
    x, y = _uniform(key, 0.125, (2,))
    return shifting(-jnp.round(x * width), -jnp.round(y * height))


def scale(key: Key, size: Size) -> Matrix3:
    """Scale both axes by 2^N(0, 0.2)."""
    factor = jnp.exp2(-_normal(key, 0.2))
    return scaling(factor, factor)


def rotate(key: Key, size: Size) -> Matrix3:
    """Rotate by U(-pi, pi)."""
    return rotation(_uniform(key, float(np.pi)))


def aniso(key: Key, size: Size) -> Matrix3:
    """Scale x by 2^N(0, 0.2) and y by its inverse."""
    factor = jnp.exp2(-_normal(key, 0.2))
    return scaling(factor, 1.0 / factor)


def xfrac(key: Key, size: Size) -> Matrix3:
    """Shift by N(0, 1/8) of each side."""
    height, width = size
    x, y = _normal(key, 0.125, (2,))
    return shifting(-x * width, -y * height)


GEOMETRY: tuple[tuple[str, Callable], ...] = (
    ('xflip', xflip),
    ('rotate90', rotate90),
    ('xint', xint),
    ('scale', scale),
    ('rotate', rotate),
    ('aniso', aniso),
    ('rotate', rotate),
    ('xfrac', xfrac),
)
"""In the order in which they act on the image. It is rotated before and after it is stretched, each with probability
``1 - sqrt(1 - p)``, so that it is rotated at all with probability p."""


# Colour: from a key to a matrix on (red, green, blue, 1).


def brightness(key: Key) -> Matrix4:
    """Add N(0, 0.2) to all channels."""
    return jnp.eye(4).at[:3, 3].set(_normal(key, 0.2))


def contrast(key: Key) -> Matrix4:
    """Multiply all channels by 2^N(0, 0.5)."""
    factor = jnp.exp2(_normal(key, 0.5))
    return jnp.diag(jnp.stack([factor, factor, factor, jnp.ones(())]))


def lumaflip(key: Key) -> Matrix4:
    """Turn the luma around and leave the chroma, every second time: the reflection ``I - 2 v v^T``."""
    flip = jnp.where(jax.random.bernoulli(key), 2.0, 0.0)
    return jnp.eye(4) - flip * LUMA


def hue(key: Key) -> Matrix4:
    """Rotate by U(-pi, pi) about the luma axis v: ``cos I + sin [v]x + (1 - cos) v v^T``."""
    angle = _uniform(key, float(np.pi))
    cross = np.pad(np.cross(np.eye(3), -GREY), (0, 1)).astype(np.float32)
    turned = jnp.cos(angle) * (jnp.eye(4) - LUMA) + jnp.sin(angle) * cross + LUMA
    return turned.at[3, 3].set(1.0)


def saturation(key: Key) -> Matrix4:
    """Multiply the chroma by 2^N(0, 1): ``v v^T + (I - v v^T) s``."""
    factor = jnp.exp2(_normal(key, 1.0))
    return (jnp.asarray(LUMA) + (jnp.eye(4) - LUMA) * factor).at[3, 3].set(1.0)


COLOR: Mapping[str, Callable] = MappingProxyType(
    {
        'brightness': brightness,
        'contrast': contrast,
        'lumaflip': lumaflip,
        'hue': hue,
        'saturation': saturation,
    }
)
"""In the order in which they act on the image."""
CHROMATIC = ('hue', 'saturation')
"""Those that do nothing to an image of one channel."""


def gains(key: Key, p: Any) -> Float[Array, ' 4']:
    """Draw the bands' amplifications: each band in turn, with probability p, by 2^N(0, 1).

    After each of them all bands are scaled so that an image with the expected spectrum keeps its power.
    """
    total = jnp.ones(BANDS)
    for band in range(BANDS):
        own = jax.random.fold_in(key, band)
        factor = gated(own, p, lambda key: jnp.exp2(_normal(key, 1.0)), jnp.ones(()))
        each = jnp.ones(BANDS).at[band].set(factor)
        power = jnp.sum(SPECTRUM * jnp.square(each))
        total = jnp.where(factor == 1.0, total, total * each / jnp.sqrt(power))
    return total
