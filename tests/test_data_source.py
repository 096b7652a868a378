"""Sources: opened by name, read whole, and described on one screen."""

import subprocess
import sys

import numpy as np
import pytest
import rich.console
from PIL import Image

from jaxgan.data.config import DataConfig
from jaxgan.data.source import open_source, read_all, summary


def text(source):
    console = rich.console.Console(width=100)
    with console.capture() as capture:
        console.print(summary(source))
    return capture.get()


@pytest.fixture
def folder(tmp_path):
    for number in range(600):
        path = tmp_path / f'class{number % 12:02}' / f'{number}.png'
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((2, 2), number % 256, np.uint8)).save(path)
    return tmp_path


@pytest.mark.parametrize('threads', [None, 1, 5])
def test_read_all_is_every_sample(folder, threads):
    source = open_source(DataConfig(name=f'folder:{folder}'))
    arrays = read_all(source, threads)
    assert {key: (value.shape, value.dtype) for key, value in arrays.items()} == {
        'image': ((600, 2, 2, 1), np.uint8),
        'label': ((600,), np.int32),
    }
    for index in (0, 255, 256, 599):
        sample = source[index]
        np.testing.assert_array_equal(arrays['image'][index], sample['image'])
        assert arrays['label'][index] == sample['label']
    np.testing.assert_array_equal(arrays['label'], source.labels())


def test_summary_says_it_all(folder):
    (folder / 'class00' / 'bad.png').write_bytes(b'x')
    shown = text(open_source(DataConfig(name=f'folder:{folder}', bad_images='skip')))
    for part in (
        '600, 2x2 pixels, grey',
        'as they are',
        '12 classes: class00 50,',
        'and 2 more',
        'not stated',
        str(folder)[:40],
        '1 files',
        'class00/bad.png: not an image that Pillow knows',
    ):
        assert part in shown
    assert len(shown.splitlines()) < 24


def test_summary_without_labels(tmp_path):
    np.savez(tmp_path / 'x.npz', x=np.zeros((3, 2, 2, 3), np.uint8))
    shown = text(open_source(DataConfig(name=f'npz:{tmp_path / "x.npz"}')))
    assert '3, 2x2 pixels, colour' in shown
    assert 'none' in shown


def test_brackets_in_file_names_are_no_markup(tmp_path):
    Image.new('L', (1, 1)).save(tmp_path / 'good.png')
    (tmp_path / '[bold]x.png').write_bytes(b'x')
    shown = text(open_source(DataConfig(name=f'folder:{tmp_path}', bad_images='skip')))
    assert '[bold]x.png' in shown


def test_importing_the_data_layer_is_light():
    heavy = ['tensorflow_datasets', 'grain', 'tensorflow', 'resvg_py', 'dicebear']
    code = f'import sys, jaxgan.data; print([name for name in {heavy} if name in sys.modules])'
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == '[]'
