"""Bring a plane to another size: means over what a pixel covers where it gets smaller, cubic where it gets larger.

Each output reads its own few inputs only, so that the time goes with the pixels: as a product of matrices a large picture took minutes.
"""

import numpy as np


def resize(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a plane float32 [h, w] to [height, width]; the weights of each new pixel add up to 1."""
    for axis, size in ((0, height), (1, width)):
        plane = _means(plane, axis, size) if size < plane.shape[axis] else _cubic(plane, axis, size)
    return plane


def _means(plane: np.ndarray, axis: int, size: int) -> np.ndarray:
    """Average over intervals of equal length: whole pixels are added, less the part of the first and with that of the next one's first."""
    length = plane.shape[axis]
    edges = np.arange(size + 1) * (length / size)
    edges[-1] = length
    first = np.floor(edges).astype(int)
    before = np.take(plane, np.minimum(first, length - 1), axis) * _upon((edges - first), axis)
    sums = np.add.reduceat(plane, first[:-1], axis)
    low, high = (slice(None, -1), slice(1, None)) if axis == 0 else (np.s_[:, :-1], np.s_[:, 1:])
    return (sums - before[low] + before[high]) * np.float32(size / length)


def _cubic(plane: np.ndarray, axis: int, size: int) -> np.ndarray:
    """Keys' kernel with a = -1/2; beyond the ends the outermost pixel goes on."""
    length = plane.shape[axis]
    if size == length:
        return plane
    center = (np.arange(size) + 0.5) * (length / size) - 0.5
    first = np.floor(center).astype(int) - 1
    parts = []
    for tap in range(4):
        away = np.abs(center - (first + tap))
        near = (1.5 * away - 2.5) * away * away + 1
        far = ((-0.5 * away + 2.5) * away - 4) * away + 2
        weights = np.where(away <= 1, near, np.where(away < 2, far, 0.0))
        parts.append(np.take(plane, np.clip(first + tap, 0, length - 1), axis) * _upon(weights, axis))
    return sum(parts[1:], parts[0])


def _upon(weights: np.ndarray, axis: int) -> np.ndarray:
    """Lay weights along an axis of a plane."""
    return weights.astype(np.float32)[:, None] if axis == 0 else weights.astype(np.float32)[None]
