"""Resizing as the published measures do it, each as two small matrix products: rows, then columns.

A measure depends on its resize more than on much else (Parmar et al. 2022, arXiv 2104.11222), so each is spelled out here.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

Maps = Float[Array, 'b h w c']
Resized = Float[Array, 'b y x c']


def as_rgb(images: Any) -> jax.Array:
    """Make float32 images of bytes [B, H, W, 1 or 3], in 0 to 255; grey becomes three equal channels."""
    x = jnp.asarray(images, jnp.float32)
    return jnp.broadcast_to(x, (*x.shape[:3], 3)) if x.shape[3] == 1 else x


def bilinear_tf1(x: Maps, size: int) -> Resized:
    """Resize as TensorFlow 1 does by default: bilinear, corners not aligned, no half-pixel shift, no anti-aliasing.

    Row i of the result is ``(1 - t) x[floor(s)] + t x[min(floor(s) + 1, H - 1)]``, ``s = i H / size``, t its fraction.
    """
    return _apply(x, *(_tf1_matrix(n, size) for n in x.shape[1:3]))


def bicubic_pil(x: Maps, size: int) -> Resized:
    """Resize bytes as Pillow's BICUBIC: cubic kernel with a = -0.5, widened where it shrinks, bytes after each pass.

    Args:
        x: whole numbers 0 to 255.
        size: of the square result.

    Returns:
        Whole numbers 0 to 255, within 1 of Pillow's, whose weights have 22 bits. Columns come first, as in Pillow before 13;
        later versions begin with the rows where an image loses more height than width. Square images are equal in all.
    """
    columns = _to_bytes(_columns(x, _kernel_matrix(x.shape[2], size, 'cubic')))
    return _to_bytes(_rows(columns, _kernel_matrix(x.shape[1], size, 'cubic')))


def box(x: Maps, size: int) -> Resized:
    """Resize by averaging what each pixel of the result covers: means of blocks, or repeated pixels."""
    return _apply(x, *(_kernel_matrix(n, size, 'box') for n in x.shape[1:3]))


def _apply(x: Maps, rows: np.ndarray, columns: np.ndarray) -> Resized:
    if x.shape[1] * rows.shape[0] <= x.shape[2] * columns.shape[0]:
        return _columns(_rows(x, rows), columns)
    return _rows(_columns(x, columns), rows)


def _rows(x: Maps, matrix: np.ndarray) -> Resized:
    if np.array_equal(matrix, np.eye(*matrix.shape)):
        return x
    return jnp.einsum('ih,bhwc->biwc', jnp.asarray(matrix), x, precision='highest')


def _columns(x: Maps, matrix: np.ndarray) -> Resized:
    if np.array_equal(matrix, np.eye(*matrix.shape)):
        return x
    return jnp.einsum('jw,bhwc->bhjc', jnp.asarray(matrix), x, precision='highest')


def _to_bytes(x: Maps) -> Maps:
    return jnp.clip(jnp.floor(x + 0.5), 0, 255)


@functools.cache
def _tf1_matrix(length: int, size: int) -> np.ndarray:
    places = np.arange(size, dtype=np.float32) * np.float32(length / size)  # float32, as in the graph
    low = places.astype(int)
    matrix = np.zeros((size, length), np.float32)
    np.add.at(matrix, (np.arange(size), low), 1 - (places - low))
    np.add.at(matrix, (np.arange(size), np.minimum(low + 1, length - 1)), places - low)
    return matrix


@functools.cache
def _kernel_matrix(length: int, size: int, kernel: str) -> np.ndarray:
    """Weigh pixels by a kernel around each centre, widened by the factor by which the size shrinks."""
    scale = max(length / size, 1.0)
    centres = (np.arange(size) + 0.5) * length / size
    distance = np.abs(np.arange(length) + 0.5 - centres[:, None]) / scale
    weights = _cubic(distance, -0.5) if kernel == 'cubic' else _overlap(length, size)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def _overlap(length: int, size: int) -> np.ndarray:
    """Measure what each pixel of the result covers of each pixel: exact for every ratio of sizes."""
    edges = np.arange(size + 1) * length / size
    pixels = np.arange(length)
    covered = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.maximum(covered, 0.0)


def _cubic(x: np.ndarray, a: float) -> np.ndarray:
    """Evaluate Keys' cubic kernel at distances.

    References:
        Keys 1981, "Cubic convolution interpolation for digital image processing", equation 4 generalized.
    """
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


@functools.cache
def position_matrix(length: int, size: int, scale: float) -> np.ndarray:
    """Interpolate a grid of ``length`` places to ``size`` by cubics with a = -0.75, border repeated, no anti-aliasing.

    Result i lies at ``(i + 0.5) / scale - 0.5``: ``scale`` is stated apart from the sizes, as DINOv2 does.
    """
    places = (np.arange(size) + 0.5) / scale - 0.5
    low = np.floor(places).astype(int)
    matrix = np.zeros((size, length))
    for tap in range(-1, 3):
        weights = _cubic(np.abs(places - (low + tap)), -0.75)
        np.add.at(matrix, (np.arange(size), np.clip(low + tap, 0, length - 1)), weights)
    return matrix.astype(np.float32)
