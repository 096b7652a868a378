"""The watermark: p-values against counting, embedding against its goal, and the same key for ever."""

import hashlib
import itertools
import math

import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import watermark
from jaxgan.errors import InputError
from jaxgan.watermark import (
    Lattice,
    Lift,
    batch,
    capacity,
    detect,
    embed,
    make_pattern,
    model_key,
    scores,
    search,
    searching,
)
from jaxgan.watermark.blocks import BASIS, COUNT, from_blocks, to_blocks
from jaxgan.watermark.detection import bit_places, correlate, fold, read_scores, readings
from jaxgan.watermark.embedding import PASSES, lift, settle
from jaxgan.watermark.pattern import PERIOD, tile_signs
from jaxgan.watermark.pvalues import exact_tail, log_p_value
from jaxgan.watermark.resizing import resize

KEY = model_key('0f' * 32)


def smooth(n, side, seed=0, channels=3):
    """Images with slopes, an edge, and some grain."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side] / side
    slopes = random.uniform(-80, 80, (n, 2, 1, 1, channels))
    images = 128 + slopes[:, 0] * y[..., None] + slopes[:, 1] * x[..., None] + 60 * (x + y > 1.1)[..., None]
    return np.clip(images + random.normal(0, 4, images.shape), 0, 255).astype(np.uint8)


def psnr(a, b):
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2))


def adversarial(side=16):
    random = np.random.default_rng(3)
    y, x = np.mgrid[:side, :side]
    images = {
        'flat': np.full((side, side), 77),
        'checkers': 255 * ((x + y) % 2),
        'stripes': 255 * (x // 2 % 2),
        'one block': np.where((x < 8) & (y < 8), x * 32, 0),
        'noise': random.integers(0, 256, (side, side)),
        'two levels': 255 * random.integers(0, 2, (side, side)),
    }
    return {name: image.astype(np.uint8)[..., None] for name, image in images.items()}


@pytest.mark.parametrize('seed', range(4))
def test_the_exact_tail_is_that_of_all_signs(seed):
    weights = np.random.default_rng(seed).normal(size=9).round(seed)  # some are equal: ties
    sums = np.array([np.dot(signs, weights) for signs in itertools.product((-1, 1), repeat=9)])
    for value in (0.0, 0.3, 1.0, sums.max(), sums.max() + 1):
        assert exact_tail(weights, value) == np.mean(sums >= value - 1e-9)


@pytest.mark.parametrize('spread', [0.0, 1.0, 3.0])
def test_bounds_are_never_below_the_tail(spread):
    random = np.random.default_rng(1)
    for m in (
        40,
        64,
    ):  # more than are counted: pairs of equal weights with zeros between stand for a coarse exact sum
        weights = np.exp(spread * random.normal(size=m)).round(1) + 0.1
        steps = np.rint(weights * 10).astype(int)
        tail = np.ones(1)
        for step in steps:  # the law of the sum on a grid of tenths, by convolution
            tail = np.convolve(tail, [0.5, *[0.0] * (2 * step - 1), 0.5])
        total = steps.sum()
        upper = tail[::-1].cumsum()[::-1]
        for value in np.unique(np.linspace(1, total, 30).astype(int)):
            index = -(-(total + value) // 1)
            exact = upper[min(index, len(upper) - 1)]
            assert log_p_value(weights, value / 10) >= math.log(exact) - 1e-6


def test_what_can_not_be_has_no_probability_and_what_is_not_there_proves_nothing():
    assert log_p_value(np.ones(10), 10.0) == pytest.approx(-10 * math.log(2))
    assert log_p_value(np.ones(10), 11.0) == -math.inf
    assert log_p_value(np.zeros(10), 0.0) == 0 == log_p_value(np.ones(100), -3.0)
    assert log_p_value(np.array([1e9, 1.0]), 1e9) == pytest.approx(math.log(0.5))


@pytest.mark.parametrize('name', sorted(adversarial()))
def test_p_values_of_random_keys_are_not_too_small(name):
    image, n = adversarial()[name], 150
    p = np.array([detect(image, b'other%d' % index).p_value for index in range(n)])
    for level in (0.5, 0.1, 0.02):
        assert (p <= level).mean() <= level + 4 * math.sqrt(level / n)


@pytest.mark.parametrize(
    ('side', 'least', 'log10_p'), [(8, 42, -1), (16, 42, -6), (32, 42, -20), (64, 34, -20), (128, 38, -60)]
)
def test_a_mark_is_found_and_hardly_seen(side, least, log10_p):
    images = smooth(4, side)
    marked = embed(images, make_pattern(KEY, side, side))
    assert marked.dtype == np.uint8 and marked.shape == images.shape
    for before, after in zip(images, marked):
        assert psnr(before, after) >= least
        assert detect(after, KEY).log10_p <= log10_p
        assert detect(after, model_key('0e' * 32)).log10_p > -4
    assert detect(marked[0], KEY).matches >= 0.9 * capacity(side, side)


@pytest.mark.parametrize('level', [0, 255, (255, 0, 0), (255, 255, 0)])
@pytest.mark.parametrize('side', [16, 64])
def test_flat_black_white_and_pure_colours_are_marked(side, level):
    flat = np.zeros((side, side, 3), np.uint8) + np.array(level, np.uint8)
    found = detect(embed(flat, make_pattern(KEY, side, side)), KEY)
    assert found.matches == found.bits and found.log10_p <= -8
    assert detect(flat, KEY).coefficients == 0 and detect(flat, KEY).p_value == 1


def test_alpha_and_what_is_outside_whole_blocks_stay():
    image = smooth(1, 29, channels=4)[0]
    marked = embed(image, make_pattern(KEY, 29, 29))
    changed = (marked != image).any(-1)
    assert (marked[..., 3] == image[..., 3]).all()
    assert changed[:24, :24].any() and not changed[24:].any() and not changed[:, 24:].any()
    tiny = image[:7]
    assert embed(tiny, make_pattern(KEY, 7, 29)) is tiny and capacity(7, 29) == 0
    with pytest.raises(InputError, match='an image of 7x29 pixels carries no mark'):
        detect(tiny, KEY)


def test_grey_images_are_marked_as_those_with_three_equal_channels():
    grey = smooth(1, 32, channels=1)
    pattern = make_pattern(KEY, 32, 32)
    marked = embed(np.repeat(grey, 3, -1), pattern)
    assert np.abs(embed(grey, pattern).astype(int) - marked).max() <= 1  # rounding of the weighed sum


@pytest.mark.parametrize(
    ('side', 'channels'),
    [(16, 3), pytest.param(40, 4, marks=pytest.mark.slow), pytest.param(64, 1, marks=pytest.mark.slow)],
)
def test_jax_and_numpy_agree(side, channels):
    images, pattern = smooth(2, side, channels=channels), make_pattern(KEY, side, side)
    floats = embed(jnp.asarray(images / 127.5 - 1, jnp.float32), pattern)
    bytes_ = np.rint((np.asarray(floats) + 1) * 127.5)
    difference = np.abs(bytes_ - embed(images, pattern))
    assert difference.max() <= 1 and (difference > 0).mean() < 0.01


def test_many_images_and_bands_of_large_ones_are_marked_as_one():
    pattern = make_pattern(KEY, 264, 16)
    image = smooth(1, 264)[0, :, :16]
    assert (embed(np.stack([image, image]), pattern)[1] == embed(image, pattern)).all()
    tall = np.concatenate([image[:256], image[:256]])
    marked = embed(tall, make_pattern(KEY, 512, 16))
    assert (marked[:256] == marked[256:]).all()  # the pattern repeats
    assert read_scores(tall[None])[0] == pytest.approx(2 * read_scores(tall[None, :256])[0])


def test_signs_are_the_same_for_ever():
    signs = tile_signs(b'golden')
    assert signs.shape == (PERIOD, PERIOD, COUNT) and set(np.unique(signs)) == {-1, 1}
    assert hashlib.sha256(np.packbits(signs < 0).tobytes()).hexdigest()[:16] == GOLDEN_SIGNS
    assert model_key('ab', b'secret').hex()[:16] == GOLDEN_KEY
    assert model_key('ab') != model_key('ab', b'secret') != model_key('ac', b'secret')
    assert (make_pattern(b'golden', 24, 40).signs == signs[:3, :5]).all()
    with pytest.raises(InputError, match='the key of a watermark is empty'):
        tile_signs(b'')


def test_images_marked_before_are_found_for_ever():
    """A golden mark: whoever changes what a mark is must change ``pattern.DOMAIN``, and keep reading the old ones."""
    y, x = np.mgrid[:16, :16]
    image = np.stack([8 * x + 4 * y, 16 * y, 255 - 9 * x], -1).astype(np.uint8)
    marked = embed(image, make_pattern(b'golden', 16, 16))
    green = marked[:8, :8, 1].astype(int) - image[:8, :8, 1]
    assert np.abs(green - np.array(GOLDEN_CHANGE)).max() <= 1  # rounding


def test_lift_is_continuous_monotone_and_leaves_what_is_right():
    y = np.linspace(-60, 60, 2001)
    lifted = lift(y, 5.0, 8.0, np)
    assert (np.diff(lifted) >= 0).all() and np.diff(lifted).max() <= 2.001 * (y[1] - y[0])
    assert (
        (lifted >= y).all()
        and (lifted[y >= 5] == y[y >= 5]).all()
        and (lifted[y <= -21] == y[y <= -21]).all()
    )
    assert lifted[(y >= -8) & (y <= 5)] == pytest.approx(5.0)


def test_the_lattice_is_reached_from_anywhere_but_its_middle():
    start = np.linspace(-40, 40, 1001)
    value = start
    for _ in range(PASSES):
        value = settle(value, 1.0, np)
    away = np.abs((value - 4 + 8) % 16 - 8)
    assert np.quantile(away, 0.8) < 0.1 and np.abs(value - start).max() <= 8 + 1e-6
    assert settle(start, -1.0, np) == pytest.approx(-settle(-start, 1.0, np))


def test_images_that_are_alike_do_not_count_as_many():
    images = np.repeat(smooth(1, 16, seed=5), 50, 0)
    one, many = detect(images[0], b'other'), batch(images, b'other')
    assert many.statistic == pytest.approx(one.statistic) and many.log10_p == pytest.approx(one.log10_p)


def test_a_batch_proves_what_one_altered_image_can_not():
    images = embed(smooth(60, 16), make_pattern(KEY, 16, 16)).astype(float)
    noisy = np.clip(np.rint(images + np.random.default_rng(0).normal(0, 5, images.shape)), 0, 255)
    noisy = noisy.astype(np.uint8)
    assert np.mean([detect(one, KEY).log10_p <= -6 for one in noisy[:10]]) < 0.5
    assert batch(noisy, KEY).log10_p <= -6 and batch(noisy, b'other').log10_p > -4


@pytest.mark.parametrize(
    'alter',
    [
        lambda image: image[:, ::-1],
        lambda image: np.rot90(image),
        pytest.param(lambda image: image.repeat(3, 0).repeat(3, 1), marks=pytest.mark.slow),
        pytest.param(lambda image: image[5:-3, 6:-2], marks=pytest.mark.slow),
    ],
    ids=['mirrored', 'turned', 'enlarged', 'cropped'],
)
def test_search_finds_what_was_moved(alter):
    image = embed(smooth(1, 64, seed=2), make_pattern(KEY, 64, 64))[0]
    altered = np.ascontiguousarray(alter(image))
    found = search(altered, KEY)
    assert found.log10_p <= -6 and found.tries > 4 and found.how
    assert detect(altered, KEY).log10_p > -6


@pytest.mark.slow
def test_search_pays_for_its_tries():
    image = smooth(1, 24, seed=7)[0]
    p = np.array([search(image, b'other%d' % index).p_value for index in range(5)])
    assert (p <= 0.02).sum() <= 2
    assert search(embed(image, make_pattern(KEY, 24, 24)), KEY).tries == 4


@pytest.mark.slow
def test_scores_are_those_of_the_detector():
    images, pattern = smooth(3, 64), make_pattern(KEY, 64, 64)
    marked = embed(images, pattern)
    found = np.asarray(scores(jnp.asarray(marked / 127.5 - 1, jnp.float32), pattern))
    assert found.shape == (3, 32)
    expected = [detect(one, KEY).matches for one in marked]
    assert (found > 0).sum(1).tolist() == expected
    assert found.mean() > 0.3 > np.abs(scores(jnp.asarray(images / 127.5 - 1, jnp.float32), pattern)).mean()


def test_blocks_bits_and_sizes():
    assert pytest.approx(np.eye(COUNT), abs=1e-6) == BASIS.T @ BASIS
    plane = np.arange(2 * 16 * 24.0).reshape(2, 16, 24)
    assert (from_blocks(to_blocks(plane)) == plane).all()
    for side in (8, 16, 32, 64, 128):
        counts = np.bincount(bit_places(side // 8, side // 8, capacity(side, side)).ravel())
        assert counts.min() >= 1 and counts.max() <= 2 * counts.min()
    assert len(readings(56, 64)) == 2 and len(readings(64, 64)) == 1
    values = np.ones((PERIOD + 3, 5, COUNT))
    assert fold(values).sum() == values.sum() and fold(values).shape == (PERIOD, 5, COUNT)
    zero = correlate(np.zeros((1, 1, COUNT)), np.ones((1, 1, COUNT)), 4)
    assert (zero.statistic, zero.p_value, zero.matches) == (0, 1, 0)


def test_resizing_keeps_means_and_undoes_repetition():
    plane = np.random.default_rng(0).normal(size=(12, 9)).astype(np.float32)
    assert resize(plane.repeat(4, 0).repeat(4, 1), 12, 9) == pytest.approx(plane, abs=1e-5)
    for length, size in ((5, 3), (5, 12), (7, 7), (100, 33), (500, 31)):
        weights = resize(np.eye(length, dtype=np.float32), size, length)
        assert weights.sum(1) == pytest.approx(1.0, abs=1e-5)
        if size < length:  # by the definition: the parts of old pixels that lie in a new one
            edges, places = np.arange(size + 1) * length / size, np.arange(length)
            part = np.minimum(edges[1:, None], places + 1) - np.maximum(edges[:-1, None], places)
            assert weights == pytest.approx(np.clip(part, 0, 1) * size / length, abs=1e-5)
    assert np.array_equal(resize(plane, 12, 9), plane)


def test_what_is_no_image_is_refused():
    pattern = make_pattern(KEY, 16, 16)
    with pytest.raises(InputError, match=r'images of shape \(16, 16, 2\): .* c 1, 3 or 4'):
        embed(np.zeros((16, 16, 2), np.uint8), pattern)
    with pytest.raises(InputError, match='float64: uint8 is expected'):
        embed(np.zeros((16, 16, 3)), pattern)
    with pytest.raises(InputError, match='signs for images of 24x16'):
        embed(np.zeros((24, 16, 3), np.uint8), pattern)
    with pytest.raises(InputError, match=r'uint8 \[h, w, c\]'):
        detect(np.zeros((16, 16), np.uint8), KEY)
    assert isinstance(Lattice(), tuple) and isinstance(Lift(1.0, 1.0), tuple)


GOLDEN_SIGNS = '8ca103b5fad8ce66'
GOLDEN_KEY = '6dc2512b4acb61d5'
GOLDEN_CHANGE = [
    [1, 0, 0, 0, 0, 0, 0, 1],
    [0, 0, -1, -1, -1, -1, 0, 1],
    [-1, -1, 0, 1, 1, 1, 1, 1],
    [-2, -1, 1, 2, 2, 2, 1, 1],
    [-2, 0, 1, 3, 3, 2, 1, 0],
    [-1, 0, 1, 2, 2, 1, 0, -1],
    [0, 0, 1, 1, 0, -1, -2, -2],
    [0, 1, 1, 0, -1, -2, -3, -3],
]


@pytest.mark.slow
def test_one_reading_serves_many_keys():
    image = np.random.default_rng(3).integers(0, 256, (72, 88, 3), np.uint8)
    keys = [bytes([i]) * 8 for i in range(3)]
    read, searched = watermark.make_reader(image[None]), watermark.make_searcher(image, [(36, 44)])
    assert [read(key) for key in keys] == [watermark.detect(image, key) for key in keys]
    assert [searched(key) for key in keys] == [watermark.search(image, key, [(36, 44)]) for key in keys]


def test_a_search_reads_so_many_pixels_at_most():
    for factor in (*searching.FACTORS, *(side / 9000 for side in searching.SIDES)):
        level, side = searching.cut_of(factor)
        assert side <= searching.MOST >> level and side * 2**level * factor <= max(
            searching.WHOLE * factor, 512
        )
        covered = 1 / (factor * 2**level)  # pixels of those that are read, by a new one, to a side
        assert 4 <= covered < 8 if factor <= 0.25 else level == 0


@pytest.mark.slow
def test_what_a_search_reads_does_not_grow_with_the_image(monkeypatch):
    """Pixels that are brought to another size, counted: those of an image of 36 megapixels are as many as of one of 16."""
    read, resized = [], searching.resize
    monkeypatch.setattr(
        searching, 'resize', lambda plane, *size: (read.append(plane.size), resized(plane, *size))[1]
    )
    image = np.random.default_rng(0).integers(0, 256, (512, 512, 1), np.uint8)
    counts = []
    for times in (8, 12):
        searching.make_searcher(np.tile(image, (times, times, 1)))(KEY)
        counts.append(sum(read))
        read.clear()
    assert 0 < counts[1] <= 1.2 * counts[0] < 200e6
