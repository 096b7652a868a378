"""Folders of images: labels, order, damage, and sizes."""

import os

import numpy as np
import pytest
from PIL import Image

from jaxgan.data import folder as folder_module
from jaxgan.data.config import DataConfig
from jaxgan.data.folder import open_folder
from jaxgan.data.source import open_source, read_all
from jaxgan.errors import InputError


def put(path, value=0, size=(4, 4), mode='RGB'):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if mode == 'L' else (value,) * 3).save(path)


def config(path, **options):
    return DataConfig(name=f'folder:{path}', **options)


def values(source):
    return read_all(source)['image'][:, 0, 0, 0].tolist()


def test_subfolders_are_labels_and_names_decide_the_order(tmp_path, monkeypatch):
    for value, name in enumerate(['b/2.png', 'b/1.png', 'a/x/9.png', 'a/1.png', 'c d/é.png']):
        put(tmp_path / name, value)
    (tmp_path / 'empty').mkdir()
    source = open_source(config(tmp_path))
    assert source.info.classes == ('a', 'b', 'c d')
    assert values(source) == [3, 2, 1, 0, 4]
    assert source.labels().tolist() == [0, 0, 1, 1, 2]
    assert source[4]['label'] == 2
    assert source[4]['label'].dtype == np.int32
    assert (len(source), source.info.count, source.info.size, source.info.channels) == (5, 5, 4, 3)
    walk = os.walk

    def backwards(*args, **kwargs):
        for path, below, files in walk(*args, **kwargs):
            below.reverse()
            yield path, below, files[::-1]

    monkeypatch.setattr(folder_module.os, 'walk', backwards)
    assert values(open_source(config(tmp_path))) == [3, 2, 1, 0, 4]


def test_a_flat_folder_has_no_labels(tmp_path):
    put(tmp_path / '1.png', 5)
    source = open_folder(config(tmp_path))
    assert source.info.classes == ()
    assert set(source[0]) == {'image'}
    assert source.labels().shape == (0,)


def test_labels_can_be_left_out(tmp_path):
    put(tmp_path / 'a/1.png')
    assert open_folder(config(tmp_path, label='none')).info.classes == ()
    with pytest.raises(InputError, match=r"unknown label of a folder.*'hair' \(allowed: none\)"):
        open_folder(config(tmp_path, label='hair'))


def test_images_outside_the_labels_are_named(tmp_path):
    put(tmp_path / 'a/1.png')
    put(tmp_path / 'loose.png')
    with pytest.raises(InputError, match=r'1 of 2 images .* outside the sub-folders .* loose.png'):
        open_folder(config(tmp_path))


def test_grey_colour_and_mixed(tmp_path):
    put(tmp_path / '1.png', 7, mode='L')
    assert open_folder(config(tmp_path)).info.channels == 1
    put(tmp_path / '2.png', 9)
    assert open_folder(config(tmp_path)).info.channels == 3
    assert open_folder(config(tmp_path, channels=1))[1]['image'].shape == (4, 4, 1)
    assert values(open_folder(config(tmp_path))) == [7, 9]


def test_damage_is_counted_and_named(tmp_path):
    put(tmp_path / 'good.png')
    for name in 'dcba':
        (tmp_path / f'{name}.jpg').write_bytes(b'no image')
    with pytest.raises(InputError) as caught:
        open_folder(config(tmp_path))
    message = str(caught.value)
    assert message.startswith(f'4 of 5 images in {tmp_path} cannot be read: a.jpg: ')
    assert 'c.jpg' in message
    assert 'd.jpg' not in message
    assert '\n' not in message
    skipping = open_folder(config(tmp_path, bad_images='skip'))
    assert len(skipping) == 1
    assert [name for name, _ in skipping.info.skipped] == ['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg']


def test_truncated_file_is_found_before_training(tmp_path):
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(tmp_path / 'a.jpg')
    data = (tmp_path / 'a.jpg').read_bytes()
    (tmp_path / 'a.jpg').write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r'1 of 1 images .* a.jpg: .*truncated'):
        open_folder(config(tmp_path))


def test_file_that_breaks_later_is_named(tmp_path):
    put(tmp_path / 'a.png')
    source = open_folder(config(tmp_path))
    (tmp_path / 'a.png').write_bytes(b'')
    with pytest.raises(InputError, match=r'a\.png: '):
        source[0]


def test_other_files_are_ignored_and_hidden_images_are_counted(tmp_path):
    put(tmp_path / 'a.PNG')
    for name in ('Thumbs.db', 'notes.txt', '.DS_Store'):
        (tmp_path / name).write_bytes(b'x')
    put(tmp_path / '._a.png')
    put(tmp_path / '.cache/b.png')
    source = open_folder(config(tmp_path))
    assert len(source) == 1
    assert source.info.skipped == (('._a.png', 'hidden'),)


def test_links_in_a_circle_end(tmp_path):
    put(tmp_path / 'a/1.png')
    (tmp_path / 'a/again').symlink_to(tmp_path)
    (tmp_path / 'b').symlink_to(tmp_path / 'a')
    assert len(open_folder(config(tmp_path))) == 1


def test_links_to_files_and_folders_are_followed(tmp_path):
    put(tmp_path / 'else/1.png', 3)
    root = tmp_path / 'root'
    root.mkdir()
    (root / 'x').symlink_to(tmp_path / 'else')
    (root / 'gone.png').symlink_to(tmp_path / 'nowhere')
    source = open_folder(config(root, bad_images='skip'))
    assert source.info.classes == ('x',)
    assert [name for name, _ in source.info.skipped] == ['gone.png']


def test_sizes_need_a_rule(tmp_path):
    for number in range(3):
        put(tmp_path / f'{number}.png', number)
    put(tmp_path / 'big.png', 9, size=(8, 8))
    with pytest.raises(
        InputError, match=r'2 sizes, such as 4x4 \(0.png\) and 8x8 \(1 times; big.png\).*data.size'
    ):
        open_folder(config(tmp_path))
    source = open_folder(config(tmp_path, size=2))
    assert source.info.resize == 'resized from 4 to 8 to 2 pixels (lanczos)'
    assert values(source) == [0, 1, 2, 9]
    put(tmp_path / 'wide.png', 5, size=(8, 4))
    with pytest.raises(InputError, match=r'wide.png is 8x4 pixels, not square'):
        open_folder(config(tmp_path, size=2))
    assert len(open_folder(config(tmp_path, size=2, crop='center'))) == 5


def test_splits_are_subfolders_or_slices(tmp_path):
    for value in range(4):
        put(tmp_path / f'train/a/{value}.png', value)
    put(tmp_path / 'test/a/9.png', 9)
    assert values(open_folder(config(tmp_path))) == [0, 1, 2, 3]
    assert values(open_folder(config(tmp_path, split='test'))) == [9]
    half = open_folder(config(tmp_path, split='train[50%:]'))
    assert values(half) == [2, 3]
    assert half.info.count == len(half.labels()) == 2
    with pytest.raises(InputError, match=r"unknown split of .* 'tests'; did you mean 'test'\?"):
        open_folder(config(tmp_path, split='tests'))
    with pytest.raises(InputError, match="no sub-folder 'test', so that all its images are the split train"):
        open_folder(config(tmp_path / 'train', split='test'))


def test_missing_and_empty_folders_are_named(tmp_path):
    with pytest.raises(InputError, match=r'there is no folder .*nowhere'):
        open_folder(config(tmp_path / 'nowhere'))
    with pytest.raises(InputError, match=f'there is no image in {tmp_path}'):
        open_folder(config(tmp_path))
