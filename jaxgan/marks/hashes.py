"""A perceptual hash: 64 bits that stay nearly the same where a picture is stored, scaled or brightened in another way.

The signs of the lowest frequencies of a picture's 32x32 luma, relative to their median; no secret, and no protection against somebody
who wants two pictures to collide, or one to escape. It finds candidates; whether one is the other, something else must show.

References:
    Zauner, Implementation and benchmarking of perceptual image hash functions (2010), section 3.2.1: the hash by the discrete cosine
    transform. Here the 64 lowest frequencies besides the mean are taken instead of a square of them.
"""

import functools

import numpy as np

from jaxgan.errors import InputError

SIDE = 32
BITS = 64
NEAR = 10
"""The distance up to which a picture may be a copy. Measured by docs/scripts/hash_distances.py: of emoji of 64 pixels, photographs of 32
and avatars of 16, JPEG to quality 50 and 20 % more brightness stay within it in 96 % or more. So do two different photographs of 32
pixels with probability 2e-5, two emoji with 2e-3, two avatars with 1e-2: among 1,500 avatars, 97 % have another one this near."""
LUMA = (0.299, 0.587, 0.114)  # Rec. 601
HELD = 1 << 21  # pixels whose luma is held at a time


def phash(pixels: np.ndarray) -> int:
    """Compute the hash of one image: 0 to 2**64 - 1.

    Args:
        pixels: uint8 [h, w, 1, 3 or 4]; transparency is laid on white.

    Raises:
        InputError: it is no such array.
    """
    pixels = np.asarray(pixels)
    if pixels.ndim != 3:
        raise InputError(f'a hash needs uint8 [h, w, 1, 3 or 4], got {pixels.dtype} {list(pixels.shape)}')
    return int(phashes(pixels[None])[0])


def phashes(images: np.ndarray) -> np.ndarray:
    """Compute the hashes of images of one size.

    The luma, averaged or interpolated by a triangle to 32x32, is Y; C = D Y D^T its cosine transform (type II). A bit is set where a
    coefficient is above the median of all 64. An image of one colour has the hash 0.

    Args:
        images: uint8 [n, h, w, 1, 3 or 4]; transparency is laid on white.

    Returns:
        uint64 [n].

    Raises:
        InputError: they are no such array.
    """
    images = np.asarray(images)
    fits = images.ndim == 4 and images.dtype == np.uint8 and images.shape[-1] in (1, 3, 4)
    if not (fits and all(images.shape[1:])):
        raise InputError(f'hashes need uint8 [n, h, w, 1, 3 or 4], got {images.dtype} {list(images.shape)}')
    n = max(1, HELD // (images.shape[1] * images.shape[2]))
    spectra = [_spectra(images[i : i + n]) for i in range(0, len(images), n)]
    rows, columns = _frequencies()
    found = np.concatenate(spectra)[:, rows, columns] if spectra else np.zeros((0, BITS))
    found = np.round(found, 6)  # what a flat image leaves of rounding is nothing
    bits = found > np.median(found, axis=1, keepdims=True)
    return np.ascontiguousarray(np.packbits(bits, axis=1)).view('>u8')[:, 0].astype(np.uint64)


def distance(a: int, b: int) -> int:
    """Count the bits in which two hashes differ.

    >>> distance(0b1100, 0b0101)
    2
    """
    return (a ^ b).bit_count()


def distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Count the bits in which each of some hashes differs from each of others: uint64 [n], [m] -> uint8 [n, m]."""
    return np.bitwise_count(np.asarray(a, np.uint64)[:, None] ^ np.asarray(b, np.uint64)[None])


def to_hex(value: int) -> str:
    """Write a hash as a record has it.

    >>> to_hex(255)
    '00000000000000ff'
    """
    return f'{value:016x}'


def _spectra(images: np.ndarray) -> np.ndarray:
    """Transform some images [n, h, w, c] -> [n, k, k], so many rows at a time that little is held."""
    n, height, width, _ = images.shape
    down, across = _transform(height), _transform(width)
    rows = max(1, HELD // (n * width))
    found = np.zeros((n, len(down), len(across)))
    for i in range(0, height, rows):
        found += down[:, i : i + rows] @ (_luma(images[:, i : i + rows]) @ across.T)
    return found


def _luma(images: np.ndarray) -> np.ndarray:
    values = images.astype(np.float64)
    if images.shape[-1] == 4:
        alpha = values[..., 3:] / 255
        values = values[..., :3] * alpha + 255 * (1 - alpha)
    return values[..., 0] if images.shape[-1] == 1 else values @ np.asarray(LUMA)


@functools.lru_cache(maxsize=64)
def _transform(length: int) -> np.ndarray:
    """Scale a side to 32 by a triangle as wide as a pixel of the smaller of both, then transform: [k, length]."""
    factor = length / SIDE
    places = (np.arange(SIDE)[:, None] + 0.5) * factor
    away = np.abs(np.arange(length)[None] + 0.5 - places) / max(factor, 1.0)
    weights = np.maximum(0.0, 1.0 - away)
    weights /= weights.sum(axis=1, keepdims=True)
    k = max(map(np.max, _frequencies())) + 1
    waves = np.cos(np.pi * np.arange(k)[:, None] * (np.arange(SIDE)[None] + 0.5) / SIDE)
    return waves @ weights


@functools.cache
def _frequencies() -> tuple[np.ndarray, np.ndarray]:
    """List the 64 lowest frequencies besides the mean, by the sum of row and column, then by row."""
    pairs = sorted(
        ((u, v) for u in range(SIDE) for v in range(SIDE) if u + v), key=lambda at: (at[0] + at[1], at[0])
    )
    rows, columns = zip(*pairs[:BITS], strict=True)
    return np.asarray(rows), np.asarray(columns)
