"""A seed is an image: the same bytes wherever it stands, whatever stands beside it, on however many devices."""

import os
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import from_functions
from jaxgan.errors import InputError
from jaxgan.images import to_uint8
from jaxgan.latents import normal, of_keys, temperatures
from jaxgan.sampling import (
    MAX_SEED,
    MAX_SEEDS,
    Asked,
    draw_images,
    draw_styles,
    format_seeds,
    make_sampler,
    make_stream,
    parse_seeds,
    seed_keys,
    to_pixels,
)
from jaxgan.spaces import truncate
from jaxgan.types import Mixture

LATENTS = normal(8)
CLASSES = 3


def conv_generator(classes=0):
    """A dense layer and two convolutions, the label as a bias of the features."""

    def conv(x, w):
        return jax.lax.conv_general_dilated(x, w, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC'))

    def init(key, z, label):
        keys = jax.random.split(key, 4)
        return {
            'dense': jax.random.normal(keys[0], (8, 4 * 4 * 12)),
            'hidden': jax.random.normal(keys[1], (3, 3, 12, 12)) / 10,
            'out': jax.random.normal(keys[2], (3, 3, 12, 3)) / 10,
            'label': jax.random.normal(keys[3], (CLASSES, 12)),
        }

    def apply(params, z, label):
        x = (z @ params['dense']).reshape(-1, 4, 4, 12)
        if isinstance(label, Mixture):
            x = x + jnp.einsum('bk,bkc->bc', label.weights, params['label'][label.classes])[:, None, None]
        elif classes:
            x = x + params['label'][label][:, None, None]
        x = jax.nn.leaky_relu(conv(x.repeat(2, axis=1).repeat(2, axis=2), params['hidden']), 0.2)
        return jnp.tanh(conv(x, params['out']))

    return from_functions(init, apply)


PLAIN, LABELLED = conv_generator(), conv_generator(CLASSES)
PARAMS, AUX = PLAIN.init(jax.random.key(1), None, None)
STYLED = PLAIN._replace(
    mapping=lambda params, aux, z, label: jnp.stack([2 * z, 2 * z], axis=1),
    synthesis=lambda params, aux, w, latents=None: (
        PLAIN.infer(params, aux, w[:, 0], None) + jnp.mean(w[:, 1])
    ),
)


@pytest.fixture(scope='module', params=[False, True], ids=['plain', 'labelled'])
def sample(request):
    """Images of seeds by chunks of 8; where there are labels, a seed's label is the seed modulo the classes."""
    if not request.param:
        return make_sampler(PLAIN, LATENTS, PARAMS, AUX, chunk=8)
    sampler = make_sampler(LABELLED, LATENTS, PARAMS, AUX, chunk=8)
    return lambda seeds: sampler(seeds, np.asarray(seeds, np.int64) % CLASSES)


class TestSeeds:
    @pytest.mark.parametrize('seed', [0, 1, 2**31 - 1, 2**31, 2**32 - 1])
    def test_a_seed_is_jax_random_key(self, seed):
        assert (jax.random.key_data(seed_keys([seed]))[0] == jax.random.key_data(jax.random.key(seed))).all()

    @pytest.mark.parametrize('seed', [-1, 2**32, 1.0, '1', None, True])
    def test_seeds_out_of_range_are_refused(self, seed):
        with pytest.raises(InputError, match='is not an integer from 0 to 4294967295'):
            seed_keys([3, seed])

    def test_arrays_of_seeds(self):
        for seeds in (np.arange(3), np.uint32([0, 1, 2]), jnp.arange(3), (0, np.int64(1), 2), range(3)):
            assert (jax.random.key_data(seed_keys(seeds)) == jax.random.key_data(seed_keys([0, 1, 2]))).all()
        with pytest.raises(InputError):
            seed_keys(np.asarray([0.0]))

    def test_seeds_give_different_images(self, sample):
        images = sample(list(range(40)))
        assert len({image.tobytes() for image in images}) == 40
        assert images.std() > 20


class TestImages:
    def test_they_are_the_generator_s(self):
        images = make_sampler(PLAIN, LATENTS, PARAMS, AUX)([5, 6])
        expected = PLAIN.infer(PARAMS, AUX, of_keys(LATENTS, seed_keys([5, 6])), None)
        assert images.dtype == np.uint8
        assert images.shape == (2, 8, 8, 3)
        assert np.abs(images.astype(int) - to_uint8(expected)).max() <= 1

    def test_labels_reach_their_seeds(self):
        sample = make_sampler(LABELLED, LATENTS, PARAMS, AUX, chunk=4)
        one = [sample([7], [label])[0].tobytes() for label in range(CLASSES)]
        assert len(set(one)) == CLASSES
        assert [image.tobytes() for image in sample([7] * 6, jnp.asarray([2, 1, 0, 0, 1, 2]))] == one[
            ::-1
        ] + one

    def test_the_same_bytes_at_every_position(self, sample):
        alone = sample([3])[0]
        for position in range(8):
            seeds = [100 + i for i in range(8)]
            seeds[position] = 3
            assert (sample(seeds)[position] == alone).all()

    def test_the_same_bytes_whatever_else_is_asked_for(self, sample):
        seeds = [MAX_SEED, 0, 9, 0, *range(20)]
        images = dict(zip(seeds, sample(seeds)))
        order = np.random.default_rng(0).permutation(seeds).tolist()
        for part in (order, order[:3], order[5:]):
            for seed, image in zip(part, sample(part)):
                assert (image == images[seed]).all()

    def test_no_seeds_are_no_images(self, sample):
        assert sample([]).shape == (0, 8, 8, 3)

    def test_other_parameters_compile_nothing(self):
        traced = []

        def apply(params, z, label):
            traced.append(1)
            return PLAIN.infer(params, {}, z, label)

        network = from_functions(lambda key, z, label: PARAMS, apply)
        for factor in (1.0, 2.0):
            params = jax.tree.map(lambda leaf: leaf * factor, PARAMS)
            make_sampler(network, LATENTS, params, AUX, chunk=4)(range(9))
        assert len(traced) == 1

    @pytest.mark.parametrize('labels', [[0], [0, 1, 2], [[0, 1]], [0.0, 1.0]])
    def test_labels_that_do_not_match_are_refused(self, labels):
        with pytest.raises(InputError, match='labels must be 2 integers, one a seed'):
            make_sampler(LABELLED, LATENTS, PARAMS, AUX)([0, 1], labels)

    @pytest.mark.parametrize('label', [-1, CLASSES, 2**40])
    def test_classes_that_do_not_exist_are_refused(self, label):
        sample = make_sampler(LABELLED, LATENTS, PARAMS, AUX, classes=CLASSES)
        message = f'label {label} is out of range: this generator has {CLASSES} classes'
        with pytest.raises(InputError, match=re.escape(message)):
            sample([1, 2], [0, label])
        with pytest.raises(InputError, match=re.escape(message)):
            sample([1], Mixture(np.asarray([[0, label]]), np.full((1, 2), 0.5)))
        with pytest.raises(InputError, match='label 0 is out of range: this generator has 0 classes'):
            make_sampler(PLAIN, LATENTS, PARAMS, AUX, classes=0)([1], [0])

    def test_chunks_are_positive(self):
        with pytest.raises(InputError, match='chunk 0 is not positive'):
            make_sampler(PLAIN, LATENTS, PARAMS, AUX, chunk=0)

    def test_bytes_on_the_device_are_those_on_the_host(self):
        x = np.concatenate(
            [np.linspace(-1.2, 1.2, 1001, dtype=np.float32), np.float32([np.nan, np.inf, -np.inf])]
        )
        assert (np.asarray(jax.jit(to_pixels)(x)) == to_uint8(x)).all()


class TestAsked:
    def test_a_temperature_scales_latents(self):
        scale = temperatures(8, 2, 0.5)
        assert scale.tolist() == [0.5] * 6 + [1.0] * 2
        images = make_sampler(PLAIN, LATENTS, PARAMS, AUX, asked=Asked(scale), chunk=4)([5, 6])
        z = of_keys(LATENTS, seed_keys([5, 6])) * scale[None]
        assert np.abs(images.astype(int) - to_uint8(PLAIN.infer(PARAMS, AUX, z, None))).max() <= 1

    @pytest.mark.slow
    def test_psi_pulls_to_the_nearest_or_to_the_class_s_centre(self):
        z = of_keys(LATENTS, seed_keys([1, 2, 3]))
        w = STYLED.mapping(PARAMS, AUX, z, None)
        centers = jnp.stack([w[0, 0] + 0.1, w[2, 0] - 0.1])
        near = draw_styles(STYLED, PARAMS, AUX, z, None, Asked(psi=0.5, cutoff=1, centers=centers))
        np.testing.assert_array_equal(near[:, 1], w[:, 1])
        np.testing.assert_allclose(near[0, 0], w[0, 0] + 0.05, rtol=1e-5)
        np.testing.assert_allclose(near[2, 0], w[2, 0] - 0.05, rtol=1e-5)
        label = jnp.asarray([1, 0, 1])
        own = draw_styles(STYLED, PARAMS, AUX, z, label, Asked(psi=0.0, classes=centers))
        np.testing.assert_allclose(own[:, 1], centers[label], rtol=1e-5)
        mixed = Mixture(
            jnp.tile(jnp.asarray([[0, 1]]), (3, 1)), jnp.tile(jnp.asarray([[0.25, 0.75]]), (3, 1))
        )
        both = draw_styles(STYLED, PARAMS, AUX, z, mixed, Asked(psi=0.0, classes=centers))
        np.testing.assert_allclose(both[1, 0], 0.25 * centers[0] + 0.75 * centers[1], rtol=1e-5)

    def test_images_are_synthesized_from_truncated_styles(self):
        asked = Asked(psi=0.3, centers=jnp.ones((1, 8)))
        z = of_keys(LATENTS, seed_keys([1, 2]))
        w = truncate(STYLED.mapping(PARAMS, AUX, z, None), jnp.ones(8), 0.3)
        np.testing.assert_allclose(
            draw_images(STYLED, PARAMS, AUX, z, None, asked),
            STYLED.synthesis(PARAMS, AUX, w),
            rtol=1e-4,
            atol=1e-5,
        )

    def test_other_values_compile_nothing(self):
        traced = []

        def infer(params, aux, z, label):
            traced.append(1)
            return PLAIN.infer(params, aux, z, label)

        network = PLAIN._replace(infer=infer)
        for temperature in (0.5, 0.7):
            asked = Asked(temperatures(8, 0, temperature))
            make_sampler(network, LATENTS, PARAMS, AUX, asked=asked, chunk=4)(range(5))
        assert len(traced) == 1

    def test_mixtures_reach_their_seeds(self):
        sample = make_sampler(LABELLED, LATENTS, PARAMS, AUX, chunk=4)
        pure = sample([7, 8, 9, 10, 11], np.full(5, 2))
        classes = np.tile([[0, 2]], (5, 1))
        np.testing.assert_array_equal(
            sample(range(7, 12), Mixture(classes, np.tile([[0.0, 1.0]], (5, 1)))), pure
        )
        half = sample(range(7, 12), Mixture(classes, np.tile([[0.5, 0.5]], (5, 1))))
        assert (half != pure).any(axis=(1, 2, 3)).all()
        with pytest.raises(InputError, match=r'a mixture needs classes and weights \[4, k\]'):
            sample(range(4), Mixture(classes, classes))


def test_a_stream_takes_parts_as_it_needs_them():
    drawn = []

    def endless():
        for i in range(1_000):
            drawn.append(i)
            yield np.full(2 + i % 2, i)

    stream = make_stream(lambda weights, part: {'sum': part + weights}, np.int64(10), 3, jax.devices()[:1])(
        endless()
    )
    assert [next(stream)['sum'].tolist() for _ in range(3)] == [[10, 10], [11, 11, 11], [12, 12]]
    assert len(drawn) == 5


DEVICES = """
import jax, numpy as np, test_sampling as t
from jaxgan.sampling import make_sampler
assert jax.device_count() == 4
labels = np.arange(30) % t.CLASSES
images = [make_sampler(t.LABELLED, t.LATENTS, t.PARAMS, t.AUX, chunk=4, devices=devices)(range(30), labels)
          for devices in (None, jax.devices()[:1], jax.devices()[1:3])]
assert len({array.tobytes() for array in images}) == 1
asked = t.Asked(t.temperatures(8, 0, 0.5))
images = [make_sampler(t.LABELLED, t.LATENTS, t.PARAMS, t.AUX, asked=asked, chunk=4, devices=devices)(range(30), labels)
          for devices in (None, jax.devices()[:1])]
assert (images[0] == images[1]).all()
sample = make_sampler(t.LABELLED, t.LATENTS, t.PARAMS, t.AUX, devices=jax.devices()[:1])  # the default chunk
for position in range(32):
    seeds = np.roll(range(100, 132), position)
    assert (np.roll(sample(seeds, seeds % t.CLASSES), -position, axis=0)
            == sample(range(100, 132), np.arange(100, 132) % t.CLASSES)).all()
"""


@pytest.mark.multiprocess
def test_the_same_bytes_on_any_number_of_devices_and_at_any_position():
    """In a process of its own also because the suite's XLA optimizes less than a user's (conftest.py)."""
    flags = {'XLA_FLAGS': '--xla_force_host_platform_device_count=4', 'JAX_PLATFORMS': 'cpu'}
    subprocess.run(
        [sys.executable, '-c', DEVICES], env=os.environ | flags, cwd=os.path.dirname(__file__), check=True
    )


class TestParsing:
    @pytest.mark.parametrize(
        ('text', 'seeds'),
        [
            ('7', [7]),
            ('0-3', [0, 1, 2, 3]),
            ('5,0-2,5, 1', [5, 0, 1, 2, 5, 1]),
            ('4-4', [4]),
            ('4294967295', [MAX_SEED]),
        ],
    )
    def test_lists_and_ranges(self, text, seeds):
        assert parse_seeds(text) == seeds

    @pytest.mark.parametrize('text', ['', ',', '1,', '-1', '1-', '1-2-3', '0x1', '1.5', 'a', '1;2', '１'])
    def test_anything_else_is_refused(self, text):
        with pytest.raises(
            InputError, match=r"cannot read seeds at '.*'; wanted numbers and ranges like '0-63,100'"
        ):
            parse_seeds(text)

    @pytest.mark.parametrize('text', ['3-1', '4294967296', '0-9999999999'])
    def test_ranges_ascend_within_the_seeds(self, text):
        with pytest.raises(InputError, match='must ascend and lie in 0 to 4294967295'):
            parse_seeds(text)

    def test_written_as_they_are_read(self):
        assert parse_seeds(format_seeds([5, 0, 1, 2, 9, 8])) == [5, 0, 1, 2, 9, 8]
        assert format_seeds([]) == ''
        long = format_seeds(range(0, 10_000, 2))
        assert len(long) <= 4_000
        assert long.endswith(',...')

    def test_a_million_at_most(self):
        assert len(parse_seeds(f'1-{MAX_SEEDS}')) == MAX_SEEDS
        for text in ('0-1000000', '0-999999,7', '0-4294967295'):
            with pytest.raises(InputError, match='more than 1,000,000 seeds at'):
                parse_seeds(text)
