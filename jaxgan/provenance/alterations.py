"""What was done to a picture since it was written: only what can be seen of it, of its record, or of the original beside the record."""

import math
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from jaxgan.provenance.hashes import LUMA

ALIKE = 20.0  # dB from which two pictures are the same one, altered
CLEARER = 6.0  # dB by which one way of laying them upon each other must be better than a simpler one
LEVELS = 3.0  # of 255: a change of brightness that is told
MOST_PIXELS = 1 << 22  # of pictures within which a piece is looked for


class Comparison(NamedTuple):
    """A picture laid upon its original."""

    psnr: float
    """Of the luma, in dB, after the alterations named; inf: it is the same."""
    words: tuple[str, ...]
    """What was done to it."""


def compare(original: np.ndarray, picture: np.ndarray) -> Comparison:
    """Lay a picture upon its original: as it is, mirrored, scaled, or as a piece of it; the simplest that fits.

    Args:
        original: uint8 [H, W, 1 or 3].
        picture: uint8 [h, w, 1 or 3].
    """
    first, second = _luma(original), _luma(picture)
    found: tuple[float, tuple[str, ...], np.ndarray] | None = None
    for words, laid in _ways(first, second):
        gain = _psnr(_levelled(laid, second), second)
        if found is None or gain > found[0] + CLEARER:
            found = gain, words, laid
    if found is None:
        return Comparison(0.0, ())
    _, words, laid = found
    shift = float(second.mean() - laid.mean())
    if abs(shift) > LEVELS and found[0] >= ALIKE:
        words = (
            *words,
            f'{"brighter" if shift > 0 else "darker"} by {abs(shift):.0f} of 255 levels on average',
        )
        return Comparison(found[0], words)
    return Comparison(_psnr(laid, second), words)


def _ways(first: np.ndarray, second: np.ndarray) -> Any:
    """List how the original may have become the picture, simplest first: (words, the original so altered)."""
    (height, width), size = first.shape, second.shape
    if first.shape == size:
        yield (), first
        yield ('mirrored',), first[:, ::-1]
        yield ('turned upside down',), first[::-1]
        return
    if abs(math.log(size[0] * width / (size[1] * height))) < 0.05:
        scaled = _resized(first, size)
        name = _scaling((height, width), size)
        yield (name,), scaled
        yield (name, 'mirrored'), scaled[:, ::-1]
    if size[0] <= height and size[1] <= width and first.size <= MOST_PIXELS:
        for words, whole in (((), first), (('mirrored',), first[:, ::-1])):
            top, left = _place(whole, second)
            piece = whole[top : top + size[0], left : left + size[1]]
            yield (
                (
                    f'cut to {size[1]}x{size[0]} of {width}x{height} pixels, from column {left}, row {top}',
                    *words,
                ),
                piece,
            )


def _scaling(before: tuple[int, int], after: tuple[int, int]) -> str:
    factor = after[0] // before[0]
    if factor > 1 and after == (before[0] * factor, before[1] * factor):
        return f'enlarged by {factor}'
    return f'resized from {before[1]}x{before[0]} to {after[1]}x{after[0]} pixels'


def enlargement(image: np.ndarray) -> int:
    """Tell how large the squares of one colour are of which an image [h, w, c] consists; 1: it is not enlarged, or not exactly.

    >>> enlargement(np.arange(16, dtype=np.uint8).reshape(4, 4, 1).repeat(3, 0).repeat(3, 1))
    3
    """
    height, width = image.shape[:2]
    common = 0
    for axis, length in ((0, height), (1, width)):
        moved = image if axis == 0 else image.swapaxes(0, 1)
        edges = np.flatnonzero((moved[1:] != moved[:-1]).any(axis=(1, 2))) + 1
        common = math.gcd(common, length, *edges.tolist())
    return common if common < min(height, width) else 1


def _place(whole: np.ndarray, piece: np.ndarray) -> tuple[int, int]:
    """Find where a piece differs least from a whole, squared; by correlation."""
    shape = whole.shape
    flipped = np.fft.rfft2(piece[::-1, ::-1], shape)
    cross = np.fft.irfft2(np.fft.rfft2(whole) * flipped, shape)
    window = np.fft.rfft2(np.ones_like(piece), shape)
    energy = np.fft.irfft2(np.fft.rfft2(whole * whole) * window, shape)
    inside = (energy - 2 * cross)[piece.shape[0] - 1 :, piece.shape[1] - 1 :]
    top, left = np.unravel_index(int(inside.argmin()), inside.shape)
    return int(top), int(left)


def _luma(image: np.ndarray) -> np.ndarray:
    values = image.astype(np.float32)
    return values[..., 0] if image.shape[-1] == 1 else values @ np.asarray(LUMA, np.float32)


def _resized(luma: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    factor = size[0] // luma.shape[0]
    if factor > 1 and size == (luma.shape[0] * factor, luma.shape[1] * factor):
        squares = luma.repeat(factor, axis=0).repeat(factor, axis=1)
        return squares
    return np.asarray(Image.fromarray(luma).resize((size[1], size[0]), Image.Resampling.BICUBIC))


def _levelled(laid: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Give one picture the contrast and the brightness of another, by least squares."""
    centred = laid - laid.mean()
    spread = float((centred**2).sum())
    gain = float((centred * (second - second.mean())).sum()) / spread if spread else 1.0
    return centred * np.float32(min(max(gain, 0.5), 2.0)) + second.mean()


def _psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = float(np.mean((a - b) ** 2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)
