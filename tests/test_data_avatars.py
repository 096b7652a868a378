"""The embedded data set: its pixels, its attributes, its licence, and that it is prepared safely."""

import hashlib
import multiprocessing
import os
import pathlib
import shutil
import time

import numpy as np
import pytest

from jaxgan.data.config import DataConfig
from jaxgan.data.pixel_avatars import builder, render, sheet
from jaxgan.data.source import open_source, read_all
from jaxgan.data.tfds import prepare
from jaxgan.errors import InputError

# A change of the sheets changes every result measured on them: raise the version of the builder with these.
PIXELS = {
    'train': '98c0e62aeb859a95de3aa6941dd71612a407aec95d4d1d1cf97ed1c0e31739e2',
    'test': '633fbb9512d01ccf437cf46360f024f6e273d2b4f720ebbf51edf01fc42fe532',
}
CODES = {
    'train': '06447dce1c8159265601e6d918ec53fd1ec3e051f51d648b233f8df6a97ba314',
    'test': '71a68f68c9ceb055d51e93aa445cabdd2e328c073c1f8a65f6c2855fbe679bc3',
}
HERE = pathlib.Path(sheet.__file__).parent


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data')
    builder.prepared_folder(str(folder))
    return str(folder)


@pytest.mark.parametrize(('split', 'count'), [('train', 16_000), ('test', 2_000)])
def test_pixels_and_codes_are_those_of_version_1(split, count):
    images, codes = sheet.read_images(split), sheet.read_codes(split)
    assert images.shape == (count, 16, 16, 3)
    assert images.dtype == codes.dtype == np.uint8
    assert hashlib.sha256(images.tobytes()).hexdigest() == PIXELS[split]
    assert hashlib.sha256(codes.tobytes()).hexdigest() == CODES[split]
    assert str(builder.PixelAvatars.VERSION) == '1.0.1'


def test_all_images_are_distinct():
    images = np.concatenate([sheet.read_images('train'), sheet.read_images('test')])
    assert len({image.tobytes() for image in images}) == 18_000


def test_every_attribute_takes_every_value():
    names = sheet.attribute_names()
    codes = sheet.read_codes('train')
    assert list(names) == (
        [
            'skin',
            'hair',
            'hair_color',
            'hat',
            'glasses',
            'beard',
            'accessories',
            'clothes',
            'clothing_color',
            'eyes',
            'mouth',
        ]
    )
    for column, values in zip(codes.T, names.values()):
        np.testing.assert_array_equal(np.unique(column), np.arange(len(values)))
    assert [name for name, values in names.items() if 'none' in values] == [
        'hat',
        'glasses',
        'beard',
        'accessories',
    ]


def test_attributes_match_the_pixels():
    """Skin colours are painted below a tenth of white, so the commonest colour of a bare forehead tells the skin."""
    images, codes = sheet.read_images('test'), sheet.read_codes('test')
    names = sheet.attribute_names()
    skin = codes[:, list(names).index('skin')]
    for code, name in enumerate(names['skin']):
        base = np.array([int(name[i : i + 2], 16) for i in (1, 3, 5)])
        painted = np.round(base * 0.9 + 25.5)
        shows = (np.abs(images[skin == code] - painted) <= 1).all(-1).any((1, 2))
        assert shows.mean() > 0.99


def test_files_are_small_and_free():
    assert sum(file.stat().st_size for file in HERE.iterdir() if file.is_file()) < 1_200_000
    text = (HERE / 'LICENSE').read_text('utf-8')
    for part in (
        'Pixel Art',
        'DiceBear',
        builder.SOURCE,
        'creativecommons.org/publicdomain/zero/1.0/',
        'resvg-py 0.5',
    ):
        assert part in text


def test_prepared_data_are_the_sheets(root):
    source = open_source(DataConfig(name='pixel_avatars/glasses', split='test', data_dir=root))
    arrays = read_all(source)
    images, codes = sheet.read_images('test'), sheet.read_codes('test')
    column = list(sheet.attribute_names()).index('glasses')
    expected = {image.tobytes(): code for image, code in zip(images, codes[:, column].tolist())}
    assert {
        image.tobytes(): code for image, code in zip(arrays['image'], arrays['label'].tolist())
    } == expected
    assert source.info.classes == sheet.attribute_names()['glasses']
    assert source.info.classes[0] == 'none'
    assert source.info.licence.startswith('CC0 1.0')
    assert source.info.origin == builder.SOURCE


def test_the_second_time_is_quick(root):
    start = time.process_time()
    source = open_source(DataConfig(data_dir=root, split='test'))
    assert time.process_time() - start < 0.5
    assert (len(source), source.info.classes) == (2_000, ())


def test_unknown_attributes_get_the_nearest(root):
    for options in ({'name': 'pixel_avatars/hiar'}, {'label': 'hiar'}):
        with pytest.raises(
            InputError, match=r"unknown attribute of pixel_avatars 'hiar'; did you mean 'hair'\?"
        ):
            open_source(DataConfig(data_dir=root, **options))
    with pytest.raises(InputError, match='state one'):
        open_source(DataConfig(name='pixel_avatars/hair', label='hat', data_dir=root))
    with pytest.raises(InputError, match='allowed: skin, hair'):
        open_source(DataConfig(name='pixel_avatars/', data_dir=root))
    assert len(open_source(DataConfig(label='hat', data_dir=root)).info.classes) == 11


