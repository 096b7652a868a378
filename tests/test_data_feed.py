"""Feeds: the same batches from the device and from a stream, from any step on, and pixels prepared for networks."""

import threading

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from jaxgan.data.config import DataConfig
from jaxgan.data.feed import device_feed, open_feed, prepare, stream_feed
from jaxgan.data.order import shuffled_index
from jaxgan.data.source import DataInfo, read_all
from jaxgan.errors import InputError


class Numbers:
    """Images that all show their own number, with the number modulo 3 as the label."""

    def __init__(self, count, labelled=True, broken=()):
        self.info = DataInfo(
            name='numbers',
            split='train',
            count=count,
            size=2,
            channels=1,
            classes=('a', 'b', 'c') if labelled else (),
        )
        self.broken, self.read = broken, []

    def __len__(self):
        return self.info.count

    def __getitem__(self, index):
        if index in self.broken:
            raise InputError(f'image {index}: cut short')
        self.read.append(index)
        sample = {'image': np.full((2, 2, 1), index, np.uint8)}
        return sample | {'label': np.int32(index % 3)} if self.info.classes else sample

    def labels(self):
        return np.arange(len(self), dtype=np.int32) % 3


def steps(feed, first, count):
    """Take a dispatch of steps, and cut their batches out of it on the device."""
    cut = jax.jit(feed.batch)
    data = feed.take(first, count)
    with jax.transfer_guard('allow'):
        numbers = [(jnp.int32(first + i), jnp.int32(i)) for i in range(count)]
    with jax.transfer_guard('disallow'):
        batches = [cut(data, *pair) for pair in numbers]
    return jax.device_get(batches)


@pytest.fixture
def opened():
    feeds = []

    def keep(feed):
        feeds.append(feed)
        return feed

    yield keep
    for feed in feeds:
        feed.close()


def expected(seed, step, batch_size, count):
    return shuffled_index(seed, np.arange(batch_size) + step * batch_size, count)


@pytest.mark.parametrize('count', [1, 3, 16, 50])
def test_device_and_stream_agree(opened, count):
    source = Numbers(count)
    on_device = opened(device_feed(read_all(source), batch_size=8, seed=5))
    streamed = opened(stream_feed(source, batch_size=8, seed=5))
    for first, number in ((0, 3), (3, 2), (100, 2), (1, 1)):
        for i, (a, b) in enumerate(zip(steps(on_device, first, number), steps(streamed, first, number))):
            images = expected(5, first + i, 8, count)
            assert a['image'].dtype == b['image'].dtype == np.uint8
            assert a['label'].dtype == b['label'].dtype == np.int32
            assert a['image'].shape == (8, 2, 2, 1)
            np.testing.assert_array_equal(a['image'], b['image'])
            np.testing.assert_array_equal(a['label'], b['label'])
            np.testing.assert_array_equal(a['image'][:, 0, 0, 0], images)
            np.testing.assert_array_equal(a['label'], images % 3)


def test_without_labels(opened):
    source = Numbers(5, labelled=False)
    for feed in (
        device_feed(read_all(source), batch_size=2, seed=0),
        stream_feed(source, batch_size=2, seed=0),
    ):
        assert set(steps(opened(feed), 0, 1)[0]) == {'image'}


@pytest.mark.parametrize('residence', ['device', 'stream'])
def test_shapes_are_known_before_anything_is_read(opened, residence):
    source = Numbers(10, broken=set(range(10)))  # no image of it can be read
    config = DataConfig(residence=residence)
    shapes = opened(open_feed(source, config, batch_size=4, seed=0)).abstract(3)
    data = opened(open_feed(Numbers(10), config, batch_size=4, seed=0)).take(0, 3)
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), shapes) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), data
    )


def test_loading_reads_what_stays_on_the_device_and_nothing_of_a_stream(opened):
    source = Numbers(10, broken={7})
    opened(open_feed(source, DataConfig(residence='stream'), batch_size=4, seed=0)).load()
    with pytest.raises(InputError, match='7'):
        opened(open_feed(source, DataConfig(residence='device'), batch_size=4, seed=0)).load()


def test_an_epoch_shows_every_image_once(opened):
    feed = opened(device_feed(read_all(Numbers(24)), batch_size=8, seed=0))
    seen = np.concatenate([batch['image'][:, 0, 0, 0] for batch in steps(feed, 3, 3)])
    assert sorted(seen) == list(range(24))


def test_late_steps_do_not_overflow(opened):
    feed = opened(device_feed(read_all(Numbers(50)), batch_size=64, seed=0))
    step = 2**31 // 64 + 5
    np.testing.assert_array_equal(steps(feed, step, 1)[0]['image'][:, 0, 0, 0], expected(0, step, 64, 50))


def test_the_images_are_put_on_the_device_once(opened):
    feed = opened(device_feed(read_all(Numbers(5)), batch_size=2, seed=0))
    assert feed.take(0, 4)['image'] is feed.take(4, 4)['image']


