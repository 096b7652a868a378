"""MP4 by an encoder that the machine has: ffmpeg as a program of its own, which is sent raw frames."""

import importlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from jaxgan.errors import InputError, MachineError

CODECS = {
    'libx264': ('-crf', '14', '-preset', 'medium'),
    'libopenh264': ('-b:v', '8M'),
    'mpeg4': ('-q:v', '2'),
}
"""Encoders by preference, and how good each shall be."""


def find_encoder() -> str:
    """Find ffmpeg: on the PATH, or that of the package imageio-ffmpeg.

    Raises:
        InputError: there is none.
    """
    found = shutil.which('ffmpeg')
    if found:
        return found
    try:
        return importlib.import_module('imageio_ffmpeg').get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        raise InputError(
            'an .mp4 needs ffmpeg, and there is none: install it (apt install ffmpeg, or pip install imageio-ffmpeg), '
            'or take .webp, .png or .gif, which need nothing'
        ) from None


def write_mp4(path: Path, frames: Iterable[np.ndarray], seconds: float, encoder: str) -> None:
    """Encode frames as H.264 in 4:2:0, ready to be played while it loads.

    Args:
        path: the file, which may have any name.
        frames: uint8 [h, w, 3], at least one; all of one size, h and w even.
        seconds: that each is shown.
        encoder: ffmpeg.

    Raises:
        MachineError: the encoder failed.
    """
    rest = iter(frames)
    first = next(rest)
    command = _command(encoder, first.shape[:2], seconds, path)
    with tempfile.TemporaryFile() as errors:  # a pipe would stop it when full
        with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=errors) as process:
            assert process.stdin is not None
            try:
                process.stdin.write(first.tobytes())
                for frame in rest:
                    process.stdin.write(frame.tobytes())
                process.stdin.close()
            except BrokenPipeError:
                pass  # its code says so
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            errors.seek(0)
            lines = errors.read().decode(errors='replace').strip().splitlines()
            raise MachineError(
                f'ffmpeg failed ({process.returncode}): {lines[-1] if lines else "no message"}'
            )


def _command(encoder: str, size: tuple[int, int], seconds: float, path: Path) -> list[str]:
    codec = _choose_codec(encoder)
    source = [
        '-f',
        'rawvideo',
        '-pix_fmt',
        'rgb24',
        '-s',
        f'{size[1]}x{size[0]}',
        '-framerate',
        f'{1 / seconds:.6f}',
    ]
    colours = 'scale=out_color_matrix=bt709:out_range=tv:flags=accurate_rnd+full_chroma_int,format=yuv420p'
    names = ['-colorspace', 'bt709', '-color_primaries', 'bt709', '-color_trc', 'bt709', '-color_range', 'tv']
    target = ['-c:v', codec, *CODECS[codec], *names, '-movflags', '+faststart', '-f', 'mp4', '-y', str(path)]
    return [encoder, '-v', 'error', *source, '-i', '-', '-vf', colours, *target]


def _choose_codec(encoder: str) -> str:
    try:
        listed = subprocess.run(
            [encoder, '-v', 'error', '-encoders'], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise MachineError(f'{encoder} does not run: {error}') from error
    there = {words[1] for line in listed.stdout.splitlines() if len(words := line.split()) > 1}
    for codec in CODECS:
        if codec in there:
            return codec
    raise InputError(f'{encoder} has none of the encoders {", ".join(CODECS)}: take .webp, .png or .gif')
