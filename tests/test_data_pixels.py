"""Images of every kind become the same 8-bit pixels."""

import io

import numpy as np
import pytest
from PIL import Image

from jaxgan.data import pixels
from jaxgan.data.config import DataConfig
from jaxgan.data.pixels import BadImage, decode, describe_changes, plan_side, to_pixels
from jaxgan.errors import InputError

RED, GREEN, WHITE = (255, 0, 0), (0, 255, 0), (255, 255, 255)


def saved(image: Image.Image, kind: str = 'png', **options) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, kind, **options)
    file.seek(0)
    return file


def decoded(image: Image.Image, kind: str = 'png', **options) -> np.ndarray:
    return np.asarray(decode(saved(image, kind, **options), 'x'))


def test_grey_and_colour_are_left_as_they_are():
    rng = np.random.default_rng(0)
    grey, colour = rng.integers(0, 256, (4, 4), np.uint8), rng.integers(0, 256, (4, 4, 3), np.uint8)
    np.testing.assert_array_equal(decoded(Image.fromarray(grey)), grey)
    np.testing.assert_array_equal(decoded(Image.fromarray(colour)), colour)


def test_transparency_is_laid_on_white():
    image = Image.new('RGBA', (2, 1), (*RED, 0))
    image.putpixel((1, 0), (*RED, 128))
    assert decoded(image).tolist() == [[list(WHITE), [255, 127, 127]]]


def test_grey_with_transparency_stays_grey():
    image = Image.new('LA', (2, 1), (10, 255))
    image.putpixel((1, 0), (10, 0))
    assert decoded(image).tolist() == [[10, 255]]


def test_palette_becomes_its_colours():
    image = Image.new('P', (2, 1))
    image.putpalette([*RED, *GREEN])
    image.putpixel((1, 0), 1)
    assert decoded(image).tolist() == [[list(RED), list(GREEN)]]
    assert decoded(image, transparency=1).tolist() == [[list(RED), list(WHITE)]]


def test_transparent_colour_key_becomes_white():
    image = Image.new('RGB', (2, 1), RED)
    image.putpixel((1, 0), GREEN)
    assert decoded(image, transparency=GREEN).tolist() == [[list(RED), list(WHITE)]]


def test_one_bit_becomes_black_and_white():
    image = Image.new('1', (2, 1))
    image.putpixel((1, 0), 1)
    assert decoded(image).tolist() == [[0, 255]]


def test_cmyk_becomes_rgb():
    found = decoded(Image.new('CMYK', (8, 8), (0, 255, 255, 0)), 'jpeg', quality=95)
    assert found.shape == (8, 8, 3)
    assert np.abs(found.astype(int) - RED).max() <= 2


@pytest.mark.parametrize('kind', ['png', 'tiff'])
def test_sixteen_bit_grey_is_scaled(kind):
    values = np.array([[0, 128, 257, 32896, 65535]], np.uint16)
    assert decoded(Image.fromarray(values), kind).tolist() == [[0, 0, 1, 128, 255]]


def test_pixels_of_unknown_range_are_refused():
    for image in (Image.new('F', (1, 1), 0.5), Image.new('I', (1, 1), 70_000)):
        with pytest.raises(BadImage, match='x: its pixels are neither 8 nor 16 bits'):
            decode(saved(image, 'tiff'), 'x')


def test_exif_orientation_is_applied():
    image = Image.new('RGB', (2, 1), RED)
    image.putpixel((1, 0), GREEN)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise
    assert decoded(image, exif=exif).tolist() == [[list(RED)], [list(GREEN)]]


def test_first_frame_of_an_animation():
    frames = [Image.new('RGB', (1, 1), colour) for colour in (RED, GREEN)]
    assert decoded(frames[0], 'gif', save_all=True, append_images=frames[1:]).tolist() == [[list(RED)]]


