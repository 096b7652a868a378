"""Stacked data: each channel is an image of the set, the label is their number, nothing is drawn anew."""

import pathlib

import numpy as np
import pytest

from jaxgan.data import DataConfig, open_source, read_all
from jaxgan.errors import InputError

MNIST = pathlib.Path(__file__).parents[2] / 'shared' / 'data' / 'mnist.npz'
COUNT = 40
X = np.random.default_rng(0).integers(1, 256, (COUNT, 6, 6), np.uint8)
Y = np.arange(COUNT) % 4


@pytest.fixture
def name(tmp_path):
    path = tmp_path / 'grey.npz'
    np.savez(path, x_train=X, y_train=Y, x_test=X[:8], y_test=Y[:8])
    return f'npz:{path}'


@pytest.mark.parametrize(
    ('prefix', 'depth'), [('stacked', 3), ('stacked3', 3), ('stacked2', 2), ('stacked1', 1)]
)
def test_channels_are_images_with_zeros_around_and_labels_their_number(name, prefix, depth):
    source = open_source(DataConfig(f'{prefix}:{name}'))
    arrays = read_all(source)
    assert arrays['image'].shape == (COUNT, 8, 8, depth)
    assert (source.info.size, source.info.channels, len(source.info.classes)) == (8, depth, 4**depth)
    inside = np.zeros((8, 8), bool)
    inside[1:7, 1:7] = True
    np.testing.assert_array_equal(
        arrays['image'] > 0, np.broadcast_to(inside[..., None], arrays['image'].shape)
    )
    places = [
        [int(np.flatnonzero((image[1:7, 1:7, k] == X).all(axis=(1, 2)))[0]) for k in range(depth)]
        for image in arrays['image']
    ]
    for k in range(depth):  # each channel goes once through all images, in an order of its own
        assert sorted(place[k] for place in places) == list(range(COUNT))
    assert len({tuple(order) for order in zip(*places)}) == depth
    for place, label in zip(places, arrays['label']):
        assert source.info.classes[label] == ''.join(str(Y[i]) for i in place)
    np.testing.assert_array_equal(source.labels(), arrays['label'])


def test_stacks_are_the_same_each_time_and_slices_are_parts_of_the_whole(name):
    whole = read_all(open_source(DataConfig(f'stacked:{name}')))
    part = read_all(open_source(DataConfig(f'stacked:{name}', split='train[5:9]')))
    for key, values in part.items():
        np.testing.assert_array_equal(values, whole[key][5:9])
    assert len(open_source(DataConfig(f'stacked:{name}', split='test'))) == 8
    assert whole['label'][:4].tolist() == FIRST


FIRST = [55, 25, 13, 17]  # another value would be another data set


def test_a_size_is_made_after_the_zeros(name):
    small = read_all(open_source(DataConfig(f'stacked:{name}', size=4, resize='box')))['image']
    full = read_all(open_source(DataConfig(f'stacked:{name}')))['image'].astype(float)
    expected = full.reshape(COUNT, 4, 2, 4, 2, 3).mean(axis=(2, 4))
    assert np.abs(small - expected).max() <= 1  # Pillow rounds after the rows and after the columns


def test_without_labels(name):
    source = open_source(DataConfig(f'stacked:{name}', label='none'))
    assert source.info.classes == () and set(source[0]) == {'image'} and source.labels().shape == (0,)


def test_names_of_more_letters_are_joined_by_dashes(tmp_path):
    np.savez(tmp_path / 'd.npz', x=X, y=Y, classes=np.array(['cat', 'dog', 'cow', 'fox']))
    classes = open_source(DataConfig(f'stacked2:npz:{tmp_path / "d.npz"}')).info.classes
    assert (classes[1], len(classes)) == ('cat-dog', 16)


def test_what_cannot_be_stacked_is_refused(tmp_path, name):
    np.savez(tmp_path / 'rgb.npz', x=np.zeros((3, 4, 4, 3), np.uint8), y=np.arange(3))
    np.savez(tmp_path / 'plain.npz', x=X)
    np.savez(tmp_path / 'many.npz', x=X, y=Y * 100)
    for wrong, message in (
        ('stacked', 'allowed: stacked:NAME'),
        ('stacked4:mnist', "unknown data set 'stacked4:mnist'"),
        (f'stacked:npz:{tmp_path / "rgb.npz"}', 'needs grey images, and those of .* have 3 channels'),
        (f'stacked:npz:{tmp_path / "plain.npz"}', "needs labels, and .* has none; data.label 'none'"),
        (f'stacked:npz:{tmp_path / "many.npz"}', r'would have 301\^3 classes, more than 10,000'),
        (f'stacked:npz:{tmp_path / "no.npz"}', 'cannot open'),
    ):
        with pytest.raises(InputError, match=message) as caught:
            open_source(DataConfig(wrong))
        assert '\n' not in str(caught.value)
    grey = open_source(DataConfig(f'stacked:npz:{tmp_path / "rgb.npz"}', channels=1))
    assert grey[0]['image'].shape == (4, 4, 3)


@pytest.mark.skipif(not MNIST.is_file(), reason='the shared data are not on this machine')
def test_real_digits():
    source = open_source(DataConfig(f'stacked:npz:{MNIST}', split='test'))
    counts = np.bincount(source.labels(), minlength=1000)
    assert (len(source), len(source.info.classes), source.info.size) == (10_000, 1000, 32)
    assert counts.min() > 0 and source.info.classes[7] == '007'
    assert source[0]['image'].shape == (32, 32, 3)
