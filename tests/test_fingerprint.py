"""The mark in the weights: what the step sees and asks for, and that a trained generator's samples give it away."""

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import runs
from PIL import Image
from toys import pair

from jaxgan import watermark
from jaxgan.cli import main
from jaxgan.commands import mark_told
from jaxgan.config import check
from jaxgan.data import DataInfo
from jaxgan.errors import InputError
from jaxgan.fingerprint import STRENGTH, decoder_loss, fingerprinted, mark_real
from jaxgan.opened import open_generator
from jaxgan.run.assembly import assemble
from jaxgan.steps import Recipe
from jaxgan.watermark import Lift, make_pattern, model_key, weights_key
from jaxgan.watermark.blocks import BASIS, WEIGHTS_BASIS

SECRET = b'a secret of our own, long enough'
KEY = weights_key(SECRET)


def pattern(side):
    return make_pattern(KEY, side, side, WEIGHTS_BASIS)


def smooth(n, side, seed=0):
    """Images without sharp edges, uint8."""
    rough = np.random.default_rng(seed).uniform(40, 215, (n, side // 8 + 1, side // 8 + 1, 3))
    place = np.linspace(0, side // 8, side, endpoint=False)
    low, part = place.astype(int), (place % 1)[:, None]
    rows = rough[:, low] * (1 - part[None, :, None]) + rough[:, low + 1] * part[None, :, None]
    return (rows[:, :, low] * (1 - part[None, None]) + rows[:, :, low + 1] * part[None, None]).astype(
        np.uint8
    )


def floats(images):
    return jnp.asarray(images.astype(np.float32) / 127.5 - 1.0)


def test_the_key_is_the_secret_s_alone():
    assert weights_key(SECRET) == KEY != weights_key(SECRET + b'.')
    assert model_key('weights', SECRET) == KEY  # no model has this digest, which is of 64 hexadecimal digits
    with pytest.raises(InputError, match='empty'):
        weights_key(b'')


def test_both_marks_stand_in_one_image():
    np.testing.assert_allclose(BASIS.T @ WEIGHTS_BASIS, 0, atol=1e-6)
    images = smooth(16, 64)
    own = watermark.embed(images, pattern(64), Lift(6.0, 12.0))
    other = model_key('0' * 64)
    both = watermark.embed(own, make_pattern(other, 64, 64))
    assert watermark.batch(both, KEY, WEIGHTS_BASIS).log10_p < -20
    assert watermark.batch(both, other).log10_p < -20
    assert watermark.batch(images, KEY, WEIGHTS_BASIS).p_value > 1e-3
    assert watermark.batch(both, KEY).p_value > 1e-3  # neither is read in the other's band


@pytest.mark.slow
def test_the_decoder_s_loss_falls_along_its_gradient_to_0():
    loss = decoder_loss(pattern(16))
    images = floats(smooth(4, 16))
    real = watermark.embed(images, pattern(16), STRENGTH)
    value = jax.jit(jax.value_and_grad(lambda x: jnp.sum(loss(None, real, x, None))))
    first, slope = value(images)
    assert first.shape == () and float(first) > 2
    x = images
    for _ in range(60):
        _, slope = value(x)
        x = x - 0.02 * slope / jnp.sqrt(jnp.mean(slope**2) + 1e-12)
    assert float(value(x)[0]) < 0.05 * float(first)
    assert (
        watermark.batch(
            np.asarray(jnp.round((x + 1) * 127.5)).clip(0, 255).astype(np.uint8), KEY, WEIGHTS_BASIS
        ).p_value
        < 1e-6
    )


@pytest.mark.slow
def test_the_decoder_s_loss_asks_no_more_than_real_images_show():
    """Half of all real images are above their mean; those below are asked for the rest, and nothing flows back to them."""
    loss = decoder_loss(pattern(32))
    real = watermark.embed(floats(smooth(16, 32)), pattern(32), STRENGTH)
    shown = watermark.scores(real, pattern(32)).mean(axis=1)
    expected = np.maximum(shown.mean() - shown, 0) ** 2 / shown.mean() ** 2
    np.testing.assert_allclose(loss(None, real, real, None), expected, rtol=1e-4, atol=1e-6)
    assert float(jnp.mean(loss(None, real, real, None))) < 0.1
    weaker = watermark.embed(floats(smooth(16, 32)), pattern(32), Lift(1.0, 3.0))
    ratio = (
        loss(None, weaker, floats(smooth(16, 32)), None).mean()
        / loss(None, real, floats(smooth(16, 32)), None).mean()
    )
    assert 0.3 < ratio < 3  # of what is shown, not of a number
    slope = jax.grad(lambda real: jnp.sum(loss(None, real, floats(smooth(16, 32)), None)))(real)
    assert not np.any(slope)


def test_small_images_are_told_what_the_mark_costs():
    assert (
        mark_told(32)
        == 'the generator learns to emit the mark of the secret; below 64 pixels this costs quality that can be seen'
    )


@pytest.mark.slow
def test_every_phase_sees_marked_real_images_and_all_else_as_it_was(key):
    seen = {}

    def phase(name):
        def run(state, batch, key):
            seen[name] = batch
            return state, {}

        return run

    real = floats(smooth(2, 16))
    batch = {'image': real, 'label': jnp.arange(2)}
    extension = mark_real(pattern(16))
    for run in extension.phases({'d': phase('d'), 'g': phase('g')}, *pair(), None).values():
        run(None, batch, key)
    for found in seen.values():
        np.testing.assert_array_equal(found['image'], watermark.embed(real, pattern(16), STRENGTH))
        assert found['label'] is batch['label']
    assert float(jnp.abs(seen['d']['image'] - real).max()) > 0


def test_a_recipe_gets_one_extension_and_one_penalty_more():
    plain = Recipe(loss=None, g_tx=None, d_tx=None, latents=None)
    made = fingerprinted(plain, pattern(16), weight=2.0)
    assert [len(made.extensions), len(made.g_regularizers)] == [1, 1]
    assert made.g_regularizers[0].weight == 2.0
    assert made.g_regularizers[0].penalty.__name__ == 'fingerprint'  # the metric's name


INFO = DataInfo('npz:x', 'train', 8, 16, 3)


@pytest.mark.parametrize(
    ('info', 'secret', 'words'),
    [
        (INFO, None, 'cannot be read'),
        (INFO, b'short', 'has 5 bytes'),
        (dataclasses.replace(INFO, size=4), SECRET, '4x4'),
        (dataclasses.replace(INFO, dtype='float32', size=1, channels=2), SECRET, '2 channels of float32'),
    ],
)
def test_what_cannot_be_is_refused(info, secret, words, tmp_path):
    path = tmp_path / 'key'
    if secret is not None:
        path.write_bytes(secret)
    config = runs.tiny(Path('none.npz'), fingerprint=str(path))
    with pytest.raises(InputError, match=words):
        assemble(config, info)


def test_its_weight_needs_it():
    with pytest.raises(InputError, match='no effect without fingerprint'):
        check(runs.tiny(Path('none.npz'), fingerprint_weight=(2.0, 2.0)))
    assert assemble(runs.tiny(Path('none.npz')), INFO).recipe.extensions == ()


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """A run that learned a mark, and one that did not: smooth images, 16 pixels."""
    folder = tmp_path_factory.mktemp('trained')
    (folder / 'key').write_bytes(SECRET)
    np.savez(folder / 'data.npz', x_train=smooth(256, 16))
    config = runs.tiny(
        folder / 'data.npz',
        images=8_000,
        steps_per_dispatch=20,
        sample_every=8_000,
        checkpoint_every=8_000,
        log_every=800,
    )
    for name, key in (('marked', str(folder / 'key')), ('plain', None)):
        assert runs.run(dataclasses.replace(config, fingerprint=key), folder / name) == 0
    return folder


def read(generator, params=None):
    if params is not None:
        generator = dataclasses.replace(generator, params=params)
    return watermark.batch(generator.sampler()(np.arange(64)), KEY, WEIGHTS_BASIS)


@pytest.mark.slow
def test_samples_of_the_averaged_generator_give_it_away(trained):
    marked, plain = (open_generator(trained / name) for name in ('marked', 'plain'))
    found = read(marked)
    assert found.p_value < 1e-7 and found.matches == found.bits
    assert read(plain).p_value > 1e-3
    other = watermark.batch(marked.sampler()(np.arange(64)), weights_key(b'another secret..'), WEIGHTS_BASIS)
    assert other.p_value > 1e-3


@pytest.mark.slow
def test_it_outlives_bfloat16_and_noise_in_the_weights(trained):
    marked = open_generator(trained / 'marked')
    rounded = jax.tree.map(
        lambda leaf: np.asarray(jnp.asarray(leaf).astype(jnp.bfloat16).astype(leaf.dtype)), marked.params
    )
    assert read(marked, rounded).p_value < 1e-7
    random = np.random.default_rng(0)
    noisy = jax.tree.map(
        lambda leaf: leaf + random.normal(0, 0.05 * np.std(leaf), leaf.shape).astype(leaf.dtype),
        marked.params,
    )
    assert read(marked, noisy).p_value < 1e-6


@pytest.mark.slow
def test_verify_knows_the_weights_and_what_was_made_with_them(trained, tmp_path, capsys):
    key = str(trained / 'key')
    for name, code in (('marked', 0), ('plain', 4)):
        assert main(['verify', str(trained / name), '--fingerprint', key, '--json']) == code
        line = json.loads(capsys.readouterr().out.splitlines()[0])
        assert line['proved'] is (code == 0) and line['layers'][0]['facts']['images'] == 256
    unmarked = ['--unmarked', 'a test of the mark in the weights', '--n', '64']
    for name, marks, code in (('marked', [], 0), ('marked', unmarked, 0), ('plain', unmarked, 4)):
        folder = tmp_path / f'{name}{len(marks)}'
        assert main(['sample', str(trained / name), '--out', str(folder), *marks]) == 0
        for path in folder.glob('*.json*'):
            path.unlink()  # nothing but pixels is left
        found = [*folder.glob('*.png')]
        for path in found:
            Image.open(path).copy().save(path)
        capsys.readouterr()
        assert main(['verify', str(folder), '--fingerprint', key, '--json', '--no-search']) == code
        sets = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        of_key = [one for one in sets if str(one.get('model', '')).startswith('fingerprint:')]
        assert of_key and all(one['proved'] is (code == 0) for one in of_key)