@pytest.mark.parametrize('damage', ['cut', 'empty', 'text', 'garbled'])
def test_broken_images_are_named(damage):
    rng = np.random.default_rng(0)
    data = saved(Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8))).getvalue()
    broken = {
        'cut': data[:600],
        'empty': b'',
        'text': b'no image',
        'garbled': data[:60] + bytes(40) + data[100:],
    }
    with pytest.raises(BadImage) as caught:
        decode(io.BytesIO(broken[damage]), 'cat.png')
    assert str(caught.value).startswith('cat.png: ')
    assert '\n' not in str(caught.value)
    assert isinstance(caught.value, InputError)


def test_cut_jpeg_is_bad():
    rng = np.random.default_rng(0)
    data = saved(Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)), 'jpeg').getvalue()
    with pytest.raises(BadImage, match='truncated'):
        decode(io.BytesIO(data[: len(data) // 2]), 'x')


def test_huge_headers_are_bad(monkeypatch):
    monkeypatch.setattr(pixels, 'MAX_PIXELS', 100)
    with pytest.raises(BadImage, match='x: it claims to be 20x10 pixels'):
        decode(saved(Image.new('L', (20, 10))), 'x')


def test_decompression_bomb_is_bad():
    data = bytearray(saved(Image.new('L', (1, 1)), 'bmp').getvalue())
    data[18:26] = (100_000).to_bytes(4, 'little') * 2
    with pytest.raises(BadImage, match='x: '):
        decode(io.BytesIO(data), 'x')


def test_central_square_is_cut_out():
    image = Image.fromarray(np.arange(12, dtype=np.uint8).reshape(2, 6))
    found = to_pixels(image, DataConfig(crop='center'), 2, 1, 'x')
    assert found[..., 0].tolist() == [[2, 3], [8, 9]]
    tall = to_pixels(image.transpose(Image.Transpose.ROTATE_90), DataConfig(crop='center'), 2, 1, 'x')
    assert tall.shape == (2, 2, 1)


def test_box_filter_takes_means():
    image = Image.fromarray(np.array([[0, 2, 10, 10], [4, 6, 10, 10], [0, 0, 8, 8], [0, 0, 8, 8]], np.uint8))
    found = to_pixels(image, DataConfig(size=2, resize='box'), 2, 1, 'x')
    assert found[..., 0].tolist() == [[3, 10], [0, 8]]


def test_nearest_filter_repeats_pixels():
    image = Image.fromarray(np.array([[1, 2], [3, 4]], np.uint8))
    found = to_pixels(image, DataConfig(size=4, resize='nearest'), 4, 1, 'x')
    np.testing.assert_array_equal(found[..., 0], np.kron([[1, 2], [3, 4]], np.ones((2, 2))))


def test_channels_are_converted():
    grey, colour = Image.new('L', (1, 1), 7), Image.new('RGB', (1, 1), RED)
    assert to_pixels(grey, DataConfig(), 1, 3, 'x').tolist() == [[[7, 7, 7]]]
    assert to_pixels(colour, DataConfig(), 1, 1, 'x').tolist() == [[[76]]]


def test_images_that_are_not_square_need_a_rule():
    with pytest.raises(InputError, match=r"x is 3x2 pixels, not square; data.crop 'center'"):
        plan_side(3, 2, DataConfig(size=2), 'x')
    assert plan_side(3, 2, DataConfig(crop='center'), 'x') == 2
    assert plan_side(3, 2, DataConfig(crop='center', size=8), 'x') == 8


def test_another_size_is_refused():
    with pytest.raises(
        InputError, match=r'x comes out 3x3 pixels, others 2x2; state one size with data.size'
    ):
        to_pixels(Image.new('L', (3, 3)), DataConfig(), 2, 1, 'x')


def test_changes_are_described():
    assert describe_changes({(4, 4)}, DataConfig(), 4) == 'as they are'
    assert describe_changes({(4, 4), (8, 8)}, DataConfig(size=4), 4) == 'resized from 8 to 4 pixels (lanczos)'
    found = describe_changes({(9, 6), (8, 8)}, DataConfig(size=4, crop='center', resize='box'), 4)
    assert found == 'cropped to the central square, resized from 6 to 8 to 4 pixels (box)'
