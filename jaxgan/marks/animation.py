"""Films of a generator's images, whole or not at all, with their credit: GIF, WebP, APNG by Pillow, MP4 where ffmpeg is there."""

import hashlib
import io
import itertools
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from jaxgan.credentials import Credit, to_xmp
from jaxgan.errors import InputError, unknown
from jaxgan.files import replacing, unwritable
from jaxgan.marks import packets, pictures, record, video
from jaxgan.marks.watermarking import mark

FORMATS = {'.gif': 'GIF', '.webp': 'WEBP', '.png': 'PNG', '.apng': 'PNG', '.mp4': 'MP4'}
VISIBLE = 256  # pixels that the shorter side of a film should have at least
COLOURS = 256  # of a GIF
LOOKED_AT = 1 << 20  # pixels by which a GIF's colours are chosen
TICK = {'GIF': 10, 'WEBP': 1, 'PNG': 1}  # milliseconds by which a format counts
BRIEFEST = {'GIF': 20, 'WEBP': 11, 'PNG': 11}
"""Milliseconds of a frame; viewers show briefer ones for a tenth of a second."""


LONGEST = 60_000  # milliseconds of a frame: all formats count so far
MOST_BYTES = 2**31  # of frames that are held in memory


def format_of(path: str | Path) -> str:
    """Tell the format of a film by its name, and that it can be written here.

    Raises:
        InputError: none is written by that name, or its encoder is missing.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        raise unknown('kind of film', suffix, FORMATS)
    if FORMATS[suffix] == 'MP4':
        video.find_encoder()
    return FORMATS[suffix]


def check_seconds(path: str | Path, seconds: float) -> None:
    """Check how long a film shows each image.

    Raises:
        InputError: it is too brief for the format, or too long, or no number.
    """
    path, briefest = Path(path), BRIEFEST.get(format_of(path), 1)
    if not (math.isfinite(seconds) and seconds * 1000 >= briefest):
        raise InputError(
            f'a frame of {seconds * 1000:g} ms is too brief for {path.suffix}: at least {briefest}'
        )
    if seconds * 1000 > LONGEST:
        raise InputError(
            f'a frame of {seconds:g} s is too long for {path.suffix}: at most {LONGEST / 1000:g}'
        )


def check_size(path: str | Path, frames: int, height: int, width: int, channels: int) -> None:
    """Check that a film fits into memory: all its frames, or of an .mp4 each.

    Raises:
        InputError: it does not.
    """
    held = height * width * channels * (1 if format_of(path) == 'MP4' else frames)
    if held > MOST_BYTES:
        raise InputError(
            f'{frames} frames of {width}x{height} are {held:,} bytes of pixels to hold, and {MOST_BYTES:,} is the most: '
            'take fewer or smaller ones, or .mp4, which holds one'
        )


def enlargement(height: int, width: int, scale: int | None) -> int:
    """Choose the side of a pixel's square in a film; by default films have at least 256 pixels a side."""
    return max(1, math.ceil(VISIBLE / min(height, width))) if scale is None else scale


def write_animation(
    path: str | Path,
    frames: Iterable[np.ndarray],
    seconds: float,
    credit: Credit,
    loop: bool = True,
    scale: int | None = None,
) -> int:
    """Write a film, each of its frames marked, and its line in the record; its folders are made where need be.

    Args:
        path: ends in .gif, .webp (lossless), .png or .apng (animated PNG), or .mp4.
        frames: uint8 [h, w, c] of one shape, c being 1 (grey), 3 (colour) or, for .webp and .png, 4 (with transparency).
            An .mp4 takes them one by one; the others hold all in memory.
        seconds: that each is shown.
        credit: what it says of itself.
        loop: play it again and again; an .mp4 is repeated by who plays it.
        scale: each pixel becomes a square with such a side; by default, films of at least 256 pixels.

    Returns:
        How many frames there were.

    Raises:
        InputError: the path cannot be written, the frames are no such arrays, or there are none.
        MachineError: the encoder failed.
    """
    path, form = Path(path), format_of(path)
    check_seconds(path, seconds)
    if scale is not None and scale < 1:
        raise InputError(f'scale {scale} must be at least 1')
    film = Film(credit)
    checked = film.marked(_checked(frames, form, scale))
    try:
        with replacing(path) as temporary:
            if form == 'MP4':
                video.write_mp4(
                    temporary, (_as_video(frame) for frame in checked), seconds, video.find_encoder()
                )
                if not credit.marks.unmarked:
                    packets.into_mp4(temporary, to_xmp(credit))
                if credit.marks.sign is not None:
                    temporary.write_bytes(pictures.signed(temporary.read_bytes(), form, credit))
            else:
                data = _encode(checked, form, seconds, credit, loop)
                temporary.write_bytes(pictures.signed(data, form, credit))
            record.append(pictures.record_path(path, credit), [film.entry(path.name, temporary)])
    except OSError as error:
        raise unwritable(path, error) from error
    return film.count


