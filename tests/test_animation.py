"""A film shows the frames it was given for as long as was asked, says what it is, and is written whole or not at all."""

import shutil

import numpy as np
import pytest
from PIL import Image

from jaxgan.credentials import Credit, Marks
from jaxgan.errors import InputError, MachineError
from jaxgan.marks import packets, video
from jaxgan.marks.animation import write_animation
from jaxgan.marks.pictures import read_credit

CREDIT = Credit('ab' * 32, 'a "set" <of> pictures & more', '0-3', {'path': 'loop', 'rights': 'é 漢'})
PLAIN = CREDIT._replace(marks=Marks(unmarked='what is looked at are the pixels themselves'))
SAID = {**CREDIT.fields(), 'kind': 'trainedAlgorithmicMedia'}
PILLOW = ['.apng', '.gif', '.png', '.webp']
FEW = [np.asarray([[[10 * i, 20, 30], [200, 0, 5]], [[0, 0, 0], [9, 9, 10 * i]]], np.uint8) for i in range(5)]
MANY = list(np.random.default_rng(0).integers(0, 256, (6, 20, 15, 3), np.uint8))


def read(path, scale):
    """All frames, as bytes, and how long they last together, in milliseconds."""
    frames, lasts = [], 0.0
    with Image.open(path) as film:
        for i in range(getattr(film, 'n_frames', 1)):
            film.seek(i)
            before = film.info.get('duration', 0)
            film.load()
            lasts += film.info.get('duration', 0) or before
            frames.append(np.asarray(film.convert('RGB'))[::scale, ::scale])
    return frames, lasts


@pytest.mark.parametrize('suffix', PILLOW)
def test_a_film_comes_back(tmp_path, suffix):
    """Few colours are exact in every format; 24 frames a second are not whole hundredths, and still last as long."""
    path = tmp_path / 'new' / f'a{suffix}'
    assert write_animation(path, iter(FEW), 1 / 24, CREDIT, scale=3) == 5
    found, lasts = read(path, 3)
    np.testing.assert_array_equal(found, FEW)
    assert lasts == pytest.approx(5000 / 24, abs=6)
    assert read_credit(path) == SAID
    assert {file.name for file in path.parent.iterdir()} == {path.name, 'provenance.jsonl'}


def test_many_colours_are_near_in_a_gif_and_exact_elsewhere(tmp_path):
    for suffix in ('.webp', '.png'):
        write_animation(tmp_path / f'a{suffix}', MANY, 0.1, PLAIN, scale=1)
        np.testing.assert_array_equal(read(tmp_path / f'a{suffix}', 1)[0], MANY)
    write_animation(tmp_path / 'a.gif', MANY, 0.1, PLAIN, scale=1)
    found = np.stack(read(tmp_path / 'a.gif', 1)[0])
    assert len(np.unique(found.reshape(-1, 3), axis=0)) <= 256
    assert np.abs(found.astype(int) - MANY).mean() < 20  # noise: 1,800 colours by 256; a random one is 85 off


def test_what_stands_still_does_not_flicker(tmp_path):
    still = np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)
    frames = [
        np.concatenate([still, moving[:16, :15]], axis=1)
        for moving in np.pad(MANY, ((0, 0), (0, 0), (0, 1), (0, 0)))
    ]
    write_animation(tmp_path / 'a.gif', frames, 0.1, PLAIN, scale=1)
    found = read(tmp_path / 'a.gif', 1)[0]
    assert all((frame[:, :16] == found[0][:, :16]).all() for frame in found)


def test_small_images_are_enlarged_by_whole_numbers(tmp_path):
    write_animation(tmp_path / 'a.png', FEW, 0.1, PLAIN)
    with Image.open(tmp_path / 'a.png') as film:
        assert film.size == (256, 256)
    np.testing.assert_array_equal(read(tmp_path / 'a.png', 128)[0], FEW)


def test_grey_and_transparent_images(tmp_path):
    grey = [np.full((4, 4, 1), 60 * i, np.uint8) for i in range(3)]
    for suffix in PILLOW:
        write_animation(tmp_path / f'a{suffix}', grey, 0.1, CREDIT, scale=1)
        np.testing.assert_array_equal(
            read(tmp_path / f'a{suffix}', 1)[0], np.broadcast_to(grey, (3, 4, 4, 3))
        )
    clear = [np.full((4, 4, 4), 60 * i, np.uint8) for i in range(3)]
    write_animation(tmp_path / 'b.webp', clear, 0.1, CREDIT)
    with pytest.raises(InputError, match='transparency'):
        write_animation(tmp_path / 'b.gif', clear, 0.1, CREDIT)


