"""Images at the edges: between floats in [-1, 1] and bytes, and grids and plots of them."""

import math
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from jaxgan.errors import InputError

BACKGROUND = 128  # neutral grey between tiles, dark ones and bright ones alike
MOST_PIXELS = 2**28  # of a grid
REPEATS_BAND = 256  # rows that are compared at once
VISIBLE = 64  # pixels that a tile should have at least
PLOT_SCALE = 2  # pixels of a plot for each of a coordinate's 256 levels
PLOT_MARGIN = 8
POINT = (31, 79, 153, 128)  # half transparent, so that many points on one place are darker than one


def to_uint8(images: Any) -> np.ndarray:
    """Convert floats in [-1, 1] to bytes: ``clip(round((x + 1) * 127.5), 0, 255)``; NaN becomes 0.

    Args:
        images: floats of any shape; values outside [-1, 1] are clipped.

    >>> to_uint8([-1.0, 0.0, 1.0, 7.0]).tolist()
    [0, 128, 255, 255]
    """
    values = np.rint((np.asarray(images, np.float32) + 1) * 127.5)
    return np.nan_to_num(np.clip(values, 0, 255), nan=0.0).astype(np.uint8)


def to_float(images: Any) -> np.ndarray:
    """Convert bytes to float32 in [-1, 1]: ``x / 127.5 - 1``; ``to_uint8`` gives the same bytes back.

    >>> to_float(np.uint8([0, 255])).tolist()
    [-1.0, 1.0]
    """
    return np.asarray(images, np.float32) / np.float32(127.5) - np.float32(1)


def picture(images: np.ndarray, columns: int | None = None, scale: int | None = None) -> np.ndarray:
    """Show samples as their shape asks: points of the plane, [n, 1, 1, 2], as a ``scatter`` plot, others as a ``grid``.

    Args:
        images: uint8 [n, h, w, c], n >= 1; two channels are shown as red and green.
        columns: of a grid.
        scale: of a grid.

    Returns:
        uint8 [H, W, 1, 3 or 4].

    Raises:
        InputError: the images are no such array, or a number is out of range.
    """
    images = np.asarray(images)
    if images.shape[1:] == (1, 1, 2):
        return scatter(images.reshape(-1, 2))
    return grid(visible(images), columns, scale=scale)


def visible(images: np.ndarray) -> np.ndarray:
    """Show two channels as red and green, with no blue; other numbers of channels stay as they are."""
    if images.shape[-1] != 2:
        return images
    return np.concatenate([images, np.zeros_like(images[..., :1])], axis=-1)


def scatter(points: np.ndarray) -> np.ndarray:
    """Plot points on white: x to the right, y upwards, both from 0 to 255.

    The point (x, y) is a square of 3x3 pixels in the middle of which is the pixel in column ``8 + 2 x``, row
    ``8 + 2 (255 - y)``.

    Args:
        points: uint8 [n, 2].

    Returns:
        uint8 [527, 527, 3].
    """
    side = 2 * PLOT_MARGIN + PLOT_SCALE * 255 + 1
    canvas = Image.new('RGB', (side, side), 'white')
    pen = ImageDraw.Draw(canvas, 'RGBA')
    for x, y in points.tolist():
        column, row = PLOT_MARGIN + PLOT_SCALE * x, PLOT_MARGIN + PLOT_SCALE * (255 - y)
        pen.rectangle((column - 1, row - 1, column + 1, row + 1), fill=POINT)
    return np.asarray(canvas)