def test_prepare_by_name(root):
    assert prepare('pixel_avatars', root) == pathlib.Path(root) / 'pixel_avatars/1.0.1'


@pytest.fixture
def ready(root, tmp_path, monkeypatch):
    """An empty data folder, and a builder that takes no time because it copies what is prepared already."""

    def write(data_dir):
        place = pathlib.Path(data_dir) / 'pixel_avatars/1.0.1'
        shutil.copytree(pathlib.Path(root) / 'pixel_avatars/1.0.1', place)
        return place

    monkeypatch.setattr(builder, '_write', write)
    return tmp_path


@pytest.mark.parametrize('damage', ['empty', 'no_info', 'cut', 'missing'])
def test_half_prepared_folders_are_replaced(ready, damage):
    folder = builder.prepared_folder(str(ready))
    records = next(folder.glob('*train.array_record*'))
    if damage == 'empty':
        shutil.rmtree(folder)
        folder.mkdir()
    elif damage == 'no_info':
        (folder / 'dataset_info.json').unlink()
    elif damage == 'missing':
        records.unlink()
    else:
        records.write_bytes(records.read_bytes()[:1_000_000])
    assert not builder.is_whole(folder)
    assert len(open_source(DataConfig(data_dir=str(ready)))) == 16_000
    assert os.listdir(ready) == ['pixel_avatars']


def test_a_slower_process_finds_the_place_taken(ready, monkeypatch):
    write = builder._write

    def overtaken(data_dir):
        shutil.copytree(write(data_dir), ready / 'pixel_avatars/1.0.1')
        return pathlib.Path(data_dir) / 'pixel_avatars/1.0.1'

    monkeypatch.setattr(builder, '_write', overtaken)
    assert builder.is_whole(builder.prepared_folder(str(ready)))
    assert os.listdir(ready) == ['pixel_avatars']


def test_leftovers_of_killed_processes_are_removed(ready):
    old, new = ready / '.pixel_avatars-old', ready / '.pixel_avatars-new'
    for left in (old, new):
        left.mkdir()
    os.utime(old, (0, 0))
    builder.prepared_folder(str(ready))
    assert new.exists()
    assert not old.exists()


def test_folders_that_cannot_be_written_are_named(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(InputError, match=r'cannot prepare pixel_avatars in .*file: .*data\.data_dir'):
        open_source(DataConfig(data_dir=str(tmp_path / 'file')))


def test_sheets_are_lossless(tmp_path):
    images = np.arange(130, dtype=np.uint8)[:, None, None, None] * np.ones((1, 16, 16, 3), np.uint8)
    render.write_sheet(tmp_path / 'x.webp', images)
    np.testing.assert_array_equal(sheet.cut(tmp_path / 'x.webp', 130), images)


def test_attributes_are_encoded():
    style = {
        'colors': {name: {'values': ['#000000', '#ffffff']} for name in ('skin', 'hair', 'clothing')},
        'components': {
            name: {'variants': {'b': {}, 'a': {}}, 'probability': 5}
            for name in ('hat', 'glasses', 'beard', 'accessories')
        }
        | {name: {'variants': {'b': {}, 'a': {}}} for name in ('hair', 'clothes', 'eyes', 'mouth')},
    }
    names = render.class_names(style)
    assert (names['hat'], names['hair'], names['skin']) == (
        ['none', 'a', 'b'],
        ['a', 'b'],
        ['#000000', '#ffffff'],
    )
    options = {key: 'b' for kind, _, key in render.ATTRIBUTES.values() if kind == 'components'}
    options |= {key: ['#ffffff'] for kind, _, key in render.ATTRIBUTES.values() if kind == 'colors'}
    del options['hatVariant']
    codes = dict(zip(render.ATTRIBUTES, render.encode(options, names)))
    assert (codes['hat'], codes['glasses'], codes['hair'], codes['skin']) == (0, 2, 1, 1)


@pytest.mark.slow
def test_rendering_again_gives_the_same_bytes(tmp_path):
    pytest.importorskip('dicebear', reason='needs jaxgan[avatars]')
    render.main(tmp_path)
    for name in ('train.webp', 'test.webp', 'attributes.npz', 'attributes.json', 'LICENSE'):
        assert (tmp_path / name).read_bytes() == (HERE / name).read_bytes()


@pytest.mark.multiprocess
def test_processes_that_start_together(tmp_path):
    context = multiprocessing.get_context('spawn')
    with context.Pool(3) as pool:
        folders = pool.map(builder.prepared_folder, [str(tmp_path)] * 3)
    assert len(set(folders)) == 1
    assert builder.is_whole(folders[0])
    assert os.listdir(tmp_path) == ['pixel_avatars']