def test_scan_over_a_dispatch(opened):
    source = Numbers(50)
    for feed in (
        device_feed(read_all(source), batch_size=4, seed=1),
        stream_feed(source, batch_size=4, seed=1),
    ):
        opened(feed)

        @jax.jit
        def run(data, first, batch=feed.batch):
            def body(step, i):
                return step + 1, batch(data, step, i)['image'][:, 0, 0, 0]

            return jax.lax.scan(body, first, jnp.arange(3))[1]

        found = run(feed.take(7, 3), jnp.int32(7))
        np.testing.assert_array_equal(found, [expected(1, 7 + i, 4, 50) for i in range(3)])


def test_steps_in_sequence_do_not_start_anew(opened):
    source = Numbers(40)
    feed = opened(stream_feed(source, batch_size=4, seed=0, threads=1))
    for first in range(0, 20, 2):
        feed.take(first, 2)
    assert source.read[:80] == shuffled_index(0, np.arange(80), 40).tolist()


def test_the_stream_reads_ahead(opened):
    source = Numbers(40)
    feed = opened(stream_feed(source, batch_size=4, seed=0))
    feed.take(0, 1)
    for _ in range(100):
        if len(source.read) >= 16:
            break
        threading.Event().wait(0.05)
    assert len(source.read) >= 16


def test_a_broken_image_is_named_and_the_stream_goes_on_elsewhere(opened):
    bad = int(shuffled_index(0, 5, 40))
    feed = opened(stream_feed(Numbers(40, broken={bad}), batch_size=4, seed=0))
    assert len(steps(feed, 0, 1)) == 1
    with pytest.raises(InputError, match=f'image {bad}: cut short'):
        feed.take(1, 1)
    steps(feed, 2, 1)


def test_closing_stops_the_threads():
    before = threading.active_count()
    feed = stream_feed(Numbers(40), batch_size=4, seed=0)
    feed.close()
    feed.take(0, 1)
    feed.close()
    feed.close()
    for _ in range(100):
        if threading.active_count() <= before:
            break
        threading.Event().wait(0.02)
    assert threading.active_count() <= before


def test_residence_decides(opened, monkeypatch):
    def resident(source, residence):
        feed = opened(open_feed(source, DataConfig(residence=residence), batch_size=4, seed=0))
        return feed.take(0, 2)['image'].shape == (50, 2, 2, 1)

    source = Numbers(50)
    assert resident(source, 'auto')
    assert resident(source, 'device')
    assert not resident(source, 'stream')
    monkeypatch.setattr('jaxgan.data.feed.RESIDENT_BYTES', 199)
    assert not resident(source, 'auto')
    assert resident(source, 'device')


def test_data_go_where_they_are_told(opened):
    mesh = jax.make_mesh((1,), ('data',), axis_types=(jax.sharding.AxisType.Auto,))
    source, config = Numbers(5), DataConfig(residence='stream')
    batches = opened(open_feed(source, config, batch_size=2, seed=0, mesh=mesh)).take(0, 3)
    assert batches['image'].sharding == NamedSharding(mesh, PartitionSpec(None, 'data'))
    images = opened(open_feed(source, DataConfig(), batch_size=2, seed=0, mesh=mesh)).take(0, 3)
    assert images['image'].sharding == NamedSharding(mesh, PartitionSpec())


def test_pixels_become_floats(key):
    image = jnp.asarray(np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1))
    found = jax.jit(lambda batch: prepare(key, batch, flip=False))(
        {'image': image, 'label': jnp.zeros(1, jnp.int32)}
    )
    assert found['image'].dtype == jnp.float32
    np.testing.assert_allclose(found['image'].ravel(), np.arange(256) / 127.5 - 1, atol=1e-7)
    assert float(found['image'].min()) == -1
    assert float(found['image'].max()) == 1
    assert found['label'].tolist() == [0]
    back = np.round((np.asarray(found['image']) + 1) * 127.5).astype(np.uint8)
    np.testing.assert_array_equal(back, image)


def test_half_of_the_images_are_mirrored(key):
    row = jnp.tile(jnp.array([[0, 255]], jnp.uint8)[None, :, :, None], (2000, 1, 1, 1))
    found = prepare(key, {'image': row}, flip=True)['image'][:, 0, :, 0]
    mirrored = np.asarray(found[:, 0] == 1)
    np.testing.assert_array_equal(found, np.where(mirrored[:, None], [1, -1], [-1, 1]))
    assert abs(mirrored.mean() - 0.5) < 0.05
    other = prepare(jax.random.key(1), {'image': row}, flip=True)['image'][:, 0, 0, 0]
    assert not np.array_equal(mirrored, np.asarray(other == 1))


def test_mirroring_does_not_depend_on_the_batch(key):
    images = jnp.asarray(np.random.default_rng(0).integers(0, 256, (8, 2, 2, 3), np.uint8))
    whole = prepare(key, {'image': images}, flip=True)['image']
    np.testing.assert_array_equal(prepare(key, {'image': images[:3]}, flip=True)['image'], whole[:3])
