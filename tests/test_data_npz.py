"""Images from npz files."""

import pathlib

import numpy as np
import pytest

from jaxgan.data.config import DataConfig
from jaxgan.data.npz import open_npz
from jaxgan.data.source import open_source, read_all
from jaxgan.errors import InputError

SHARED = pathlib.Path(__file__).parents[2] / 'shared' / 'data'
X = np.arange(5 * 4 * 4 * 3, dtype=np.uint8).reshape(5, 4, 4, 3)
Y = np.array([0, 1, 2, 1, 0])


def saved(folder, **arrays):
    np.savez(folder / 'd.npz', **arrays)
    return f'npz:{folder / "d.npz"}'


@pytest.mark.parametrize('key', ['image', 'images', 'x', 'x_train'])
def test_images_by_their_names(tmp_path, key):
    source = open_source(DataConfig(name=saved(tmp_path, **{key: X})))
    np.testing.assert_array_equal(read_all(source)['image'], X)
    assert source.info.classes == ()
    assert source.info.resize == 'as they are'


def test_splits_and_labels(tmp_path):
    name = saved(
        tmp_path, x_train=X, y_train=Y, x_test=X[::-1], y_test=Y[:5] * 2, classes=np.array(list('abcde'))
    )
    train, test = open_npz(DataConfig(name=name)), open_npz(DataConfig(name=name, split='test[1:3]'))
    np.testing.assert_array_equal(read_all(train)['label'], Y)
    np.testing.assert_array_equal(read_all(test)['image'], X[::-1][1:3])
    assert read_all(test)['label'].tolist() == [2, 4]
    assert test.labels().dtype == np.int32
    assert train.info.classes == tuple('abcde')
    assert open_npz(DataConfig(name=name, label='none')).info.classes == ()


def test_classes_without_names_are_numbered(tmp_path):
    source = open_npz(DataConfig(name=saved(tmp_path, x=X, labels=Y)))
    assert source.info.classes == ('0', '1', '2')
    assert open_npz(DataConfig(name=saved(tmp_path, x=X, hue=Y), label='hue')).info.classes == ('0', '1', '2')


def test_grey_without_an_axis_for_channels(tmp_path):
    source = open_npz(DataConfig(name=saved(tmp_path, x=X[..., 0])))
    assert source[3]['image'].shape == (4, 4, 1)
    np.testing.assert_array_equal(read_all(source)['image'][..., 0], X[..., 0])


def test_size_channels_and_crop(tmp_path):
    source = open_npz(DataConfig(name=saved(tmp_path, x=X), size=2, channels=1, resize='box'))
    assert source[0]['image'].shape == (2, 2, 1)
    wide = saved(tmp_path, x=X[:, :2])
    with pytest.raises(InputError, match=r'every image of .* is 4x2 pixels, not square'):
        open_npz(DataConfig(name=wide))
    np.testing.assert_array_equal(
        read_all(open_npz(DataConfig(name=wide, crop='center')))['image'], X[:, :2, 1:3]
    )


@pytest.mark.parametrize(
    ('arrays', 'message'),
    [
        ({'x': X.astype(np.float32)}, "'x' in .* is float32 .* images are uint8"),
        ({'x': X[..., :2]}, r"'x' in .* is uint8 \[5, 4, 4, 2\]"),
        ({'x': X[0, 0]}, r'is uint8 \[4, 3\]'),
        ({'x': X[:0]}, r'is uint8 \[0, 4, 4, 3\]'),
        ({'z': X}, "no images for the split 'train': looked for x_train, image, images, x, it holds z"),
        ({'x': X, 'y': Y[:3]}, r"'y' in .* is int64 \[3\]; labels are integers \[5\]"),
        ({'x': X, 'y': Y - 1}, 'the label -1; labels are integers from 0 to 65535'),
        ({'x': X, 'y': Y * 0.5}, "'y' in .* is float64"),
        ({'x': X, 'y': Y, 'classes': np.array(['a'])}, 'names 1 classes, the labels need 3'),
        ({'x': np.array([{}], dtype=object)}, "cannot read 'x' in .*allow_pickle"),
    ],
)
def test_wrong_arrays_are_named(tmp_path, arrays, message):
    with pytest.raises(InputError, match=message) as caught:
        open_npz(DataConfig(name=saved(tmp_path, **arrays)))
    assert '\n' not in str(caught.value)


def test_bare_arrays_have_no_test_split(tmp_path):
    with pytest.raises(InputError, match="no images for the split 'test': looked for x_test, it holds x"):
        open_npz(DataConfig(name=saved(tmp_path, x=X), split='test'))


def test_unknown_label_is_named(tmp_path):
    with pytest.raises(InputError, match=r"unknown array of labels 'yy'; did you mean 'y'\?"):
        open_npz(DataConfig(name=saved(tmp_path, x=X, y=Y), label='yy'))


def test_files_that_are_no_npz(tmp_path):
    with pytest.raises(InputError, match=r'cannot open .*none.npz: No such file'):
        open_npz(DataConfig(name=f'npz:{tmp_path / "none.npz"}'))
    (tmp_path / 'a.npz').write_text('text')
    with pytest.raises(InputError, match=r'cannot read .* as npz'):
        open_npz(DataConfig(name=f'npz:{tmp_path / "a.npz"}'))
    np.save(tmp_path / 'b.npy', X)
    with pytest.raises(InputError, match='a single array'):
        open_npz(DataConfig(name=f'npz:{tmp_path / "b.npy"}'))
    name = saved(tmp_path, x=X)
    whole = (tmp_path / 'd.npz').read_bytes()
    (tmp_path / 'd.npz').write_bytes(whole[:100])
    with pytest.raises(InputError, match='cannot read'):
        open_npz(DataConfig(name=name))


@pytest.mark.skipif(not SHARED.is_dir(), reason='the shared data are not on this machine')
@pytest.mark.parametrize(
    ('file', 'split', 'shape', 'classes'),
    [
        ('mnist.npz', 'test', (10_000, 28, 28, 1), 10),
        ('noto_emoji32_base.npz', 'train', (1_657, 32, 32, 3), 0),
    ],
)
def test_real_files(file, split, shape, classes):
    source = open_npz(DataConfig(name=f'npz:{SHARED / file}', split=split))
    assert (len(source), *source[0]['image'].shape) == shape
    assert len(source.info.classes) == classes
