"""Luma, 8x8 blocks, and the few low DCT coefficients of each that carry the mark; over NumPy or ``jax.numpy``.

What is here decides what a mark is: a change of a constant is a new version of ``pattern.DOMAIN``.
"""

from typing import Any

import numpy as np

SIDE = 8  # of a block, as in JPEG
FREQUENCIES = ((1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (2, 2), (0, 3), (3, 0))  # vertical, horizontal
IN_WEIGHTS = (
    (1, 3),
    (3, 1),
    (2, 3),
    (3, 2),
    (3, 3),
    (0, 4),
    (4, 0),
    (1, 4),
)  # of a mark that a generator itself emits
COUNT = len(FREQUENCIES)  # in each band
LATTICE_BELOW = 64  # blocks; images of fewer carry the mark on a lattice
STEP = 16.0  # of the lattice, grey levels
TURN = 2 * float(np.pi)
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, as in JPEG


def _basis(frequencies: tuple[tuple[int, int], ...]) -> np.ndarray:
    place = np.arange(SIDE)
    waves = np.cos(np.pi * (2 * place[None] + 1) * place[:, None] / (2 * SIDE)) * np.sqrt(2 / SIDE)
    waves[0] /= np.sqrt(2)
    columns = [np.outer(waves[v], waves[u]).ravel() for v, u in frequencies]
    return np.stack(columns, axis=1).astype(np.float32)


BASIS = _basis(FREQUENCIES)  # [64, COUNT], orthonormal
WEIGHTS_BASIS = _basis(
    IN_WEIGHTS
)  # orthonormal, and orthogonal to the other, so that both marks stand in one image


def luma(colors: Any) -> Any:
    """Weigh colours [..., h, w, 1 or 3] to luma [..., h, w]."""
    if colors.shape[-1] == 1:
        return colors[..., 0]
    return colors[..., 0] * LUMA[0] + colors[..., 1] * LUMA[1] + colors[..., 2] * LUMA[2]


def to_blocks(plane: Any) -> Any:
    """Cut planes [n, h, w] into whole blocks [n, h // 8, w // 8, 64]; what is left at the right and below is dropped."""
    n, height, width = plane.shape
    rows, columns = height // SIDE, width // SIDE
    plane = plane[:, : rows * SIDE, : columns * SIDE]
    grid = plane.reshape(n, rows, SIDE, columns, SIDE).transpose(0, 1, 3, 2, 4)
    return grid.reshape(n, rows, columns, SIDE * SIDE)


def from_blocks(blocks: Any) -> Any:
    """Put blocks [n, rows, columns, 64] together to planes [n, 8 rows, 8 columns]."""
    n, rows, columns, _ = blocks.shape
    grid = blocks.reshape(n, rows, columns, SIDE, SIDE).transpose(0, 1, 3, 2, 4)
    return grid.reshape(n, rows * SIDE, columns * SIDE)
