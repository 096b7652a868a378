"""Bring a plane to another size: means over what a pixel covers where it gets smaller, cubic where it gets larger."""

import numpy as np


def resize(plane: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a plane [h, w] to [height, width]."""
    return axis_matrix(plane.shape[0], height) @ plane @ axis_matrix(plane.shape[1], width).T


def axis_matrix(length: int, size: int) -> np.ndarray:
    """Give the weights of ``size`` new places over ``length`` old ones, float32 [size, length]; each row's sum is 1."""
    weights = _overlaps(length, size) if size < length else _cubic(length, size)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def _overlaps(length: int, size: int) -> np.ndarray:
    edges = np.arange(size + 1) * (length / size)
    places = np.arange(length)
    return np.clip(np.minimum(edges[1:, None], places + 1) - np.maximum(edges[:-1, None], places), 0.0, 1.0)


def _cubic(length: int, size: int) -> np.ndarray:
    """Keys' kernel with a = -1/2; beyond the ends the outermost pixel goes on."""
    center = (np.arange(size) + 0.5) * (length / size) - 0.5
    first = np.floor(center).astype(int) - 1
    weights = np.zeros((size, length))
    for tap in range(4):
        away = np.abs(center - (first + tap))
        near = (1.5 * away - 2.5) * away * away + 1
        far = ((-0.5 * away + 2.5) * away - 4) * away + 2
        value = np.where(away <= 1, near, np.where(away < 2, far, 0.0))
        np.add.at(weights, (np.arange(size), np.clip(first + tap, 0, length - 1)), value)
    return weights