@pytest.mark.parametrize(
    ('name', 'frames', 'seconds', 'message'),
    [
        ('a.avi', FEW, 0.1, r"unknown kind of film '\.avi'"),
        ('a.gif', FEW, 0.005, 'a frame of 5 ms is too brief'),
        ('a.gif', FEW, float('nan'), 'too brief'),
        ('a.gif', [], 0.1, 'at least one frame'),
        ('a.png', [FEW[0], MANY[0]], 0.1, 'in one film'),
        ('a.png', [np.zeros((2, 2, 3))], 0.1, 'uint8'),
    ],
)
def test_what_is_refused_leaves_nothing(tmp_path, name, frames, seconds, message):
    with pytest.raises(InputError, match=message):
        write_animation(tmp_path / name, frames, seconds, CREDIT)
    assert list(tmp_path.iterdir()) == []


def test_without_an_encoder_an_mp4_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, 'which', lambda name: None)
    monkeypatch.setattr(
        video.importlib, 'import_module', lambda name: (_ for _ in ()).throw(ImportError(name))
    )
    with pytest.raises(InputError, match=r'needs ffmpeg.*install it.*\.webp'):
        write_animation(tmp_path / 'a.mp4', FEW, 0.1, CREDIT)
    assert list(tmp_path.iterdir()) == []


ENCODER = """#!/bin/sh
for last; do :; done
case "$*" in *-encoders*) echo ' V....D libx264 x'; exit 0;; esac
printf '\\0\\0\\0\\010ftyp' > "$last"
cat >> "$last.size"; wc -c < "$last.size" > '{seen}'; rm "$last.size"; echo "$@" >> '{seen}'
exit {code}
"""


@pytest.mark.parametrize('code', [0, 3])
def test_an_encoder_is_sent_every_frame_with_even_sides(tmp_path, monkeypatch, code):
    """By a program that stands for one: of 15 x 20 pixels it gets 16 x 20."""
    (tmp_path / 'bin').mkdir()
    program = tmp_path / 'bin' / 'ffmpeg'
    program.write_text(ENCODER.format(seen=tmp_path / 'seen', code=code))
    program.chmod(0o755)
    monkeypatch.setattr(shutil, 'which', lambda name: str(program))
    path = tmp_path / 'out' / 'a.mp4'
    if code:
        with pytest.raises(MachineError, match=r'ffmpeg failed \(3\)'):
            write_animation(path, MANY, 0.1, CREDIT, scale=1)
        assert list(path.parent.iterdir()) == []
    else:
        write_animation(path, MANY, 0.1, CREDIT, scale=1)
        size, command = (tmp_path / 'seen').read_text().split('\n')[:2]
        assert int(size) == 6 * 20 * 16 * 3
        assert '-s 16x20' in command and '-framerate 10.000000' in command
        assert read_credit(path) == SAID


@pytest.mark.skipif(shutil.which('ffmpeg') is None, reason='ffmpeg is not installed')
def test_a_real_encoder_writes_what_it_can_read(tmp_path):
    import subprocess

    path = tmp_path / 'a.mp4'
    smooth = [
        np.broadcast_to(np.linspace(0, 40 * i, 32, dtype=np.uint8)[:, None, None], (32, 31, 3))
        for i in range(1, 7)
    ]
    write_animation(path, smooth, 0.1, CREDIT, scale=2)
    command = ['ffmpeg', '-v', 'error', '-i', str(path), '-f', 'rawvideo', '-pix_fmt', 'rgb24', '-']
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    found = np.frombuffer(raw, np.uint8).reshape(6, 64, 62, 3)[:, ::2, ::2]
    assert np.abs(found.astype(int) - smooth).mean() < 4
    assert read_credit(path) == SAID


def test_a_damaged_mp4_is_refused():
    with pytest.raises(InputError, match='damaged'):
        packets.from_mp4(b'\x00\x00\x00\xffftyp')
    assert packets.from_mp4(b'\x00\x00\x00\x08ftyp\x00\x00\x00\x00rest') == b''
    assert packets.from_gif(b'GIF89a') == b''
