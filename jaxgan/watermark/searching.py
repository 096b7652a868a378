"""Search: the mark of an image that was mirrored, turned, resized or cropped, with a p-value that pays for every try.

The tries are shared out before the image is seen (a weighted Bonferroni correction): the image as it is has half of the error
probability, so a search costs an untouched image a factor of 2; all sizes and turns share a quarter, all places of a crop another.
Because the pattern repeats after ``PERIOD`` blocks, all places for one of the 64 offsets of the grid are one circular correlation.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from jaxgan.watermark.blocks import BASIS, SIDE, luma, to_blocks
from jaxgan.watermark.detection import Detection, correlate, fold, make_reader, readings, soft_sign
from jaxgan.watermark.pattern import PERIOD, capacity, tile_signs
from jaxgan.watermark.resizing import resize

TURNS = (
    '',
    'mirrored',
    'turned by 180 degrees',
    'upside down',
    'transposed',
    'turned by 90 degrees',
    'transposed the other way',
    'turned by 270 degrees',
)
FACTORS = (
    2.0,
    1.5,
    4 / 3,
    1.25,
    1 / 0.9,
    1.1,
    0.9,
    0.8,
    0.75,
    2 / 3,
    0.5,
    1 / 3,
    0.25,
    0.2,
    1 / 6,
    0.125,
    0.1,
    0.0625,
)
SIDES = (16, 32, 64, 128, 256, 512)  # the longer side of usual models
CROPPED = ((1.0, 0), (1.0, 1), (0.9, 0), (0.9, 1), (0.8, 0), (0.5, 0), (1 / 3, 0), (0.25, 0))  # factor, turn
WHOLE = 1024  # pixels a side, at most, of what is tried at another size: the corner of larger images, or more of it where it is reduced,
REDUCED = 512  # so much that at most these are left,
MOST = 4096  # and never more than these
PIECE = 384  # the same of what is tried at all offsets: the middle of larger images
SURE = -9.0  # log10 of the p-value at which a search ends


class Try(NamedTuple):
    """One thing that may have happened to an image."""

    factor: float
    """By which its size is multiplied to undo it."""
    turn: int
    """Which of ``TURNS`` undoes it."""

    def describe(self) -> str:
        """Say in a few words what was undone."""
        size = '' if self.factor == 1 else f'at {self.factor:.3g} of its size'
        return ', '.join(part for part in (TURNS[self.turn], size) if part) or 'as it is'


def search(image: np.ndarray, key: bytes, sizes: Sequence[tuple[int, int]] = ()) -> Detection:
    """Detect the mark of a key in an image that may have been mirrored, turned, resized, enlarged or cropped.

    Args:
        image: uint8 [h, w, c].
        key: of the mark.
        sizes: heights and widths that the model makes, where known; they are tried too.

    Returns:
        The best of all tries, its p-value multiplied by what the tries cost.
    """
    return make_searcher(image, sizes)(key)


def make_searcher(
    image: np.ndarray, sizes: Sequence[tuple[int, int]] = (), read: Callable[[bytes], Detection] | None = None
) -> Callable[[bytes], Detection]:
    """Return ``search`` of one image for many keys: what is read of it is kept, some 50 MB, so that further keys cost little.

    Args:
        image: uint8 [h, w, c].
        sizes: heights and widths that the model makes, where known.
        read: ``make_reader`` of the image, where there is one already.
    """
    image = np.asarray(image)
    first = functools.cache(lambda: read or make_reader(image[None]))
    plane = functools.cache(lambda level: _halved(plane(level - 1)) if level else _plane(image))
    tries = whole_tries(image.shape[:2], sizes)
    whole = functools.cache(lambda one: _read_whole(plane, one))
    pieces = functools.cache(lambda one: _read_pieces(plane(0), one))

    def find(key: bytes) -> Detection:
        best = first()(key).corrected(2.0)
        if best.log10_p <= SURE:
            return best
        signs = tile_signs(key)
        found = [_whole(whole(one), one, signs).corrected(4.0 * len(tries)) for one in tries]
        best = min([best, *found], key=lambda found: found.log10_p)
        if best.log10_p <= SURE:
            return best
        found = [_anywhere(pieces(one), one, signs) for one in (Try(*cropped) for cropped in CROPPED)]
        return min([best, *filter(None, found)], key=lambda found: found.log10_p)

    return find


def _plane(image: np.ndarray) -> np.ndarray:
    """Compute the luma of an image uint8 [h, w, c], a band at a time: float32 [h, w]."""
    plane = np.empty(image.shape[:2], np.float32)
    for row in range(0, len(plane), WHOLE):
        plane[row : row + WHOLE] = luma(image[row : row + WHOLE, :, :3].astype(np.float32))
    return plane


def _halved(plane: np.ndarray) -> np.ndarray:
    """Average squares of 2 x 2 pixels, a band at a time; an odd last row or column is left out."""
    height, width = (side // 2 for side in plane.shape)
    found = np.empty((height, width), np.float32)
    for row in range(0, height, WHOLE):
        band = plane[2 * row : 2 * min(row + WHOLE, height), : 2 * width]
        rows = band[::2] + band[1::2]
        found[row : row + WHOLE] = (rows[:, ::2] + rows[:, 1::2]) / np.float32(4)
    return found


def whole_tries(shape: tuple[int, ...], sizes: Sequence[tuple[int, int]] = ()) -> list[Try]:
    """List what is tried of an image of a size, at the pattern's own place: all turns, and other sizes mirrored or not."""
    longer = max(shape)
    factors = [*FACTORS, *(side / longer for side in SIDES), *(height / shape[0] for height, _ in sizes)]
    targets: dict[tuple[int, int], float] = {}
    for factor in factors:
        height, width = (round(side * factor) for side in shape)
        if factor <= 4 and capacity(height, width) and (height, width) != shape:
            targets.setdefault((height, width), factor)
    turned = [Try(1.0, turn) for turn in range(1, len(TURNS))]
    return turned + [Try(factor, turn) for factor in targets.values() for turn in (0, 1)]


