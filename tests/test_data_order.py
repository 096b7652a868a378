"""The order of the data: permutations, the same on the host and the device, and close to random."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.data.order import shuffled_index

COUNTS = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 63, 64, 65, 255, 256, 257, 4095, 4096, 4097, 16_000]


@pytest.mark.parametrize('count', COUNTS)
def test_every_epoch_is_a_permutation(count):
    for epoch in (0, 1, 7):
        images = shuffled_index(0, np.arange(count) + epoch * count, count)
        assert images.dtype == np.int32
        np.testing.assert_array_equal(np.sort(images), np.arange(count))


@pytest.mark.parametrize('count', [1, 2, 5, 16, 17, 16_000, 2**31])
def test_host_and_device_agree_bit_for_bit(count):
    places = np.concatenate([np.arange(300), 2**31 - 1 - np.arange(300), 2**32 - 1 - np.arange(300)])
    places = places.astype(np.uint32)
    on_host = shuffled_index(3, places, count)
    on_device = jax.jit(lambda index: shuffled_index(3, index, count))(jnp.asarray(places))
    assert on_device.dtype == jnp.int32
    np.testing.assert_array_equal(on_host, on_device)


def test_places_are_computed_one_by_one():
    together = shuffled_index(1, np.arange(50), 17)
    alone = [int(shuffled_index(1, place, 17)) for place in range(50)]
    assert together.tolist() == alone
    assert shuffled_index(1, 5, 17).shape == ()
    assert shuffled_index(1, np.zeros((2, 3), int), 17).shape == (2, 3)


def test_signed_and_unsigned_places_are_the_same():
    signed = shuffled_index(1, jnp.arange(40, dtype=jnp.int32), 17)
    unsigned = shuffled_index(1, jnp.arange(40, dtype=jnp.uint32), 17)
    np.testing.assert_array_equal(signed, unsigned)


def test_epochs_and_seeds_differ():
    seeds = [0, 1, 2, -1, 2**32, 2**40 + 1]
    orders = {
        shuffled_index(seed, np.arange(100) + 100 * epoch, 100).tobytes()
        for seed in seeds
        for epoch in range(20)
    }
    assert len(orders) == len(seeds) * 20


def test_the_order_never_changes():
    # A change of these numbers changes every run that is resumed: do it only on purpose, and say so.
    assert shuffled_index(0, np.arange(8), 16_000).tolist() == [
        6723,
        11125,
        6781,
        3791,
        14645,
        5560,
        12198,
        984,
    ]
    assert int(shuffled_index(7, 2**31, 16_000)) == 6526


def chi_square(observed: np.ndarray) -> float:
    """Measure how far counts are from equal, in standard deviations of the chi-square distribution."""
    expected = observed.sum() / observed.size
    freedom = observed.size - 1
    return float((((observed - expected) ** 2 / expected).sum() - freedom) / np.sqrt(2 * freedom))


@pytest.mark.parametrize('count', [2, 3, 5, 16, 17, 100])
def test_every_image_is_as_likely_at_every_position(count):
    epochs = min(200 * count, 4000)
    images = shuffled_index(0, np.arange(epochs * count), count).reshape(epochs, count)
    joint = np.zeros((count, count))
    for position in range(count):
        joint[position] = np.bincount(images[:, position], minlength=count)
    assert abs(chi_square(joint)) < 4


@pytest.mark.parametrize('count', [2, 3, 4, 5])
def test_every_permutation_of_few_images_is_as_likely(count):
    orders = list(itertools.permutations(range(count)))
    images = shuffled_index(5, np.arange(100 * len(orders) * count), count).reshape(-1, count)
    weights = count ** np.arange(count)
    codes = [int(np.dot(order, weights)) for order in orders]
    observed = np.bincount(images @ weights, minlength=count**count)[codes]
    assert observed.sum() == len(images)
    assert abs(chi_square(observed)) < 4


def test_neighbours_in_the_stream_are_unrelated():
    images = shuffled_index(0, np.arange(16_000 * 20), 16_000)
    steps = np.diff(images) % 16_000
    assert abs(chi_square(np.bincount(steps // 160, minlength=100))) < 4


@pytest.mark.parametrize('count', [0, -1, 2**31 + 1])
def test_impossible_counts_are_refused(count):
    with pytest.raises(ValueError, match='allowed are 1 to'):
        shuffled_index(0, np.arange(3), count)