def grid(
    images: np.ndarray, columns: int | None = None, pad: int | None = None, scale: int | None = None
) -> np.ndarray:
    """Lay images side by side, row by row, on neutral grey.

    Args:
        images: uint8 [n, h, w, c], n >= 1.
        columns: tiles in a row; by default the grid is nearly square.
        pad: pixels between tiles and around them; by default a 32nd of a tile, at least 2.
        scale: each pixel becomes a square with such a side; by default, tiles of at least 64 pixels.

    Returns:
        uint8 [H, W, c].

    Raises:
        InputError: the images are no such array, or a number is out of range.
    """
    images = np.asarray(images)
    if images.ndim != 4 or images.dtype != np.uint8 or not images.size:
        raise InputError(f'a grid needs uint8 images [n, h, w, c], got {images.dtype} {list(images.shape)}')
    n, h, w, c = images.shape
    columns, pad, scale = _layout(n, h, w, columns, pad, scale)
    size = grid_size(n, h, w, columns, pad, scale)
    if math.prod(size) > MOST_PIXELS:
        raise InputError(
            f'a grid of {size[1]}x{size[0]} pixels is too large: at most {MOST_PIXELS}; take fewer images or a smaller scale'
        )
    h, w = h * scale, w * scale
    canvas = np.full((*size, c), BACKGROUND, np.uint8)
    for i, image in enumerate(images.repeat(scale, axis=1).repeat(scale, axis=2)):
        top, left = pad + i // columns * (h + pad), pad + i % columns * (w + pad)
        canvas[top : top + h, left : left + w] = image
    return canvas


def grid_size(
    n: int, h: int, w: int, columns: int | None = None, pad: int | None = None, scale: int | None = None
) -> tuple[int, int]:
    """Compute height and width of the ``grid`` of n images.

    >>> grid_size(4, 64, 64)
    (134, 134)

    Raises:
        InputError: a number is out of range.
    """
    columns, pad, scale = _layout(n, h, w, columns, pad, scale)
    rows = math.ceil(n / columns)
    return pad + rows * (h * scale + pad), pad + columns * (w * scale + pad)


def _layout(
    n: int, h: int, w: int, columns: int | None, pad: int | None, scale: int | None
) -> tuple[int, int, int]:
    columns = math.ceil(math.sqrt(n)) if columns is None else columns
    scale = max(1, math.ceil(VISIBLE / min(h, w))) if scale is None else scale
    pad = max(2, min(h, w) * scale // 32) if pad is None else pad
    if columns < 1 or scale < 1 or pad < 0:
        raise InputError(f'a grid needs columns >= 1, scale >= 1, pad >= 0; got {columns}, {scale}, {pad}')
    return min(columns, n), pad, scale


def part_means(images: np.ndarray, side: int) -> np.ndarray:
    """Reduce images to the means of their parts; where a side has fewer pixels than parts, pixels are repeated.

    Args:
        images: floats [n, h, w, c].
        side: how many parts a side is cut into.

    Returns:
        Of the same type, [n, side, side, c].

    >>> part_means(np.arange(16.0).reshape(1, 4, 4, 1), 2)[0, ..., 0].tolist()
    [[2.5, 4.5], [10.5, 12.5]]
    """
    for axis in (1, 2):
        edges = np.arange(side) * images.shape[axis] // side
        counts = np.maximum(np.diff(np.append(edges, images.shape[axis])), 1).astype(images.dtype)
        images = np.add.reduceat(images, edges, axis=axis) / np.expand_dims(counts, (0, 3 - axis, 3))
    return images


def repeats(pixels: np.ndarray, least: int) -> int:
    """Find how many times each pixel of a picture is repeated to both sides, as enlarged pixel art has it; 1: not at all.

    Colours change only at multiples of it, exactly: what was saved as JPEG, or enlarged smoothly, is not found.

    Args:
        pixels: [H, W] or [H, W, C].
        least: pixels that the shorter side must keep.

    >>> repeats(np.kron([[1, 2], [3, 4]], np.ones((6, 6))), 2), repeats(np.kron([[1, 2], [3, 4]], np.ones((6, 6))), 4)
    (6, 3)
    """
    height, width = pixels.shape[:2]
    times = math.gcd(height, width)
    for top in range(0, height, REPEATS_BAND):
        band = pixels[top : top + REPEATS_BAND + 1]
        rows = np.any(band[1:] != band[:-1], axis=tuple(range(1, pixels.ndim)))
        columns = np.any(band[:, 1:] != band[:, :-1], axis=(0, *range(2, pixels.ndim)))
        places = [*(np.flatnonzero(rows) + top + 1).tolist(), *(np.flatnonzero(columns) + 1).tolist()]
        times = math.gcd(times, *places)
        if times == 1:  # most pictures say so by their first rows
            return 1
    return next((k for k in range(times, 1, -1) if times % k == 0 and min(height, width) // k >= least), 1)
