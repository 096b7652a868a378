"""Embedding: lift each coefficient toward its keyed sign, as far as it needs and no farther."""

from typing import Any, NamedTuple

import numpy as np

from jaxgan.errors import InputError
from jaxgan.watermark.blocks import (
    COUNT,
    LATTICE_BELOW,
    SIDE,
    STEP,
    TURN,
    from_blocks,
    luma,
    to_blocks,
)
from jaxgan.watermark.pattern import PERIOD, Pattern

PASSES = 4  # clipping at black and white takes away a part of what a pass adds
BAND = 1 << 20  # pixels that are worked on at once


class Lift(NamedTuple):
    """Lift coefficients to their side of zero, for images of 64 blocks or more: robust. In grey levels of 255."""

    margin: float  # a lifted coefficient has its sign by as much; 8 are one grey level of a pixel's deviation
    reach: float  # one that is wrong by more is lifted less, or not at all


class Lattice(NamedTuple):
    """Move coefficients to the nearest of their places on a lattice, for smaller images: the image itself is no noise, so a little is enough.

    The places of a plus are (k + 1/4) STEP, those of a minus (k - 1/4) STEP (quantization index modulation, Chen and Wornell 2001).
    """


Strength = Lift | Lattice


def default_strength(height: int, width: int) -> Strength:
    """Give the strength for images of a size: more where there are few blocks, and the lattice below 64 of them."""
    blocks = (height // SIDE) * (width // SIDE)
    if blocks >= 1024:
        return Lift(5.0, 1.5) if blocks >= 4096 else Lift(6.0, 2.0)
    if blocks >= 256:
        return Lift(7.0, 5.0)
    return Lift(7.5, 11.0) if blocks >= LATTICE_BELOW else Lattice()


def lift(value: Any, margin: Any, reach: Any, xp: Any) -> Any:
    """Lift what is below a margin to it, and less what is farther below than ``reach``.

        max(y, min(margin, margin + 2 (y + reach)))

    Continuous and monotone: the margin for y in [-reach, margin], y itself from there up, and below -(2 reach + margin).
    """
    return xp.maximum(value, xp.minimum(margin, margin + 2 * (value + reach)))


def settle(coefficients: Any, signs: Any, xp: Any) -> Any:
    """Move coefficients toward the nearest places of their signs on the lattice; continuous, and again and again it gets there.

        c + s (STEP / 2 pi) cos(2 pi c / STEP)

    a step uphill on s sin(2 pi c / STEP), whose slope is 0 at its goal.
    """
    return coefficients + signs * (STEP / TURN) * xp.cos(coefficients * (TURN / STEP))


def _masking(blocks: Any, xp: Any) -> Any:
    """Give the share of the strength for each block [..., 64] -> [..., 1]: less where it is flat, more where it is rough."""
    mean = blocks.mean(-1, keepdims=True)
    deviation = xp.sqrt(((blocks - mean) ** 2).mean(-1, keepdims=True) + 1.0)
    return xp.clip(0.7 + deviation / 60.0, 0.7, 1.5)


def _tiled(signs: Any, rows: int, columns: int, xp: Any) -> Any:
    """Repeat the signs of a period over a grid of blocks."""
    if signs.shape[0] == rows and signs.shape[1] == columns:
        return signs
    tiled = xp.tile(signs, (-(-rows // PERIOD), -(-columns // PERIOD), 1))
    return tiled[:rows, :columns]


def _embed_levels(colors: Any, signs: Any, basis: Any, strength: Strength, xp: Any) -> Any:
    """Embed into colours [n, h, w, 1 or 3] of levels in [0, 255], both sides whole blocks; signs [rows, columns, COUNT]."""
    first, signs = to_blocks(luma(colors)), signs[None]
    share = _masking(first, xp)
    for index in range(PASSES):
        found = (first if index == 0 else to_blocks(luma(colors))) @ basis
        if isinstance(strength, Lift):
            wanted = lift(found * signs, strength.margin * share, strength.reach * share, xp) * signs
        else:
            wanted = settle(found, signs, xp)
        plane = from_blocks((wanted - found) @ basis.T)
        colors = xp.clip(colors + plane[..., None], 0.0, 255.0)
    return colors


def embed(images: Any, pattern: Pattern, strength: Strength | None = None) -> Any:
    """Embed a pattern; alpha and what is outside whole blocks stay as they are.

    Args:
        images: uint8 [..., h, w, c] of NumPy; or floats in [-1, 1] of JAX, the result of which is continuous in them. c is 1, 3 or 4.
        pattern: ``make_pattern`` of this size.
        strength: None: ``default_strength``.

    Returns:
        The same shape and type. Images without a whole block come back unchanged.

    Raises:
        InputError: the shape is no image's, the pattern is of another size, or NumPy's images are no uint8.
    """
    *_, height, width, channels = _checked(images, pattern)
    rows, columns = height // SIDE, width // SIDE
    if not rows * columns:
        return images
    strength = default_strength(height, width) if strength is None else strength
    flat = images.reshape(-1, height, width, channels)
    if isinstance(images, np.ndarray):
        return _embed_bytes(flat, Pattern(*map(np.asarray, pattern)), strength).reshape(images.shape)
    return _embed_floats(flat, pattern, strength).reshape(images.shape)


def _checked(images: Any, pattern: Pattern) -> tuple[Any, ...]:
    if images.ndim < 3 or images.shape[-1] not in (1, 3, 4):
        raise InputError(
            f'images of shape {tuple(images.shape)}: [..., h, w, c] with c 1, 3 or 4 is expected'
        )
    if isinstance(images, np.ndarray) and images.dtype != np.uint8:
        raise InputError(f"images of NumPy's {images.dtype}: uint8 is expected, or floats of JAX")
    height, width = images.shape[-3:-1]
    expected = (min(height // SIDE, PERIOD), min(width // SIDE, PERIOD), COUNT)
    if tuple(pattern.signs.shape) != expected:
        raise InputError(
            f'a pattern of {tuple(pattern.signs.shape)} signs for images of {height}x{width}: {expected} are expected'
        )
    return images.shape


def _embed_floats(images: Any, pattern: Pattern, strength: Strength) -> Any:
    import jax.numpy as jnp

    _, height, width, channels = images.shape
    rows, columns = height // SIDE, width // SIDE
    color = min(channels, 3)
    levels = (images[:, : rows * SIDE, : columns * SIDE, :color] + 1.0) * 127.5
    signs = _tiled(pattern.signs, rows, columns, jnp)
    marked = _embed_levels(levels, signs, pattern.basis, strength, jnp) / 127.5 - 1.0
    marked = jnp.concatenate([marked, images[:, : rows * SIDE, : columns * SIDE, color:]], axis=-1)
    marked = jnp.concatenate([marked, images[:, : rows * SIDE, columns * SIDE :]], axis=2)
    return jnp.concatenate([marked, images[:, rows * SIDE :]], axis=1)


def _embed_bytes(images: np.ndarray, pattern: Pattern, strength: Strength) -> np.ndarray:
    """Embed in parts of at most about ``BAND`` pixels: bands of whole blocks of large images, many small images at once."""
    n, height, width, channels = images.shape
    rows, columns, color = height // SIDE, width // SIDE, min(channels, 3)
    many = max(BAND // (height * width), 1)
    band = max(BAND // (width * SIDE), 1)
    out = images.copy()
    for start in range(0, n, many):
        for row in range(0, rows, band):
            part = np.s_[
                start : start + many, row * SIDE : min(row + band, rows) * SIDE, : columns * SIDE, :color
            ]
            places = np.arange(row, min(row + band, rows)) % PERIOD
            own = _tiled_columns(pattern.signs[places], columns)
            marked = _embed_levels(images[part].astype(np.float32), own, pattern.basis, strength, np)
            out[part] = np.rint(marked).astype(np.uint8)
    return out


def _tiled_columns(signs: np.ndarray, columns: int) -> np.ndarray:
    return signs[:, np.arange(columns) % PERIOD]
