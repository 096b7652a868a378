"""What the copy finder sees of an image: cells of luma and colour, in many views, and distances between them.

A view is a guess of what was done to a training image to get the query: mirrored, shifted, cropped. The query's cells
are then means over the places where the training image's cells would lie in it; cells of the border that the query may
not see are left out on both sides.
"""

import itertools
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

from jaxgan.errors import InputError

REVISION = 2  # raised by whatever changes features or distances
CELLS, COLOURS = 16, 4  # cells a side: of luma, of the two colour differences
MIDDLE = 0.75  # of a side: where colour is looked at, for no shift of two steps hides any of it
WIDTH = CELLS**2 + 2 * COLOURS**2
FLOOR = 4.0  # grey levels added to the deviation: flat images are not blown up to their noise
COLOUR_UNIT = 64.0  # levels of a colour difference that count as much as one deviation of luma
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # BT.601
SCALES = {1.0: (-2, -1, 0, 1, 2), 0.9: (-2, 0, 2), 0.8: (-2, 0, 2)}


class View(NamedTuple):
    """How a query may have come from a training image: cropped to ``scale``, shifted, then mirrored."""

    flip: bool
    scale: float
    dy: int
    dx: int
    """In steps of a pixel, or of 1/32 of the shorter side where that is more."""
    margin: int
    """Cells of the border that are left out: 0 to 2."""

    def describe(self) -> str:
        """Say in words what it supposes was done to the training image.

        >>> View(True, 0.9, 0, 2, 2).describe(), View(False, 1.0, 0, 0, 0).describe()
        ('cropped to 0.9, shifted, mirrored', 'as it is')
        """
        words = [f'cropped to {self.scale:g}'] if self.scale < 1 else []
        words += ['shifted'] if self.dy or self.dx else []
        words += ['mirrored'] if self.flip else []
        return ', '.join(words) or 'as it is'


class Seen(NamedTuple):
    """Queries in all views, as means of cells."""

    luma: Float32[np.ndarray, 'q v 16 16']
    colour: Float32[np.ndarray, 'q v 32']


def _margin(scale: float, shift: int) -> int:
    """Count the cells at a border that a crop or a shift may hide, where a step is at most a cell."""
    return shift if scale == 1 else 2 if scale < 0.85 or shift else 1


VIEWS = tuple(
    View(flip, scale, dy, dx, _margin(scale, max(abs(dy), abs(dx))))
    for scale, shifts in SCALES.items()
    for flip in (False, True)
    for dy, dx in itertools.product(shifts, shifts)
)
UNMIRRORED = tuple(i for i, v in enumerate(VIEWS) if not v.flip)
FLIPPED = np.array([i for i, v in enumerate(VIEWS) if v.flip])
SOURCES = np.array(  # a mirrored image shifts the other way
    [UNMIRRORED.index(VIEWS.index(v._replace(flip=False, dx=-v.dx if v.flip else v.dx))) for v in VIEWS]
)
"""Of each view the place among ``UNMIRRORED`` of the one that it is, or mirrors."""
FIRST = tuple(
    i for i, v in enumerate(VIEWS) if not (v.dy or v.dx) or (v.scale == 1 and abs(v.dy * v.dx) == 4)
)
"""The views in which candidates are looked for."""
THOROUGH = tuple(i for i, v in enumerate(VIEWS) if v.scale == 1 or not (v.dy or v.dx))
"""Those and all shifts: where a pixel is a cell, a shift of one leads far away from the others."""


def features(images: UInt8[np.ndarray, 'n h w c']) -> UInt8[np.ndarray, 'n 288']:
    """Describe images by 288 bytes each: means of luma over 16 x 16 cells, of two colour differences over 4 x 4 of the middle.

    Args:
        images: of one or three channels, of any size.

    Raises:
        InputError: they are not uint8, or have other channels.
    """
    parts = [_described(images[i : i + 4096]) for i in range(0, len(images), 4096)]
    return np.concatenate(parts) if parts else np.zeros((0, WIDTH), np.uint8)


