"""What ADA draws for one image: matrices of its geometric and colour transformations, gains of its bands.

All random numbers of an image are drawn at once, a row for each transformation (which others are on does not move it).
Each function maps its row to the transformation at full strength; ``gated`` leaves it out with probability 1 - p.

References:
    Karras et al. 2020, arXiv 2006.06676, appendix B, which has the distributions.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

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


class Luck(NamedTuple):
    """The random numbers of one transformation; with a leading axis, of all."""

    gate: Any  # U(0, 1)
    uniform: Any  # [2], U(0, 1)
    normal: Any  # [2], N(0, 1)

    def of(self, row: int) -> 'Luck':
        """Return those of one transformation."""
        return Luck(*(values[row] for values in self))


def roll(key: Key, rows: int) -> Luck:
    """Draw all random numbers of an image."""
    uniform_key, normal_key = jax.random.split(key)
    uniform = jax.random.uniform(uniform_key, (rows, 3))
    return Luck(uniform[:, 0], uniform[:, 1:], jax.random.normal(normal_key, (rows, 2)))


def gated(luck: Luck, p: Any, drawn: Any, neutral: Any) -> Any:
    """Take what was drawn with probability p, or else what changes nothing."""
    return jnp.where(luck.gate < p, drawn, neutral)


def _heads(luck: Luck) -> Any:
    return luck.uniform[0] < 0.5


def _angle(luck: Luck) -> Any:
    return (2.0 * luck.uniform[0] - 1.0) * float(np.pi)


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


# Geometry: from a row and the image's size to the inverse matrix, which maps positions in the result to the image.


def xflip(luck: Luck, size: Size) -> Matrix3:
    """Mirror left and right, every second time."""
    sign = jnp.where(_heads(luck), -1.0, 1.0)
    return scaling(sign, jnp.ones(()))


def rotate90(luck: Luck, size: Size) -> Matrix3:
    """Rotate by 0, 1, 2 or 3 right angles; their sines are whole numbers exactly."""
    cosines = jnp.array([1.0, 0.0, -1.0, 0.0])
    turns = jnp.floor(4.0 * luck.uniform[0]).astype(jnp.int32)
    c, s = cosines[turns], cosines[(turns + 3) % 4]
    return jnp.eye(3).at[:2, :2].set(jnp.stack([c, -s, s, c]).reshape(2, 2))


def xint(luck: Luck, size: Size) -> Matrix3:
    """Shift by whole pixels, up to an eighth of each side: U(-1/8, 1/8), rounded."""
    height, width = size
    x, y = (2.0 * luck.uniform - 1.0) * 0.125
    return shifting(-jnp.round(x * width), -jnp.round(y * height))


def scale(luck: Luck, size: Size) -> Matrix3:
    """Scale both axes by 2^N(0, 0.2)."""
    factor = jnp.exp2(-0.2 * luck.normal[0])
    return scaling(factor, factor)


def rotate(luck: Luck, size: Size) -> Matrix3:
    """Rotate by U(-pi, pi)."""
    return rotation(_angle(luck))


def aniso(luck: Luck, size: Size) -> Matrix3:
    """Scale x by 2^N(0, 0.2) and y by its inverse."""
    factor = jnp.exp2(-0.2 * luck.normal[0])
    return scaling(factor, 1.0 / factor)


def xfrac(luck: Luck, size: Size) -> Matrix3:
    """Shift by N(0, 1/8) of each side."""
    height, width = size
    x, y = luck.normal * 0.125
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


# Colour: from a row to a matrix on (red, green, blue, 1).


def brightness(luck: Luck) -> Matrix4:
    """Add N(0, 0.2) to all channels."""
    return jnp.eye(4).at[:3, 3].set(0.2 * luck.normal[0])


def contrast(luck: Luck) -> Matrix4:
    """Multiply all channels by 2^N(0, 0.5)."""
    factor = jnp.exp2(0.5 * luck.normal[0])
    return jnp.diag(jnp.stack([factor, factor, factor, jnp.ones(())]))


def lumaflip(luck: Luck) -> Matrix4:
    """Turn the luma around and leave the chroma, every second time: the reflection ``I - 2 v v^T``."""
    flip = jnp.where(_heads(luck), 2.0, 0.0)
    return jnp.eye(4) - flip * LUMA


def hue(luck: Luck) -> Matrix4:
    """Rotate by U(-pi, pi) about the luma axis v: ``cos I + sin [v]x + (1 - cos) v v^T``."""
    angle = _angle(luck)
    cross = np.pad(np.cross(np.eye(3), -GREY), (0, 1)).astype(np.float32)
    turned = jnp.cos(angle) * (jnp.eye(4) - LUMA) + jnp.sin(angle) * cross + LUMA
    return turned.at[3, 3].set(1.0)


def saturation(luck: Luck) -> Matrix4:
    """Multiply the chroma by 2^N(0, 1): ``v v^T + (I - v v^T) s``."""
    factor = jnp.exp2(1.0 * luck.normal[0])
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


def gains(luck: Luck, p: Any) -> Float[Array, ' 4']:
    """Draw the bands' amplifications from 4 rows: each band in turn, with probability p, by 2^N(0, 1).

    After each of them all bands are scaled so that an image with the expected spectrum keeps its power.
    """
    total = jnp.ones(BANDS)
    for band in range(BANDS):
        row = luck.of(band)
        each = jnp.ones(BANDS).at[band].set(jnp.exp2(row.normal[0]))
        power = jnp.sum(SPECTRUM * jnp.square(each))
        total = gated(row, p, total * each / jnp.sqrt(power), total)
    return total
