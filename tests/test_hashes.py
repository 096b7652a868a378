"""Perceptual hashes: what stays near, what does not, and exact values."""

import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from jaxgan.errors import InputError
from jaxgan.marks import hashes


def smooth(n=12, side=32, seed=0):
    """Random images of low frequencies, uint8 [n, side, side, 3]."""
    small = np.random.default_rng(seed).integers(0, 256, (n, 6, 6, 3), np.uint8)
    return np.stack([np.asarray(Image.fromarray(one).resize((side, side), 3)) for one in small])


def stored(image, quality):
    file = io.BytesIO()
    Image.fromarray(image).save(file, 'JPEG', quality=quality)
    return np.asarray(Image.open(file))


def test_copies_are_nearer_than_other_images():
    images = smooth()
    own = hashes.phashes(images)
    others = hashes.distances(own, own)[~np.eye(len(own), dtype=bool)]
    copies = [
        [stored(one, 50) for one in images],
        [np.asarray(Image.fromarray(one).resize((64, 48), 2)) for one in images],
        [np.asarray(ImageEnhance.Brightness(Image.fromarray(one)).enhance(0.8)) for one in images],
    ]
    for kind in copies:
        assert np.bitwise_count(hashes.phashes(np.stack(kind)) ^ own).max() <= hashes.NEAR
    assert others.min() > hashes.NEAR and 24 < others.mean() < 40


def test_one_image_and_many_have_the_same_hash():
    images = smooth(5, 16)
    assert [hashes.phash(one) for one in images] == hashes.phashes(images).tolist()


def test_blocks_change_nothing(monkeypatch):
    images = smooth(5, 40)
    whole = hashes.phashes(images)
    monkeypatch.setattr(hashes, 'HELD', 300)  # less than an image
    assert hashes.phashes(images).tolist() == whole.tolist()


def test_grey_and_colour_and_transparency_agree():
    grey = smooth(3)[..., :1]
    colour = np.repeat(grey, 3, axis=-1)
    opaque = np.concatenate([colour, np.full_like(grey, 255)], axis=-1)
    assert hashes.phashes(colour).tolist() == hashes.phashes(grey).tolist() == hashes.phashes(opaque).tolist()
    hidden = np.concatenate([colour, np.zeros_like(grey)], axis=-1)
    assert hashes.phashes(hidden).tolist() == [0, 0, 0]  # white, whatever is under it


def test_a_pixel_and_none_and_a_wave():
    assert hashes.phash(np.full((1, 1, 3), 7, np.uint8)) == 0
    assert hashes.phashes(np.zeros((0, 8, 8, 3), np.uint8)).shape == (0,)
    rise = np.broadcast_to((np.arange(32) * 8).astype(np.uint8)[None, :, None], (32, 32, 1))
    first = hashes.phash(rise)  # frequencies of rows alone are 0; the first of columns is the lowest of all
    assert first >> 63 == 0 and hashes.phash(rise[:, ::-1]) >> 63 == 1


def test_hex_has_sixteen_digits():
    assert hashes.to_hex(2**64 - 1) == 'f' * 16 and int(hashes.to_hex(12), 16) == 12


@pytest.mark.parametrize(
    'wrong',
    [np.zeros((4, 4)), np.zeros((4, 4, 3)), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4, 3), np.uint8)],
)
def test_what_is_no_image_is_refused(wrong):
    with pytest.raises(InputError, match='uint8'):
        hashes.phash(wrong)