def turned(plane: np.ndarray, turn: int) -> np.ndarray:
    """Mirror or turn a plane by the number of one of ``TURNS``."""
    plane = plane.T if turn >= 4 else plane
    return (plane, plane[:, ::-1], plane[::-1, ::-1], plane[::-1])[turn % 4]


def _resized(plane: np.ndarray, factor: float) -> np.ndarray:
    if factor == 1:
        return plane
    return resize(plane, *(max(round(side * factor), 1) for side in plane.shape))


class Whole(NamedTuple):
    """What was read of an image at the pattern's own place."""

    bits: int
    """That it carries."""
    weights: tuple[np.ndarray, ...]
    """Scores, folded, by each reading; none: it is too small."""


class Pieces(NamedTuple):
    """What was read of a piece of an image for each offset of the grid of blocks."""

    bits: int
    """That the piece carries."""
    offsets: tuple[tuple[int, int], ...]
    """Row and column at which the grid begins."""
    weights: np.ndarray
    """Scores, folded to a whole period: [offsets, PERIOD, PERIOD, COUNT]."""


def cut_of(factor: float) -> tuple[int, int]:
    """Tell how an image is read that is to be multiplied by a factor: from which level of halving, and how many of its pixels a side.

    What is reduced much begins with an image that was halved some times, so that a new pixel still covers four of its pixels a side at
    least: what is read for one try does not grow with the image, nor with the factor.

    >>> cut_of(1.0), cut_of(0.25), cut_of(1 / 16), cut_of(1 / 512)
    ((0, 1024), (0, 2048), (2, 1024), (7, 32))
    """
    level = max(int(np.floor(np.log2(1 / (4 * factor)))), 0)
    return level, int(min(max(WHOLE, REDUCED / factor), MOST)) >> level


def _read_whole(planes: Callable[[int], np.ndarray], one: Try) -> Whole:
    level, side = cut_of(one.factor)
    moved = _resized(turned(planes(level), one.turn)[:side, :side], one.factor * 2**level)
    bits = capacity(*moved.shape)
    if not bits:
        return Whole(0, ())
    coefficients = to_blocks(moved[None]) @ BASIS
    read = [fold(reading(coefficients)[0].astype(np.float64)) for reading in readings(*moved.shape)]
    return Whole(bits, tuple(read))


def _whole(read: Whole, one: Try, signs: np.ndarray) -> Detection:
    if not read.bits:
        return Detection(0.0, 1.0, 0.0, 0, 0, 0, one.describe())
    found = [
        correlate(weights, signs[: weights.shape[0], : weights.shape[1]], read.bits, one.describe())
        for weights in read.weights
    ]
    return min(found, key=lambda one: one.log10_p).corrected(float(len(found)))


def _read_pieces(plane: np.ndarray, one: Try) -> Pieces | None:
    """Read the middle of an image for all offsets of the grid; None: it is too small."""
    side = int(PIECE / one.factor)
    top, left = (max(length - side, 0) // 2 for length in plane.shape)
    piece = _resized(turned(plane[top : top + side, left : left + side], one.turn), one.factor)
    grids = []
    for row in range(SIDE):
        for column in range(SIDE):
            cut = piece[row:, column:]
            if capacity(*cut.shape):
                grids.append((row, column, _on_period(soft_sign(to_blocks(cut[None]) @ BASIS)[0])))
    if not grids:
        return None
    offsets = tuple((row, column) for row, column, _ in grids)
    return Pieces(capacity(*piece.shape), offsets, np.stack([grid for _, _, grid in grids]))


def _anywhere(read: Pieces | None, one: Try, signs: np.ndarray) -> Detection | None:
    """Try all offsets of the grid and all places in the pattern; returns the best, corrected for all."""
    if read is None:
        return None
    weights = read.weights
    sums = np.fft.irfft2(
        (np.conj(np.fft.rfft2(weights, axes=(1, 2))) * np.fft.rfft2(signs, axes=(0, 1))).sum(-1),
        s=(PERIOD, PERIOD),
        axes=(1, 2),
    )
    ratio = sums / np.maximum(np.sqrt((weights**2).sum((1, 2, 3))), 1e-9)[:, None, None]
    index, down, right = np.unravel_index(int(np.argmax(ratio)), ratio.shape)
    row, column = read.offsets[index]
    moved = np.roll(signs, (-int(down), -int(right)), (0, 1))
    how = f'{one.describe()}, a piece: the grid begins at row {row}, column {column}'
    return correlate(weights[index], moved, read.bits, how).corrected(
        4.0 * len(CROPPED) * SIDE * SIDE * PERIOD * PERIOD
    )


def _on_period(values: np.ndarray) -> np.ndarray:
    """Fold to a whole period, zeros where there is no block."""
    folded = fold(values.astype(np.float64))
    return np.pad(folded, ((0, PERIOD - folded.shape[0]), (0, PERIOD - folded.shape[1]), (0, 0)))
