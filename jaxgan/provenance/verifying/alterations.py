"""What was done to a picture since it was written: only what can be seen of it, of its record, or of the original beside the record."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from PIL import Image

from jaxgan.marks.hashes import LUMA

ALIKE = 20.0  # dB from which two pictures are the same one, altered
CLEARER = 6.0  # dB by which one way of laying them upon each other must be better than a simpler one
SQUEEZED = 0.05  # of the logarithm of the ratio of the sides
LEVELS = 3.0  # of 255: a change of brightness that is told
MOST_PIXELS = 1 << 22  # of pictures within which a piece is looked for


class Comparison(NamedTuple):
    """A picture laid upon its original."""

    psnr: float
    """Of the luma, in dB, after the alterations named."""
    words: tuple[str, ...]
    """What was done to it."""
    same: bool
    """After those, every pixel is the same."""
    whole: bool
    """All of the original is there."""


class Way(NamedTuple):
    """How a picture may have become another."""

    words: tuple[str, ...]
    apply: Callable[[np.ndarray], np.ndarray]
    """Of luma [H, W] or colours [H, W, c]."""
    whole: bool = True


def compare(original: np.ndarray, picture: np.ndarray) -> Comparison:
    """Lay a picture upon its original: as it is, mirrored, scaled, or as a piece of it; the simplest that fits.

    Args:
        original: uint8 [H, W, 1, 3 or 4].
        picture: uint8 [h, w, 1, 3 or 4].
    """
    first, second = _luma(original), _luma(picture)
    found: tuple[float, Way] | None = None
    for way in _ways(first, second):
        psnr = _psnr(_levelled(way.apply(first), second), second)
        if found is None or psnr > found[0] + CLEARER:
            found = psnr, way
    if found is None:
        return Comparison(0.0, (), False, False)
    psnr, way = found
    laid = way.apply(first)
    same = bool(np.all(way.apply(_colours(original)) == _colours(picture)))
    shift = float(second.mean() - laid.mean())
    if abs(shift) > LEVELS and psnr >= ALIKE:
        more = f'{"brighter" if shift > 0 else "darker"} by {abs(shift):.0f} of 255 levels on average'
        return Comparison(psnr, (*way.words, more), same, way.whole)
    return Comparison(_psnr(laid, second), way.words, same, way.whole)


def _ways(first: np.ndarray, second: np.ndarray) -> Iterator[Way]:
    """List how the original may have become the picture, the simplest first."""
    (height, width), size = first.shape, second.shape
    if first.shape == size:
        yield Way((), lambda image: image)
        yield Way(('mirrored',), lambda image: image[:, ::-1])
        yield Way(('turned upside down',), lambda image: image[::-1])
        return
    if abs(math.log(size[0] * width / (size[1] * height))) < SQUEEZED:
        name = _scaling((height, width), size)
        yield Way((name,), lambda image: _resized(image, size))
        yield Way((name, 'mirrored'), lambda image: _resized(image, size)[:, ::-1])
    if size[0] <= height and size[1] <= width and first.size <= MOST_PIXELS:
        yield _cut(first, second, ())
        yield _cut(first[:, ::-1], second, ('mirrored',))


def _cut(whole: np.ndarray, piece: np.ndarray, words: tuple[str, ...]) -> Way:
    """Make the way of cutting a piece out where it differs least."""
    (height, width), (h, w) = whole.shape, piece.shape
    top, left = _place(whole, piece)
    step = -1 if words else 1
    told = f'cut to {w}x{h} of {width}x{height} pixels, from column {left}, row {top}'
    return Way((told, *words), lambda image: image[:, ::step][top : top + h, left : left + w], False)


def _scaling(before: tuple[int, int], after: tuple[int, int]) -> str:
    factor = after[0] // before[0]
    if factor > 1 and after == (before[0] * factor, before[1] * factor):
        return f'enlarged by {factor}'
    return f'resized from {before[1]}x{before[0]} to {after[1]}x{after[0]} pixels'


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
    return (
        _colours(image) @ np.asarray(LUMA, np.float32)
        if image.shape[-1] > 1
        else image[..., 0].astype(np.float32)
    )


def _colours(image: np.ndarray) -> np.ndarray:
    """Lay transparency on white: float32 [h, w, 1 or 3]."""
    values = image.astype(np.float32)
    if image.shape[-1] < 4:
        return values
    alpha = values[..., 3:] / 255
    return values[..., :3] * alpha + 255 * (1 - alpha)


def _resized(image: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    factor = size[0] // image.shape[0]
    if factor > 1 and size == (image.shape[0] * factor, image.shape[1] * factor):
        return image.repeat(factor, axis=0).repeat(factor, axis=1)
    if image.ndim == 3:
        return np.stack([_resized(plane, size) for plane in np.moveaxis(image, -1, 0)], axis=-1)
    return np.asarray(Image.fromarray(image).resize((size[1], size[0]), Image.Resampling.BICUBIC))


def _levelled(laid: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Give one picture the contrast and the brightness of another, by least squares."""
    centred = laid - laid.mean()
    spread = float((centred**2).sum())
    gain = float((centred * (second - second.mean())).sum()) / spread if spread else 1.0
    return centred * np.float32(min(max(gain, 0.5), 2.0)) + second.mean()


def _psnr(a: np.ndarray, b: np.ndarray) -> float:
    error = float(np.mean((a - b) ** 2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)
