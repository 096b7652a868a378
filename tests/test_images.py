"""Bytes and floats convert without loss; a grid puts every pixel where it belongs."""

import numpy as np
import pytest

from jaxgan.errors import InputError
from jaxgan.images import BACKGROUND, grid, to_float, to_uint8

BYTES = np.arange(256, dtype=np.uint8)


def test_bytes_survive_the_way_through_floats():
    assert to_uint8(to_float(BYTES)).tolist() == BYTES.tolist()
    assert to_float(BYTES).dtype == np.float32


def test_floats_are_rounded_and_clipped():
    assert to_uint8([-1.0, -0.999, 0.0, 1.0, 1.5, -9.0]).tolist() == [0, 0, 128, 255, 255, 0]
    assert to_uint8([np.nan, np.inf, -np.inf]).tolist() == [0, 255, 0]


def test_every_pixel_of_a_grid_is_in_its_place():
    images = np.arange(5 * 2 * 3, dtype=np.uint8).reshape(5, 2, 3, 1)
    sheet = grid(images, columns=3, pad=1, scale=2)
    assert sheet.shape == (1 + 2 * 5, 1 + 3 * 7, 1)
    expected = np.full(sheet.shape, BACKGROUND)
    for i in range(5):
        top, left = 1 + i // 3 * 5, 1 + i % 3 * 7
        for y in range(4):
            for x in range(6):
                expected[top + y, left + x] = images[i, y // 2, x // 2]
    assert (sheet == expected).all()


@pytest.mark.parametrize(('side', 'scale'), [(16, 4), (20, 4), (32, 2), (63, 2), (64, 1), (100, 1)])
def test_small_images_become_visible_by_whole_numbers(side, scale):
    images = np.zeros((1, side, side, 3), np.uint8)
    assert grid(images, pad=0).shape == (side * scale, side * scale, 3)


@pytest.mark.parametrize(('n', 'columns', 'rows'), [(1, 1, 1), (2, 2, 1), (9, 3, 3), (10, 4, 3), (64, 8, 8)])
def test_a_grid_is_nearly_square(n, columns, rows):
    assert grid(np.zeros((n, 4, 4, 1), np.uint8), pad=0, scale=1).shape == (4 * rows, 4 * columns, 1)


def test_more_columns_than_images_leave_no_empty_ones():
    assert grid(np.zeros((2, 4, 4, 1), np.uint8), columns=8, pad=0, scale=1).shape == (4, 8, 1)


@pytest.mark.parametrize(
    'images', [np.zeros((2, 4, 4), np.uint8), np.zeros((0, 4, 4, 1), np.uint8), np.zeros((1, 4, 4, 1))]
)
def test_what_is_no_stack_of_images_is_refused(images):
    with pytest.raises(InputError, match=r'a grid needs uint8 images \[n, h, w, c\]'):
        grid(images)


@pytest.mark.parametrize('numbers', [{'columns': 0}, {'scale': 0}, {'pad': -1}])
def test_numbers_out_of_range_are_refused(numbers):
    with pytest.raises(InputError, match='columns >= 1, scale >= 1, pad >= 0'):
        grid(np.zeros((1, 4, 4, 1), np.uint8), **numbers)
