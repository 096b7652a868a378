"""Pictures on their way to a generator's size: enlarged pixel art comes back exactly, others are resized."""

import numpy as np
import pytest
from PIL import Image

from jaxgan.data import DataConfig
from jaxgan.images import repeats
from jaxgan.making.targets import read_picture

CONFIG = DataConfig('x', size=8, crop='center')
ART = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)


def enlarged(pixels, times):
    return pixels.repeat(times, 0).repeat(times, 1)


@pytest.mark.parametrize('times', [1, 2, 5, 12])
def test_enlarged_pixel_art_comes_back_exactly(tmp_path, times):
    Image.fromarray(enlarged(ART, times)).save(tmp_path / 'a.png')
    found, told = read_picture(tmp_path / 'a.png', CONFIG, (8, 8, 3))
    np.testing.assert_array_equal(found, ART)
    block = f'each {times}x{times} block of one colour taken as a pixel'
    assert told['prepared'] == ('as they are' if times == 1 else block)


def test_what_is_no_exact_enlargement_is_resized(tmp_path):
    pixels = enlarged(ART, 5)
    pixels[13, 17, 1] ^= 1
    Image.fromarray(pixels).save(tmp_path / 'a.png')
    found, told = read_picture(tmp_path / 'a.png', CONFIG, (8, 8, 3))
    assert told['prepared'] == 'resized from 40 to 8 pixels (lanczos)'
    assert (found != ART).any()


def test_blocks_are_taken_before_the_square_is_cut(tmp_path):
    wide = np.concatenate([ART, ART[:, :3]], axis=1)  # the central square begins within a block
    Image.fromarray(enlarged(wide, 4)).save(tmp_path / 'a.png')
    found, told = read_picture(tmp_path / 'a.png', CONFIG, (8, 8, 3))
    np.testing.assert_array_equal(found, wide[:, 1:9])
    assert told['prepared'] == 'each 4x4 block of one colour taken as a pixel, cropped to the central square'


@pytest.mark.parametrize(
    ('shape', 'times', 'least', 'expected'),
    [((6, 9), 4, 6, 4), ((6, 9), 4, 7, 2), ((6, 9), 3, 20, 1), ((1, 1), 16, 4, 4), ((6, 4), (2, 3), 2, 1)],
)
def test_repeats(shape, times, least, expected):
    rows, columns = times if isinstance(times, tuple) else (times, times)
    pixels = np.arange(shape[0] * shape[1]).reshape(shape).repeat(rows, 0).repeat(columns, 1)
    assert repeats(pixels, least) == expected
