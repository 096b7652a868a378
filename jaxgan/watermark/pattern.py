"""The keyed signs: which way each coefficient of each block is pushed. The same for a key for ever, on every machine."""

import hashlib
import hmac
from typing import Any, NamedTuple

import numpy as np

from jaxgan.errors import InputError
from jaxgan.watermark.blocks import BASIS, COUNT, SIDE

PERIOD = (
    32  # blocks a side after which the pattern repeats: a piece of unknown place is found by one correlation
)
DOMAIN = b'jaxgan watermark 1\0'  # changes with any change of what a key means


class Pattern(NamedTuple):
    """Signs of one key for one size of image; a tree of arrays, so it can be an argument of a jitted function."""

    signs: Any  # [min(rows, PERIOD), min(columns, PERIOD), COUNT], float32, -1 or 1
    basis: Any = BASIS  # [64, COUNT], of the coefficients that carry them


def model_key(digest: str, secret: bytes = b'') -> bytes:
    """Make the key of a model: HMAC-SHA256(secret, digest).

    Without a secret the mark is public: who knows the model's digest can find the mark, and can also forge it or take it away. With one
    only who holds the secret can.

    Args:
        digest: the model's digest, in hexadecimal digits.
        secret: any bytes.

    Returns:
        32 bytes.
    """
    return hmac.new(secret, DOMAIN + digest.encode(), hashlib.sha256).digest()


def weights_key(secret: bytes) -> bytes:
    """Make the key of a mark in a generator's weights: HMAC-SHA256(secret, 'weights'), as there is no digest before the training.

    Raises:
        InputError: the secret is empty.
    """
    if not secret:
        raise InputError('the secret of a mark in weights is empty')
    return hmac.new(secret, DOMAIN + b'weights', hashlib.sha256).digest()


def tile_signs(key: bytes) -> np.ndarray:
    """Draw the signs of a whole period [PERIOD, PERIOD, COUNT]: SHAKE-256 of the key, one bit a sign, 1 for minus.

    Raises:
        InputError: the key is empty.
    """
    if not key:
        raise InputError('the key of a watermark is empty')
    stream = hashlib.shake_256(DOMAIN + key).digest(PERIOD * PERIOD * COUNT // 8)
    bits = np.unpackbits(np.frombuffer(stream, np.uint8))
    return (1 - 2 * bits.astype(np.float32)).reshape(PERIOD, PERIOD, COUNT)


def make_pattern(key: bytes, height: int, width: int, basis: np.ndarray = BASIS) -> Pattern:
    """Make the pattern of a key for images of a size; smaller images have the corner of the pattern of larger ones.

    Args:
        key: any bytes but none; that of a model is ``model_key``.
        height: of the images, in pixels.
        width: the same.
        basis: ``blocks.WEIGHTS_BASIS`` for a mark that a generator itself emits.
    """
    return Pattern(tile_signs(key)[: height // SIDE, : width // SIDE], basis)


def capacity(height: int, width: int) -> int:
    """Count the bits that an image of a size carries; 0: no whole block, so no mark at all.

    The bits are known ones, of the key: their matches say how well the mark is read, and the p-value proves it. Below 16 bits even a
    perfect reading of the bits is no proof; the p-value is of the coefficients, of which there are more.

    >>> [capacity(side, side) for side in (4, 8, 16, 32, 64, 128, 1024)]
    [0, 4, 8, 16, 32, 48, 48]
    """
    blocks = (height // SIDE) * (width // SIDE)
    for least, bits in ((256, 48), (64, 32), (16, 16), (4, 8), (1, 4)):
        if blocks >= least:
            return bits
    return 0
