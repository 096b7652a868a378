"""Data sets of tensorflow-datasets, prepared by a small builder of our own: no network, no TensorFlow."""

import io
import json
import pathlib
import struct
import sys
import time

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from jaxgan.data import tfds as tfds_module
from jaxgan.data.config import DataConfig
from jaxgan.data.prepared import find_prepared
from jaxgan.data.source import open_source, read_all
from jaxgan.data.tfds import prepare
from jaxgan.errors import InputError


def png(pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, 'png', **options)
    return file.getvalue()


def palette_png(index):
    image = Image.new('P', (4, 4), index % 2)
    image.putpalette([255, 0, 0, 0, 255, 0])
    file = io.BytesIO()
    image.save(file, 'png')
    return file.getvalue()


class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Twenty images; the subclasses vary the features."""

    VERSION = tfds.core.Version('1.0.0')
    name = 'tiny'
    shape = (4, 4, 3)
    features_of = staticmethod(lambda shape: {'image': tfds.features.Image(shape=shape)})

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.FeaturesDict(self.features_of(self.shape)),
            homepage='https://example.org/tiny',
            license='CC0',
        )

    def _split_generators(self, dl_manager):
        return {'train': self._generate_examples(20), 'test': self._generate_examples(4)}

    def _generate_examples(self, count):
        for index in range(count):
            yield index, self.example(index)

    def example(self, index):
        return {'image': png(np.full(self.shape, index, np.uint8))}


class Labelled(Builder):
    name = 'labelled'
    features_of = staticmethod(
        lambda shape: {
            'image': tfds.features.Image(shape=shape),
            'label': tfds.features.ClassLabel(names=['even', 'odd']),
            'third': tfds.features.ClassLabel(names=['a', 'b', 'c']),
            'id': tfds.features.Text(),
        }
    )

    def example(self, index):
        return super().example(index) | {'label': index % 2, 'third': index % 3, 'id': str(index)}


class Palette(Builder):
    name = 'palette'

    def example(self, index):
        return {'image': palette_png(index)}


class Mixed(Builder):
    name = 'mixed'
    features_of = staticmethod(lambda shape: {'image': tfds.features.Image(shape=(None, None, 3))})

    def example(self, index):
        return {'image': png(np.full((4 + index, 6, 3), index, np.uint8))}


class Wide(Builder):
    name = 'wide'
    shape = (4, 8, 1)

    def example(self, index):
        return {'image': png(np.full(self.shape[:2], index, np.uint8))}


class TwoImages(Builder):
    name = 'two_images'
    features_of = staticmethod(
        lambda shape: {'left': tfds.features.Image(shape=shape), 'right': tfds.features.Image(shape=shape)}
    )

    def example(self, index):
        return dict.fromkeys(('left', 'right'), super().example(index)['image'])


class Broken(Builder):
    name = 'broken'

    def example(self, index):
        whole = png(np.random.default_rng(index).integers(0, 256, self.shape, np.uint8))
        return {'image': whole[:60]}


class Stored(Builder):
    """Pixels as they are, and beside them a tensor that is none."""

    name = 'stored'
    encoding = 'bytes'

    def features_of(self, shape):
        tensor = tfds.features.Tensor(shape=shape, dtype=np.uint8, encoding=self.encoding)
        return {'pixels': tensor, 'noise': tfds.features.Tensor(shape=(3,), dtype=np.float32)}

    def example(self, index):
        pixels = np.arange(np.prod(self.shape), dtype=np.uint8).reshape(self.shape)
        return {'pixels': pixels + np.uint8(index), 'noise': np.zeros(3, np.float32)}


class Packed(Stored):
    name = 'packed'
    encoding = 'zlib'
    shape = (4, 6, 1)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('tfds')
    tfds.disable_progress_bar()
    for cls in (Builder, Labelled, Palette, Mixed, Wide, TwoImages, Broken, Stored, Packed):
        cls(data_dir=folder, file_format='array_record').download_and_prepare()
    return str(folder)


def opened(root, name, **options):
    return open_source(DataConfig(name=name, data_dir=root, **options))


def refused(root, name, **options):
    with pytest.raises(InputError) as caught:
        opened(root, name, **options)
    message = str(caught.value)
    assert '\n' not in message
    return message


def test_images_and_info(root):
    source = opened(root, 'tiny')
    assert sorted(read_all(source)['image'][:, 0, 0, 0]) == list(range(20))
    assert (source.info.count, source.info.size, source.info.channels) == (20, 4, 3)
    assert source.info.licence == 'CC0'
    assert source.info.origin == 'https://example.org/tiny'
    assert source.info.classes == ()
    assert source.labels().shape == (0,)
    assert set(source[np.int32(3)]) == {'image'}
    assert 'tensorflow' not in sys.modules


def test_pixels_stored_as_they_are(root):
    base = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    found = read_all(opened(root, 'stored'))['image']
    assert sorted(found[:, 0, 0, 0]) == list(range(20))
    np.testing.assert_array_equal(found, base + found[:, :1, :1, :1])
    grey = read_all(opened(root, 'packed', crop='center'))['image']
    np.testing.assert_array_equal(grey[0, ..., 0] - grey[0, 0, 0, 0], np.arange(24).reshape(4, 6)[:, 1:5] - 1)
    assert opened(root, 'packed', crop='center', channels=3, size=2)[0]['image'].shape == (2, 2, 3)


def test_records_without_whole_pixels_are_named(root):
    whole, packed = opened(root, 'stored'), opened(root, 'packed', crop='center')
    record = bytes(whole._records[3])
    for source, bad in ((whole, record.replace(b'pixels', b'pixies')), (packed, record)):
        source._records = [bad]
        with pytest.raises(InputError, match=f'image 0 of {source.info.name}, split train: '):
            source[0]


def test_several_at_once_are_the_same(root):
    source = opened(root, 'labelled')
    for index, sample in zip((3, 1, 4), source.__getitems__([3, 1, 4])):
        np.testing.assert_array_equal(sample['image'], source[index]['image'])
        assert sample['label'] == source[index]['label']


def test_labels(root):
    source = opened(root, 'labelled')
    arrays = read_all(source)
    assert source.info.classes == ('even', 'odd')
    assert arrays['label'].dtype == np.int32
    np.testing.assert_array_equal(arrays['label'], arrays['image'][:, 0, 0, 0] % 2)
    np.testing.assert_array_equal(arrays['label'], source.labels())
    third = opened(root, 'labelled', label='third')
    assert third.info.classes == ('a', 'b', 'c')
    np.testing.assert_array_equal(read_all(third)['label'], arrays['image'][:, 0, 0, 0] % 3)
    assert opened(root, 'labelled', label='none').info.classes == ()


def test_unknown_labels_are_named(root):
    message = refused(root, 'labelled', label='thrid')
    assert "'thrid'; did you mean 'third'? (allowed: label, third, none)" in message
    assert "'id'" in refused(root, 'labelled', label='id')


def test_splits(root):
    assert len(opened(root, 'tiny', split='test')) == 4
    assert len(opened(root, 'tiny', split='train[:10%]')) == 2
    assert len(opened(root, 'tiny', split='train+test')) == 24
    for split in ('trian', 'train[:0]', 'train[', 'train[5:2]'):
        message = refused(root, 'tiny', split=split)
        assert f'cannot open the split {split!r} of tiny/1.0.0' in message
        assert message.endswith('(splits: train (20), test (4))')


def test_palettes_become_colours(root):
    colours = {tuple(colour) for colour in read_all(opened(root, 'palette'))['image'][:, 0, 0].tolist()}
    assert colours == {(255, 0, 0), (0, 255, 0)}


def test_sizes_need_a_rule(root):
    assert "mixed differ in size; state data.size and data.crop 'center'" in refused(root, 'mixed')
    assert 'differ in size' in refused(root, 'mixed', size=4)
    assert read_all(opened(root, 'mixed', size=4, crop='center'))['image'].shape == (20, 4, 4, 3)
    assert 'every image of wide is 8x4 pixels, not square' in refused(root, 'wide')
    wide = opened(root, 'wide', crop='center')
    assert wide[0]['image'].shape == (4, 4, 1)
    assert wide.info.resize == 'cropped to the central square'
    assert opened(root, 'wide', crop='center', channels=3, size=2)[0]['image'].shape == (2, 2, 3)


def test_the_image_must_be_clear(root):
    assert 'two_images/1.0.0 has no image to train on; its features: left, right' in refused(
        root, 'two_images'
    )


def test_broken_images_are_named(root):
    source = opened(root, 'broken')
    with pytest.raises(InputError, match='image 3 of broken, split train: '):
        source[3]


def test_unprepared_data_fail_at_once(root, monkeypatch):
    start = time.monotonic()
    message = refused(root, 'cifar10')
    assert time.monotonic() - start < 2
    assert f"'cifar10' is not prepared in {root}" in message
    assert f'jaxgan prepare cifar10 --data-dir {root}' in message
    assert "pip install 'jaxgan[prepare]'" in message
    monkeypatch.setenv('TFDS_DATA_DIR', root)
    assert len(open_source(DataConfig(name='tiny'))) == 20
    with pytest.raises(InputError, match='run "jaxgan prepare mnist" once'):
        open_source(DataConfig(name='mnist'))


def test_unknown_names_get_the_nearest(root):
    assert "unknown data set 'cifar100n'; did you mean 'cifar100_n'?" in refused(root, 'cifar100n')
    assert "did you mean 'pixel_avatars'?" in refused(root, 'pixelavatars')
    assert 'folder:PATH, npz:PATH' in refused(root, 'qqqqqqqq')
    assert "cannot read the data set name 'foldr:/x'" in refused(root, 'foldr:/x')


def test_configs_and_versions(tmp_path):
    for place in ('d/1.0.0', 'd/1.10.0', 'd/1.9.0', 'e/x/1.0.0', 'e/y/1.0.0', 'e/y/2.0.0', 'e/notes'):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / 'features.json').write_text('{}')
    assert find_prepared('d', str(tmp_path)) == tmp_path / 'd/1.10.0'
    assert find_prepared('d:1.9.0', str(tmp_path)) == tmp_path / 'd/1.9.0'
    assert find_prepared('e/y', str(tmp_path)) == tmp_path / 'e/y/2.0.0'
    assert find_prepared('e/x:1.0.0', str(tmp_path)) == tmp_path / 'e/x/1.0.0'
    with pytest.raises(InputError, match=r'allowed: e/x, e/y'):
        find_prepared('e', str(tmp_path))
    with pytest.raises(InputError, match=r"'d:3.0.0' is not prepared"):
        find_prepared('d:3.0.0', str(tmp_path))


def test_damaged_folders_are_named(tmp_path):
    (tmp_path / 'd/1.0.0').mkdir(parents=True)
    (tmp_path / 'd/1.0.0/features.json').write_text('{}')
    assert 'd/1.0.0 does not hold a whole data set' in refused(str(tmp_path), 'd')


def masquerade(root, name):
    """Make a data set look as if TFDS had prepared it as TFRecord; checksums are left out."""
    folder = pathlib.Path(root) / name / '1.0.0'
    for path in list(folder.glob('*.array_record-*')):
        split = path.name.split('-')[1].split('.')[0]
        source = tfds.builder_from_directory(str(folder)).as_data_source(
            split, deserialize_method=tfds.decode.DeserializeMethod.RAW_BYTES
        )
        rows = [struct.pack('<QI', len(record), 0) + record + bytes(4) for record in source]
        path.with_name(path.name.replace('array_record', 'tfrecord')).write_bytes(b''.join(rows))
        path.unlink()
    info = folder / 'dataset_info.json'
    info.write_text(json.dumps(json.loads(info.read_text()) | {'fileFormat': 'tfrecord'}))
    return folder


@pytest.fixture
def tfrecord(tmp_path):
    Labelled(data_dir=tmp_path, file_format='array_record').download_and_prepare()
    return masquerade(tmp_path, 'labelled')


def test_tfrecord_is_converted_by_the_command_that_the_error_names(tfrecord, root):
    data_dir = str(tfrecord.parent.parent)
    message = refused(data_dir, 'labelled')
    assert f"'labelled' is prepared as tfrecord in {tfrecord}" in message
    assert f'run "jaxgan prepare labelled --data-dir {data_dir}" once' in message
    assert prepare('labelled', data_dir) == tfrecord
    found, expected = read_all(opened(data_dir, 'labelled')), read_all(opened(root, 'labelled'))
    np.testing.assert_array_equal(found['image'], expected['image'])
    np.testing.assert_array_equal(found['label'], expected['label'])
    assert prepare('labelled', data_dir) == tfrecord
    assert not list(tfrecord.glob('.*')) + list(tfrecord.glob('*.tmp'))


@pytest.mark.parametrize('keep', [0.5, 0.999, 0])
def test_damaged_tfrecord_is_not_converted(tfrecord, keep):
    path = next(tfrecord.glob('*train.tfrecord*'))
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(InputError, match=r'is cut short|holds 4 records of 24'):
        prepare('labelled', str(tfrecord.parent.parent))
    assert 'prepared as tfrecord' in refused(str(tfrecord.parent.parent), 'labelled')


def test_preparing_needs_a_known_name_and_tensorflow(tmp_path, monkeypatch):
    monkeypatch.setattr(tfds_module, '_has_tensorflow', lambda: False)
    with pytest.raises(
        InputError, match=r"'mnist' needs TensorFlow, this once: pip install 'jaxgan\[prepare\]'"
    ):
        prepare('mnist', str(tmp_path))
    with pytest.raises(InputError, match=r"unknown data set 'mnits'; did you mean 'mnist'\?"):
        prepare('mnits', str(tmp_path))


def test_registered_builders_are_prepared_without_tensorflow(tmp_path):
    class RegisteredTiny(Builder):
        name = 'registered_tiny'

    folder = prepare('registered_tiny', str(tmp_path))
    assert folder == tmp_path / 'registered_tiny/1.0.0'
    assert len(opened(str(tmp_path), 'registered_tiny')) == 20


def test_failed_preparation_is_one_line(tmp_path):
    class RegisteredFailing(Builder):
        name = 'registered_failing'

        def _generate_examples(self, count):
            raise ConnectionError('no route\nto the host')
            yield

    with pytest.raises(
        InputError, match=r"could not prepare 'registered_failing' in .*: .*no route"
    ) as caught:
        prepare('registered_failing', str(tmp_path))
    assert '\n' not in str(caught.value)