class Film:
    """Marks frames as they pass, and remembers what a record says of them."""

    def __init__(self, credit: Credit) -> None:
        self._credit, self._layers = credit, ('watermark',)
        self._first: np.ndarray | None = None
        self.count = 0

    def marked(self, frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Put the watermark into each frame."""
        for frame in frames:
            found = mark(frame, self._credit)
            self._layers = found.layers
            self._first = found.pixels if self._first is None else self._first
            self.count += 1
            yield found.pixels

    def entry(self, name: str, path: Path) -> dict[str, Any]:
        """Make the film's line; what it shows is its first frame."""
        assert self._first is not None
        with path.open('rb') as file:
            digest = hashlib.file_digest(file, 'sha256').hexdigest()
        layers = pictures.layers_of(self._layers, self._credit)
        entry = record.entry_of(name, digest, self._first.shape[:2], layers, self._credit)
        return record.with_hashes([entry], self._first[None])[0] | {'frames': self.count}


def _checked(frames: Iterable[np.ndarray], form: str, scale: int | None) -> Iterator[np.ndarray]:
    shape, factor, held = None, 1, 0
    for frame in frames:
        frame = np.asarray(frame)
        pictures.to_image(frame)  # refuses what is none
        if shape is None:
            shape = frame.shape
            factor = enlargement(shape[0], shape[1], scale)
        if frame.shape != shape:
            raise InputError(f'frames of {list(shape)} and {list(frame.shape)} in one film')
        held += frame.size * factor**2
        if form != 'MP4' and held > MOST_BYTES:
            raise InputError(
                f'a film of more than {MOST_BYTES:,} bytes of pixels does not go into this format: take fewer or smaller frames, or .mp4'
            )
        if shape[-1] == 4 and form in ('GIF', 'MP4'):
            raise InputError('images with transparency: take .webp or .png, for .gif and .mp4 have none')
        yield frame.repeat(factor, axis=0).repeat(factor, axis=1)
    if shape is None:
        raise InputError('a film needs at least one frame')


def _as_video(frame: np.ndarray) -> np.ndarray:
    """Make three channels, and even sides by repeating the last row and column."""
    odd = [(0, side % 2) for side in frame.shape[:2]]
    frame = np.pad(frame, [*odd, (0, 0)], mode='edge')
    return np.ascontiguousarray(np.broadcast_to(frame, (*frame.shape[:2], 3)))


def _encode(frames: Iterator[np.ndarray], form: str, seconds: float, credit: Credit, loop: bool) -> bytes:
    images = (
        _with_one_palette(list(frames)) if form == 'GIF' else [pictures.to_image(frame) for frame in frames]
    )
    details: dict[str, Any] = {'optimize': False} if form == 'GIF' else pictures.options(form, credit)
    if form != 'GIF' or loop:  # a GIF that says nothing is played once; 0 is for ever
        details['loop'] = 0 if loop else 1
    if form == 'WEBP':
        details |= {'method': 4, 'quality': 60}  # lossless: how hard it tries
    durations = _durations(len(images), seconds, form)
    buffer, (first, *rest) = io.BytesIO(), images
    first.save(buffer, format=form, save_all=True, append_images=rest, duration=durations, **details)
    if form != 'GIF' or credit.marks.unmarked:
        return buffer.getvalue()
    return packets.into_gif(buffer.getvalue(), to_xmp(credit))


def _durations(n: int, seconds: float, form: str) -> list[int]:
    """Round the times at which frames begin, so that the whole lasts as long as asked for."""
    tick = TICK[form]
    begins = [round(i * seconds * 1000 / tick) * tick for i in range(n + 1)]
    return [max(after - before, tick) for before, after in itertools.pairwise(begins)]


def _with_one_palette(frames: list[np.ndarray]) -> list[Image.Image]:
    """Give all frames the same palette, so that what does not move does not flicker: exact where 256 colours suffice.

    Otherwise the nearest by median cut of pixels of all frames, without dithering, whose grain would move.
    """
    colours = [np.broadcast_to(frame, (*frame.shape[:2], 3)) for frame in frames]
    exact = _join(colours)
    if exact is not None:
        palette = np.stack([exact >> 16, exact >> 8 & 255, exact & 255], axis=-1).astype(np.uint8)
        return [
            _indexed(np.searchsorted(exact, _packed(frame)).astype(np.uint8), palette) for frame in colours
        ]
    step = max(1, sum(frame.shape[0] * frame.shape[1] for frame in colours) // LOOKED_AT)
    pixels = np.concatenate([frame.reshape(-1, 3)[i % step :: step] for i, frame in enumerate(colours)])
    chosen = Image.fromarray(pixels[None]).quantize(COLOURS, method=Image.Quantize.MEDIANCUT, kmeans=1)
    dither = Image.Dither.NONE
    return [
        Image.fromarray(np.ascontiguousarray(frame)).quantize(palette=chosen, dither=dither)
        for frame in colours
    ]


def _packed(frame: np.ndarray) -> np.ndarray:
    wide = frame.astype(np.uint32)
    return wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


def _join(frames: list[np.ndarray]) -> np.ndarray | None:
    """List the colours of all frames, packed, ascending; None: they are too many for a GIF."""
    found = np.zeros(0, np.uint32)
    for frame in frames:
        found = np.union1d(found, _packed(frame))
        if len(found) > COLOURS:
            return None
    return found


def _indexed(index: np.ndarray, palette: np.ndarray) -> Image.Image:
    image = Image.fromarray(index, mode='L')
    image.putpalette(palette.tobytes())
    return image