def _described(images: np.ndarray) -> np.ndarray:
    planes = _planes(images)
    axes = [(CELLS, 1.0, planes[:1]), (COLOURS, MIDDLE, planes[1:])]
    found = []
    for cells, part, some in axes:
        rows, columns = (_means(size, cells, 1.0, 0.0, part) for size in images.shape[1:3])
        found += [(rows @ plane @ columns.T).reshape(len(images), cells**2) for plane in some]
    return np.clip(np.rint(np.concatenate(found, axis=1)), 0, 255).astype(np.uint8)


def _planes(images: np.ndarray) -> list[np.ndarray]:
    """Split into luma, and blue and red less luma, each in 0 to 255."""
    if images.dtype != np.uint8 or images.ndim != 4 or images.shape[3] not in (1, 3):
        raise InputError(
            f'the copy finder takes uint8 images of one or three channels, not {images.dtype} {images.shape}'
        )
    if images.shape[3] == 1:
        luma = images[..., 0].astype(np.float32)
        return [luma, np.full_like(luma, 128.0), np.full_like(luma, 128.0)]
    colours = images.astype(np.float32)
    luma = colours @ LUMA
    return [luma, (colours[..., 2] - luma) * 0.564 + 128, (colours[..., 0] - luma) * 0.713 + 128]


