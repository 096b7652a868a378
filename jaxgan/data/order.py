"""The order of the data: a pure function of the seed and the global index of a sample, and of nothing else.

Sample number ``index`` of a training run, counted from its start across all epochs, is image
``shuffled_index(seed, index, count)``. Nothing is drawn, stored or restored: a run that resumes, streams its
images instead of keeping them on the device, or changes its batch size, sees the same images in the same
order.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_ROUNDS = 8  # four make a Feistel network pseudo-random on large domains; small domains need more
_SMALLEST = 6  # bits of the smallest domain: on fewer there are too few round functions to choose from


def shuffled_index(seed: int, index: Any, count: int) -> Any:
    """Tell which image comes at a place of the endless stream of shuffled epochs.

    ``index = epoch * count + position``; each epoch is a pseudo-random permutation of the images. The
    permutation is not computed as a whole: a Feistel network permutes 0 .. 2^n - 1, the smallest such range
    that holds all images and has even n, and where it leads outside the images, it is applied again ("cycle
    walking"). The cycle that an image lies on returns to it at last, so the walk ends for every image, and
    what results is a permutation of the images. With 16 images or more, fewer than 4 applications are
    expected, and the chance that an image needs more than n falls as (3/4)^n.

    Args:
        seed: any integer; its lower 64 bits count.
        index: places in the stream, an array of integers from 0 to 2^32 - 1. A JAX array (also traced) is
            computed by JAX, anything else by NumPy; the bits are the same.
        count: how many images there are, 1 to 2^31.

    Returns:
        Indices of images, in 0 .. count - 1: int32, shaped like ``index``.

    References:
        Black & Rogaway 2002, Ciphers with arbitrary finite domains (cycle walking).
        Luby & Rackoff 1988, How to construct pseudorandom permutations (Feistel networks).
    """
    if not 1 <= count <= 2**31:
        raise ValueError(f'count is {count}; allowed are 1 to 2^31')
    traced = isinstance(index, jax.Array)
    # At least one axis, because NumPy warns of overflow in scalars, and here overflow is the arithmetic.
    places = index.astype(jnp.uint32) if traced else np.atleast_1d(np.asarray(index)).astype(np.uint32)
    epoch, position = places // np.uint32(count), places % np.uint32(count)
    keys = _round_keys(seed, epoch)
    half = max(_SMALLEST, (count - 1).bit_length() + 1) // 2
    walk = _walk_jax if traced else _walk_numpy
    images = walk(position, keys, half, np.uint32(count)).astype(np.int32)
    return images if traced else images.reshape(np.shape(index))


def _mix(x: Any) -> Any:
    """Hash 32 bits to 32 bits, one to one: every input bit flips every output bit with chance about 1/2."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x21F0AAAD)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0xD35A2D97)
    return x ^ (x >> np.uint32(15))


def _round_keys(seed: int, epoch: Any) -> list[Any]:
    low, high = np.uint32(seed & 0xFFFFFFFF), np.uint32(seed >> 32 & 0xFFFFFFFF)
    base = _mix(_mix(_mix(epoch + np.uint32(0x9E3779B9)) ^ low) ^ high)
    return [_mix(base ^ _mix_constant(number)) for number in range(_ROUNDS)]


def _mix_constant(number: int) -> np.uint32:
    return _mix(np.array([number + 1], np.uint32))[0]


def _permute(x: Any, keys: list[Any], half: int) -> Any:
    """Permute numbers of ``2 * half`` bits by a Feistel network with one round for each key."""
    mask = np.uint32((1 << half) - 1)
    left, right = x >> np.uint32(half), x & mask
    for key in keys:
        left, right = right, left ^ (_mix(right ^ key) & mask)
    return (left << np.uint32(half)) | right


def _walk_numpy(x: Any, keys: list[Any], half: int, count: np.uint32) -> Any:
    x = _permute(x, keys, half)
    while np.any(x >= count):
        x = np.where(x >= count, _permute(x, keys, half), x)
    return x


def _walk_jax(x: Any, keys: list[Any], half: int, count: np.uint32) -> Any:
    def step(x):
        return jnp.where(x >= count, _permute(x, keys, half), x)

    return jax.lax.while_loop(lambda x: jnp.any(x >= count), step, _permute(x, keys, half))
