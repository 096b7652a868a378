"""Detection: the correlation of an image's bounded scores with a key's signs, and its p-value."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from jaxgan.errors import InputError
from jaxgan.watermark.blocks import BASIS, COUNT, LATTICE_BELOW, SIDE, STEP, TURN, luma, to_blocks
from jaxgan.watermark.embedding import BAND
from jaxgan.watermark.pattern import PERIOD, Pattern, capacity, tile_signs
from jaxgan.watermark.pvalues import LN10, log_p_value

DUST = 1e-3  # scores below are rounding, as in a flat image, and count as none
SOFTNESS = 4.0  # grey levels: coefficients below count in proportion, those far above as their sign


Reading = Callable[[Any], Any]
"""From coefficients to scores in [-1, 1], each of one coefficient."""


@dataclass(frozen=True)
class Detection:
    """What was found of a key in an image, or in a batch.

    ``statistic`` is sum_i s_i x_i / |x|, about a standard normal for a key that is not the image's; ``p_value`` bounds the probability that
    a random key reaches it (0 only by underflow: ``log10_p``). Of ``bits`` known bits ``matches`` were read right, half by chance.
    """

    statistic: float
    p_value: float
    log10_p: float
    bits: int
    matches: int
    coefficients: int  # that were not 0: with n of them no p-value is below 2^-n
    how: str = ''  # what a search did to the image
    tries: float = 1.0  # by which the p-value was multiplied

    def corrected(self, tries: float) -> 'Detection':
        """Multiply the p-value by a number of tries, at most to 1."""
        log10_p = min(0.0, self.log10_p + math.log10(tries))
        return replace(self, p_value=10.0**log10_p, log10_p=log10_p, tries=self.tries * tries)


def soft_sign(coefficients: Any, xp: Any = np) -> Any:
    """Bound coefficients to (-1, 1) by c / sqrt(c^2 + SOFTNESS^2), so that no single one decides: the score of ``Lift``."""
    return coefficients / xp.sqrt(coefficients * coefficients + SOFTNESS * SOFTNESS)


def wave(coefficients: Any, xp: Any = np) -> Any:
    """Give sin(2 pi c / STEP), 1 at the places of a plus and -1 at those of a minus: the score of ``Lattice``."""
    return xp.sin(coefficients * (TURN / STEP))


def readings(height: int, width: int) -> tuple[Reading, ...]:
    """List the scores that an image of a size is read by; where there are two, the p-value of the better is doubled."""
    blocks = (height // SIDE) * (width // SIDE)
    return (wave, soft_sign) if blocks < LATTICE_BELOW else (soft_sign,)


def fold(values: np.ndarray) -> np.ndarray:
    """Add what lies under the same sign: [rows, columns, COUNT] to at most [PERIOD, PERIOD, COUNT]."""
    rows, columns, count = values.shape
    high, wide = -(-rows // PERIOD), -(-columns // PERIOD)
    if (high, wide) == (1, 1):
        return values
    padded = np.zeros((high * PERIOD, wide * PERIOD, count))
    padded[:rows, :columns] = values
    folded = padded.reshape(high, PERIOD, wide, PERIOD, count).sum((0, 2))
    return folded[: min(rows, PERIOD), : min(columns, PERIOD)]


def read_scores(images: np.ndarray, reading: Reading = soft_sign, basis: np.ndarray = BASIS) -> np.ndarray:
    """Read the scores of images uint8 [n, h, w, c], each folded: [n, min(rows, PERIOD), min(columns, PERIOD), COUNT].

    Raises:
        InputError: no images of bytes, or no whole block.
    """
    if images.ndim != 4 or images.dtype != np.uint8 or images.shape[-1] not in (1, 3, 4):
        raise InputError(
            f'images of shape {images.shape} and type {images.dtype}: uint8 [h, w, c] with c 1, 3 or 4 is expected'
        )
    n, height, width, _ = images.shape
    rows, columns = height // SIDE, width // SIDE
    if not capacity(height, width):
        raise InputError(f'an image of {height}x{width} pixels carries no mark: {SIDE}x{SIDE} is the least')
    out = np.zeros((n, min(rows, PERIOD), min(columns, PERIOD), COUNT))
    many, band = max(BAND // (height * width), 1), PERIOD * max(BAND // (width * SIDE * PERIOD), 1)
    for start in range(0, n, many):
        for row in range(0, rows, band):
            part = images[start : start + many, row * SIDE : (row + band) * SIDE, :, :3].astype(np.float32)
            read = reading(to_blocks(luma(part)) @ basis)
            for index, one in enumerate(read):
                folded = fold(one)
                out[start + index, : folded.shape[0]] += folded
    return out


def bit_places(rows: int, columns: int, bits: int) -> np.ndarray:
    """Give the bit that each coefficient belongs to: integers [rows, columns, COUNT]; all bits get about as many."""
    place = np.arange(rows)[:, None, None] % PERIOD * 7 + np.arange(columns)[None, :, None] % PERIOD
    return (place * COUNT + np.arange(COUNT)) % bits


def correlate(weights: np.ndarray, signs: np.ndarray, bits: int, how: str = '') -> Detection:
    """Correlate scores [rows, columns, COUNT] with signs of the same shape."""
    weights = np.where(np.abs(weights) < DUST, 0.0, weights)
    products = weights * signs
    value, size = float(products.sum()), math.sqrt(float((weights**2).sum()))
    log_p = log_p_value(weights, value)
    sums = np.bincount(bit_places(weights.shape[0], weights.shape[1], bits).ravel(), products.ravel(), bits)
    return Detection(
        statistic=value / size if size else 0.0,
        p_value=math.exp(log_p),
        log10_p=log_p / LN10,
        bits=bits,
        matches=int((sums > 0).sum()),
        coefficients=int(np.count_nonzero(weights)),
        how=how,
    )


def detect(image: np.ndarray, key: bytes, basis: np.ndarray = BASIS) -> Detection:
    """Detect the mark of a key in one image as it is: not moved, turned or resized (``search``).

    Args:
        image: uint8 [h, w, c].
        key: of the mark.
        basis: of the coefficients that carry it.

    Raises:
        InputError: no image of bytes, no whole block, or an empty key.
    """
    return make_reader(np.asarray(image)[None], basis)(key)


def batch(images: np.ndarray, key: bytes, basis: np.ndarray = BASIS) -> Detection:
    """Detect the mark of a key in many images of one model together: a proof where one image is too small, or too much altered, for any.

    The scores are added up for each coefficient first, so that images that are alike (or the same) do not count as independent.

    Args:
        images: uint8 [n, h, w, c].
        key: of the mark.
        basis: of the coefficients that carry it.
    """
    return replace(make_reader(images, basis)(key), how=f'{len(images)} images together')


def make_reader(images: np.ndarray, basis: np.ndarray = BASIS) -> Callable[[bytes], Detection]:
    """Read images of one size once, and return what detects a key in them together; so that many keys cost little more than one.

    Args:
        images: uint8 [n, h, w, c].
        basis: of the coefficients that carry the mark.

    Raises:
        InputError: no images of bytes, or no whole block.
    """
    height, width = images.shape[1:3] if images.ndim == 4 else (0, 0)
    read = [read_scores(images, reading, basis).sum(0) for reading in readings(height, width)]

    def find(key: bytes) -> Detection:
        signs = tile_signs(key)
        found = [
            correlate(weights, signs[: weights.shape[0], : weights.shape[1]], capacity(height, width))
            for weights in read
        ]
        return min(found, key=lambda one: one.log10_p).corrected(float(len(found)))

    return find


def scores(images: Any, pattern: Pattern) -> Any:
    """Score each bit of the mark in float images, differentiably: the mean of s_i x_i over the coefficients of the bit.

    Args:
        images: floats in [-1, 1] [n, h, w, c], of NumPy or JAX.
        pattern: of their size.

    Returns:
        [n, bits], each in (-1, 1); positive where the bit is read right, about 0 for another key.
    """
    import jax.numpy as jnp

    height, width = images.shape[1:3]
    levels = (jnp.asarray(images)[..., :3] + 1.0) * 127.5
    read = soft_sign(to_blocks(luma(levels)) @ pattern.basis, jnp)
    rows, columns = read.shape[1:3]
    bits = capacity(height, width)
    signs = jnp.tile(pattern.signs, (-(-rows // PERIOD), -(-columns // PERIOD), 1))[:rows, :columns]
    member = np.eye(bits, dtype=np.float32)[bit_places(rows, columns, bits).ravel()]
    return (read * signs[None]).reshape(len(images), -1) @ (member / np.maximum(member.sum(0), 1))