def _means(size: int, cells: int, scale: float, shift: float, part: float) -> np.ndarray:
    """Make the matrix [cells, size] that averages pixels over where the original's cells lie in the query.

    Args:
        size: pixels of the query.
        cells: of the original.
        scale: share of the original that the query shows, from its middle.
        shift: pixels of the query by which it was shifted.
        part: share of the original's side, in its middle, that the cells divide.
    """
    edges = ((np.arange(cells + 1) / cells - 0.5) * part / scale + 0.5) * size + shift
    low = np.clip(edges[:-1], 0, size - 1)
    high = np.clip(
        edges[1:], low + min(1.0, size * part / cells), size
    )  # beyond the border: the pixels at it
    low = np.minimum(low, high - 1e-6)
    pixels = np.arange(size)
    overlap = np.minimum(high[:, None], pixels + 1) - np.maximum(low[:, None], pixels)
    weights = np.maximum(overlap, 0.0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def unmirrored(images: UInt8[np.ndarray, 'q h w c']) -> Seen:
    """See queries in the views that mirror nothing (``UNMIRRORED``), [q, 43, ...]; ``seen`` has the others from them.

    Raises:
        InputError: they are not uint8, or have other channels.
    """
    planes = _planes(images)
    luma = _in_views(planes[0], CELLS, 1.0)
    colour = [_in_views(plane, COLOURS, MIDDLE).reshape(*luma.shape[:2], COLOURS**2) for plane in planes[1:]]
    return Seen(np.rint(luma), np.rint(np.concatenate(colour, axis=2)))  # as features are: copies are at 0


def seen(images: UInt8[np.ndarray, 'q h w c']) -> Seen:
    """See queries in all ``VIEWS``.

    Raises:
        InputError: they are not uint8, or have other channels.
    """
    luma, colour = unmirrored(images)
    luma, colour = luma[:, SOURCES], colour[:, SOURCES]
    luma[:, FLIPPED] = luma[:, FLIPPED, :, ::-1]
    colour[:, FLIPPED] = mirrored_colour(colour[:, FLIPPED])
    return Seen(luma, colour)


def mirrored_colour(colour: Float32[np.ndarray, '*n 32']) -> Float32[np.ndarray, '*n 32']:
    """Mirror cells of colour."""
    return colour.reshape(*colour.shape[:-1], 2, COLOURS, COLOURS)[..., ::-1].reshape(colour.shape)


def _in_views(plane: np.ndarray, cells: int, part: float) -> np.ndarray:
    """Average a plane [q, h, w] over the cells of each view that mirrors nothing: [q, views, cells, cells]."""
    height, width = plane.shape[1:]
    step = max(1.0, min(height, width) / 32)
    found = []
    for scale, shifts in SCALES.items():
        rows, columns = (
            np.concatenate([_means(size, cells, scale, shift * step, part) for shift in shifts])
            for size in (height, width)
        )
        grid = (rows @ plane @ columns.T).reshape(len(plane), len(shifts), cells, len(shifts), cells)
        found.append(grid.transpose(0, 1, 3, 2, 4).reshape(len(plane), len(shifts) ** 2, cells, cells))
    return np.concatenate(found, axis=1)


def seen_described(described: UInt8[np.ndarray, 'n 288']) -> Seen:
    """See what was described in two views only: as it is, and mirrored."""
    luma, colour = unpacked(described)
    return Seen(
        np.stack([luma, luma[:, :, ::-1]], axis=1), np.stack([colour, mirrored_colour(colour)], axis=1)
    )


def unpacked(described: UInt8[np.ndarray, '*n 288']) -> tuple[np.ndarray, np.ndarray]:
    """Split features into luma [*n, 16, 16] and colour [*n, 32], float32."""
    found = described.astype(np.float32)
    return found[..., : CELLS**2].reshape(*found.shape[:-1], CELLS, CELLS), found[..., CELLS**2 :]


def vectors(
    luma: Float[np.ndarray, '*n 16 16'], colour: Float[np.ndarray, '*n 32'], margin: int, pool: int = 1
) -> Float32[np.ndarray, '*n d']:
    """Make the vectors whose Euclidean distances are compared.

    Luma inside the margin less its mean, divided by its deviation and ``FLOOR``; colour less grey by ``COLOUR_UNIT``;
    each divided by the root of its number, so that margins do not change the scale.

    Args:
        luma: means of cells.
        colour: means of cells.
        margin: cells left out at each border.
        pool: cells a side that are averaged, behind the normalization: coarser.
    """
    inner = luma[..., margin : CELLS - margin, margin : CELLS - margin]
    inner = inner - inner.mean(axis=(-2, -1), keepdims=True)
    inner = inner / (inner.std(axis=(-2, -1), keepdims=True) + FLOOR)
    side = inner.shape[-1] // pool
    if pool > 1:
        inner = inner.reshape(*inner.shape[:-2], side, pool, side, pool).mean(axis=(-3, -1))
    flat = inner.reshape(*inner.shape[:-2], side**2) / side
    return np.concatenate([flat, (colour - 128) / (COLOUR_UNIT * np.sqrt(colour.shape[-1]))], axis=-1).astype(
        np.float32
    )


def compared(
    queries: Seen, margins: Int[np.ndarray, ' v'], candidates: UInt8[np.ndarray, 'q c 288']
) -> tuple[Float32[np.ndarray, 'q c'], Int[np.ndarray, 'q c']]:
    """Compute the distance of each query to each of its candidates in the best view, and that view.

    The best view comes from products, its distance from differences: an exact copy is at 0.

    Args:
        queries: in some views.
        margins: of these views.
        candidates: features.
    """
    luma, colour = unpacked(candidates)
    best, chosen = np.full(luma.shape[:2], np.inf, np.float32), np.zeros(luma.shape[:2], int)
    for margin in np.unique(margins):
        at = np.flatnonzero(margins == margin)
        x = vectors(queries.luma[:, at], queries.colour[:, at], int(margin))
        y = vectors(luma, colour, int(margin))
        score = 2 * y @ x.transpose(0, 2, 1) - np.sum(x * x, axis=2)[:, None]
        view = np.argmax(score, axis=2)
        distance = np.linalg.norm(np.take_along_axis(x, view[..., None], axis=1) - y, axis=2)
        better = distance < best
        best, chosen = np.where(better, distance, best), np.where(better, at[view], chosen)
    return best, chosen


def undone(image: UInt8[np.ndarray, 'h w c'], view: View) -> UInt8[np.ndarray, 'h w c']:
    """Do to a training image what a view supposes was done to it, so that it lies as the query does.

    Args:
        image: of the query's size.
        view: one of ``VIEWS``.
    """
    height, width = image.shape[:2]
    step = max(1.0, min(height, width) / 32)
    rows, columns = (
        np.clip(((np.arange(size) + 0.5 - shift * step) / size - 0.5) * view.scale + 0.5, 0, 1) * size - 0.5
        for size, shift in ((height, view.dy), (width, view.dx))
    )
    moved = image[_whole(rows, height)][:, _whole(columns, width)]
    return moved[:, ::-1] if view.flip else moved


def _whole(places: np.ndarray, size: int) -> np.ndarray:
    return np.clip(np.rint(places).astype(int), 0, size - 1)
