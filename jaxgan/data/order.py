"""The order of the data: a pure function of the seed and the global index of a sample, and of nothing else.

Sample number ``index`` of a training run, counted from its start across all epochs, is image
``shuffled_index(seed, index, count)``. Nothing is drawn, stored or restored: a run that resumes, streams its
images instead of keeping them on the device, or changes its batch size, sees the same images in the same
order. The order can be read backwards, too: ``place_of`` tells where in it an image comes.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_ROUNDS = 8  # four make a Feistel network pseudo-random on large domains; small domains need more
_SMALLEST = 6  # bits of the smallest domain: on fewer there are too few round functions to choose from


NONE_EXCLUDED = np.zeros(0, np.int32)


def shuffled_index(seed: int, index: Any, count: int, excluded: np.ndarray = NONE_EXCLUDED) -> Any:
    """Tell which image comes at a place of the endless stream of shuffled epochs.

    ``index = epoch * count + position``; each epoch is a pseudo-random permutation of the images. The
    permutation is not computed as a whole: a Feistel network permutes 0 .. 2^n - 1, the smallest such range
    that holds all images and has even n, and where it leads outside the images, it is applied again ("cycle
    walking"). The cycle that an image lies on returns to it at last, so the walk ends for every image, and
    what results is a permutation of the images. With 16 images or more, fewer than 4 applications are
    expected, and the chance that an image needs more than n falls as (3/4)^n.

    A place that falls on an excluded image takes another one: that which a second permutation has there, or a
    third, and so on, until one is not excluded. So every other place keeps its image, whatever is excluded; and
    where more images are excluded, the stream stays as it was up to the first place that had one of them.

    Args:
        seed: any integer; its lower 64 bits count.
        index: places in the stream, an array of integers from 0 to 2^32 - 1. A JAX array (also traced) is
            computed by JAX, anything else by NumPy; the bits are the same.
        count: how many images there are, 1 to 2^31.
        excluded: images that may not come, int32 [n], sorted, each once; fewer than ``count``, and best at most
            half of them, for each further permutation has an allowed one with chance 1 - n / count.

    Returns:
        Indices of images, in 0 .. count - 1: int32, shaped like ``index``.

    References:
        Black & Rogaway 2002, Ciphers with arbitrary finite domains (cycle walking).
        Luby & Rackoff 1988, How to construct pseudorandom permutations (Feistel networks).
    """
    _check_count(count)
    if len(excluded) >= count:
        raise ValueError(f'{len(excluded)} of {count} images are excluded; one at least must stay')
    traced = isinstance(index, jax.Array)
    # At least one axis, because NumPy warns of overflow in scalars, and here overflow is the arithmetic.
    places = index.astype(jnp.uint32) if traced else np.atleast_1d(np.asarray(index)).astype(np.uint32)
    epoch, position = places // np.uint32(count), places % np.uint32(count)
    walk = _walk_jax if traced else _walk_numpy
    half, total = _half(count), np.uint32(count)
    images = walk(position, _round_keys(seed, epoch), half, total)
    if len(excluded):
        replace = _replace_jax if traced else _replace_numpy
        images = replace(
            images,
            lambda attempt: walk(position, _round_keys(seed, epoch, attempt), half, total),
            np.asarray(excluded, np.uint32),
        )
    images = images.astype(np.int32)
    return images if traced else images.reshape(np.shape(index))


def place_of(seed: int, image: Any, epoch: Any, count: int) -> np.ndarray:
    """Tell at which place of the stream an image comes in an epoch, if none is excluded; the inverse of ``shuffled_index``.

    The rounds of the Feistel network are run backwards, and where that leads outside the images, again ("inverse cycle
    walking"), which goes along the image's cycle the other way.

    Args:
        seed: any integer; its lower 64 bits count.
        image: indices of images, in 0 .. count - 1.
        epoch: numbers of epochs; broadcast against ``image``.
        count: how many images there are, 1 to 2^31.

    Returns:
        Places, int64, shaped like the two broadcast; ``place // count`` is the epoch.

    >>> place = place_of(7, image=3, epoch=2, count=10)
    >>> int(shuffled_index(7, place, 10)), int(place) // 10
    (3, 2)
    """
    _check_count(count)
    images, epochs = np.broadcast_arrays(np.atleast_1d(image), np.atleast_1d(epoch))
    keys = [key.astype(np.uint32) for key in _round_keys(seed, epochs.astype(np.uint32))]
    half, x = _half(count), _unpermute(images.astype(np.uint32), keys, _half(count))
    while np.any(x >= np.uint32(count)):
        x = np.where(x >= np.uint32(count), _unpermute(x, keys, half), x)
    places = epochs.astype(np.int64) * count + x.astype(np.int64)
    return places.reshape(np.broadcast_shapes(np.shape(image), np.shape(epoch)))


def _check_count(count: int) -> None:
    if not 1 <= count <= 2**31:
        raise ValueError(f'count is {count}; allowed are 1 to 2^31')


def _half(count: int) -> int:
    """Tell how many bits each half of the Feistel network has."""
    return max(_SMALLEST, (count - 1).bit_length() + 1) // 2


def _mix(x: Any) -> Any:
    """Hash 32 bits to 32 bits, one to one: every input bit flips every output bit with chance about 1/2."""
    x = (x ^ (x >> np.uint32(16))) * np.uint32(0x21F0AAAD)
    x = (x ^ (x >> np.uint32(15))) * np.uint32(0xD35A2D97)
    return x ^ (x >> np.uint32(15))


def _round_keys(seed: int, epoch: Any, attempt: Any = None) -> list[Any]:
    """Make the keys of an epoch's permutation, or of one of the further ones that replace excluded images, from 1 on."""
    low, high = np.uint32(seed & 0xFFFFFFFF), np.uint32(seed >> 32 & 0xFFFFFFFF)
    base = _mix(_mix(_mix(epoch + np.uint32(0x9E3779B9)) ^ low) ^ high)
    if attempt is not None:
        base = _mix(base ^ _mix(attempt + np.uint32(0x7F4A7C15)))
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


def _unpermute(x: Any, keys: list[Any], half: int) -> Any:
    """Undo ``_permute``: its rounds backwards."""
    mask = np.uint32((1 << half) - 1)
    left, right = x >> np.uint32(half), x & mask
    for key in reversed(keys):
        left, right = right ^ (_mix(left ^ key) & mask), left
    return (left << np.uint32(half)) | right


def _replace_numpy(images: Any, draw: Callable[[Any], Any], excluded: np.ndarray) -> Any:
    attempt = np.zeros(1, np.uint32)
    while np.any(barred := np.isin(images, excluded)):
        attempt = attempt + np.uint32(1)
        images = np.where(barred, draw(attempt), images)
    return images


def _replace_jax(images: Any, draw: Callable[[Any], Any], excluded: np.ndarray) -> Any:
    sorted_ids = jnp.asarray(excluded)
    last = len(excluded) - 1

    def barred(images: Any) -> Any:
        found = jnp.minimum(jnp.searchsorted(sorted_ids, images), last)
        return sorted_ids[found] == images

    def step(carry: Any) -> Any:
        images, attempt = carry
        return jnp.where(barred(images), draw(attempt), images), attempt + np.uint32(1)

    return jax.lax.while_loop(lambda carry: jnp.any(barred(carry[0])), step, (images, jnp.uint32(1)))[0]


def _walk_numpy(x: Any, keys: list[Any], half: int, count: np.uint32) -> Any:
    x = _permute(x, keys, half)
    while np.any(x >= count):
        x = np.where(x >= count, _permute(x, keys, half), x)
    return x


def _walk_jax(x: Any, keys: list[Any], half: int, count: np.uint32) -> Any:
    def step(x):
        return jnp.where(x >= count, _permute(x, keys, half), x)

    return jax.lax.while_loop(lambda x: jnp.any(x >= count), step, _permute(x, keys, half))
