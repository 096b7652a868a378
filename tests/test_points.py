"""Points: where the modes lie, how far points deviate, what is refused, how modes are counted, where dots are drawn."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from runs import tiny

from jaxgan import images
from jaxgan.data import DataConfig, open_feed, open_source, prepare, read_all, shuffled_index, summary
from jaxgan.data.points import SIGMA, centres
from jaxgan.errors import InputError
from jaxgan.modelconfig import MLP
from jaxgan.models.mlp import MLPDiscriminator, MLPGenerator
from jaxgan.networks import from_linen
from jaxgan.run.trainer import make_trainer
from jaxgan.run.training import train


def test_modes_lie_on_a_ring_and_on_a_grid():
    ring = centres('points:ring8')
    np.testing.assert_allclose(np.linalg.norm(ring, axis=1), 0.8, rtol=1e-6)
    np.testing.assert_allclose(ring[2], [0.0, 0.8], atol=1e-6)
    grid = centres('points:grid25')
    np.testing.assert_allclose(grid[[0, 1, 5, 24]], [[-0.8, -0.8], [-0.8, -0.4], [-0.4, -0.8], [0.8, 0.8]])
    for modes in (centres('points:ring25'), grid):
        assert len(np.unique(modes.round(4), axis=0)) == 25
        distances = np.linalg.norm(modes[:, None] - modes[None], axis=-1) + 9 * np.eye(25)
        assert distances.min() > 10 * SIGMA  # modes do not overlap


@pytest.mark.parametrize('name', ['points:ring8', 'points:grid25'])
def test_points_deviate_normally_from_the_centre_of_their_mode(name):
    source = open_source(DataConfig(name, split='test'))
    arrays, modes = read_all(source), centres(name)
    assert arrays['image'].dtype == np.float32 and arrays['image'].shape == (10_000, 1, 1, 2)
    deviations = arrays['image'].reshape(-1, 2) - modes[arrays['label']]
    np.testing.assert_allclose(deviations.std(axis=0), SIGMA, rtol=0.03)
    np.testing.assert_allclose(np.corrcoef(deviations.T)[0, 1], 0, atol=0.04)
    counts = np.bincount(arrays['label'])
    assert len(counts) == len(modes) and np.ptp(counts) <= 1
    np.testing.assert_array_equal(arrays['label'], source.labels())


def test_points_are_the_same_each_time():
    """NumPy promises that these bits never change; another value here would be another data set."""
    first = open_source(DataConfig('points:ring25'))[0]
    np.testing.assert_allclose(first['image'][0, 0], [0.83528105, 0.00800314], rtol=1e-6)
    again, test = (
        read_all(open_source(DataConfig('points:ring25', split=split))) for split in ('train[:50]', 'test')
    )
    np.testing.assert_array_equal(again['image'][0], first['image'])
    assert len(test['image']) == 10_000
    assert (test['image'][:50] != again['image']).all()


def test_a_slice_keeps_points_with_their_modes():
    part = read_all(open_source(DataConfig('points:ring25', split='train[30:33]')))
    whole = open_source(DataConfig('points:ring25'))
    assert part['label'].tolist() == [5, 6, 7]
    np.testing.assert_array_equal(part['image'][2], whole[32]['image'])


@pytest.mark.parametrize(
    ('config', 'message'),
    [
        (
            DataConfig('points:rings25'),
            r"unknown points 'points:rings25' \(allowed: points:ringN.*points:gridN",
        ),
        (DataConfig('points:grid24'), 'N a square from 4 on'),
        (DataConfig('points:ring0'), 'N from 1 to 9999'),
        (
            DataConfig('points:ring8', split='val'),
            r"unknown split of points:ring8 'val'.*allowed: train, test",
        ),
        (DataConfig('points:ring8', size=32), 'data.size 32 means nothing to points:ring8'),
        (DataConfig('points:ring8', flip=True), 'data.flip True means nothing'),
        (DataConfig('points:ring8', label='x'), "data.label 'x' means nothing"),
    ],
)
def test_what_means_nothing_is_refused(config, message):
    with pytest.raises(InputError, match=message):
        open_source(config)


def test_points_without_labels_and_in_words():
    source = open_source(DataConfig('points:ring8', label='none'))
    assert source.info.classes == () and source.labels().shape == (0,) and set(source[0]) == {'image'}
    cells = [list(column.cells) for column in summary(source).columns]
    assert str(cells[1][0]) == '100,000, 1x1 pixels, 2 channels of float32'


@pytest.mark.parametrize('residence', ['device', 'stream'])
def test_feeds_bring_floats_as_they_are(residence):
    config = DataConfig('points:ring8', split='train[:500]', residence=residence)
    source = open_source(config)
    feed = open_feed(source, config, batch_size=4, seed=3)
    data = feed.take(5, 2)
    batch = feed.batch(data, jnp.int32(6), jnp.int32(1))
    feed.close()
    shapes = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), dict(feed.abstract(2)))
    assert shapes == jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), dict(data))
    chosen = shuffled_index(3, np.arange(24, 28), 500)
    expected = np.stack([source[i]['image'] for i in chosen])
    np.testing.assert_array_equal(batch['image'], expected)
    prepared = prepare(jax.random.key(0), batch, flip=False)
    np.testing.assert_array_equal(prepared['image'], expected)
    assert prepared['image'].dtype == jnp.float32


def test_a_scatter_plot_puts_every_point_in_its_place():
    shown = images.picture(np.array([[0, 0], [255, 255], [10, 200]], np.uint8).reshape(3, 1, 1, 2))
    assert shown.shape == (527, 527, 3)
    expected = np.zeros((527, 527), bool)
    for column, row in ((8, 518), (518, 8), (28, 118)):  # 8 + 2 x, 8 + 2 (255 - y)
        expected[row - 1 : row + 2, column - 1 : column + 2] = True
    np.testing.assert_array_equal((shown < 255).any(axis=-1), expected)
    twice = images.scatter(np.zeros((2, 2), np.uint8))
    assert (twice[518, 8] < shown[518, 8]).all()  # two points on one place are darker than one


def test_pictures_follow_the_shape():
    x = np.arange(2 * 4 * 4 * 2, dtype=np.uint8).reshape(2, 4, 4, 2)
    np.testing.assert_array_equal(images.picture(x)[..., :2], images.grid(x))
    assert (images.visible(x)[..., 2] == 0).all()
    rgb = x[..., [0, 1, 0]]
    np.testing.assert_array_equal(images.picture(rgb, 1, 3), images.grid(rgb, 1, scale=3))
    one = np.full((4, 1, 1, 1), 7, np.uint8)
    np.testing.assert_array_equal(images.picture(one), images.grid(one))


@pytest.mark.slow
@pytest.mark.parametrize(('size', 'channels', 'classes'), [(1, 2, 0), (3, 4, 5)])
def test_an_mlp_is_its_formula(size, channels, classes, key):
    g = from_linen(MLPGenerator(size, channels, 8, 2, classes))
    d = from_linen(MLPDiscriminator(size, channels, 8, 2, fourier=3, scale=0.5, classes=classes))
    z, label = jax.random.normal(key, (4, 6)), jnp.arange(4) if classes else None
    g_params, _ = g.init(key, z, label)
    x = g.infer(g_params, {}, z, label)
    assert x.shape == (4, size, size, channels)
    params, aux = jax.tree.map(np.asarray, d.init(key, x, label))
    frequencies = np.asarray(aux['constants']['frequencies'])
    assert frequencies.shape == (size**2 * channels, 3) and 0.1 < frequencies.std() < 1.0
    flat = np.asarray(x).reshape(4, -1)
    angles = 2 * np.pi * flat @ frequencies
    h = np.concatenate([flat, np.sin(angles), np.cos(angles)], axis=1)
    for i in range(2):
        h = h @ params[f'Dense_{i}']['kernel'] + params[f'Dense_{i}']['bias']
        h = np.where(h > 0, h, 0.2 * h)
    expected = (h @ params['Dense_2']['kernel'])[:, 0]
    if classes:
        expected = expected + (h * params['Embed_0']['embedding'][label]).sum(axis=1)
    logits, carried = jax.jit(d.apply)(params, aux, x, label)
    np.testing.assert_allclose(logits, expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(carried['constants']['frequencies'], frequencies)  # never trained


@pytest.mark.slow
def test_a_run_on_points_draws_a_plot(tmp_path):
    config = tiny(
        'none', data=DataConfig('points:ring8', split='train[:64]'), model=MLP(4, 8, d_fourier=4), images=16
    )
    source = open_source(config.data)
    assert train(make_trainer(dataclasses.replace(config, grid=3), source), tmp_path / 'run') == 0
    with images.Image.open(tmp_path / 'run/samples/000000016.png') as shown:
        assert shown.size == (527, 527)
