"""``jaxgan canvas``: textures that tile, and worlds larger than a generator's images."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.progress import track

from jaxgan import canvas, images, kernels
from jaxgan.errors import InputError
from jaxgan.files import check_file
from jaxgan.making.asking import check_psi
from jaxgan.marks.asked import read_marks
from jaxgan.marks.pictures import format_of, write_picture
from jaxgan.opened import Generator, choose_labels, open_generator
from jaxgan.runtime import keep_programs
from jaxgan.sampling import MAX_SEED, to_pixels
from jaxgan.spaces import truncate
from jaxgan.types import Field

MAX_PIXELS = 2**28
MAX_SIDE = 16_383  # of a WebP; others may be longer, and are large enough at that


def canvas_command(
    source: str,
    out: str,
    size: str,
    tile: bool,
    seed: int,
    span: int,
    psi: float,
    label: str | None,
    step: int | None,
    best: bool,
    **marks: Any,
) -> int:
    """Make a canvas, and write it as a picture."""
    width, height = parse_size(size)
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f'seed {seed} must be in 0..{MAX_SEED}')
    if not 1 <= span <= 64:
        raise InputError(f'span {span} must be in 1..64')
    check_psi(psi)
    format_of(check_file(out))
    asked_marks = read_marks(**marks)
    keep_programs()
    generator = open_generator(Path(source), step, best, asked_marks)
    field = canvas.check_field(generator.network)
    grid = (canvas.count_cells(field, height, tile), canvas.count_cells(field, width, tile))
    kernels.enable()
    labels = choose_labels(generator.card, label, 1)
    pixels = make(
        generator, grid, seed, span, psi, None if labels is None else labels[0], tile, (height, width)
    )
    told = {'size': f'{width}x{height}', 'tile': 'yes' if tile else None, 'span': span if span > 1 else None}
    name = None if labels is None else generator.labels[int(labels[0])]
    credit = generator.credit(str(seed), **told, psi=psi if psi != 1 else None, label=name)
    write_picture(out, images.visible(pixels), credit)
    print(f'wrote {out}: {width}x{height} of {grid[1]}x{grid[0]} cells{", which tiles" if tile else ""}')
    return 0


def parse_size(text: str) -> tuple[int, int]:
    """Read 'WIDTHxHEIGHT', or one number for both.

    >>> parse_size('1024x512'), parse_size('64')
    ((1024, 512), (64, 64))

    Raises:
        InputError: it is no such text, or too large.
    """
    match = re.fullmatch(r'([0-9]{1,6})(?:x([0-9]{1,6}))?', text.strip())
    if not match:
        raise InputError(f'cannot read size {text!r}; wanted WIDTHxHEIGHT, such as 1024x1024')
    width, height = int(match[1]), int(match[2] or match[1])
    fits = min(width, height) >= 1 and max(width, height) <= MAX_SIDE and width * height <= MAX_PIXELS
    if not fits:
        raise InputError(f'size {text} must be in 1..{MAX_SIDE} a side, and at most {MAX_PIXELS} pixels')
    return width, height


def make(
    generator: Generator,
    grid: tuple[int, int],
    seed: int,
    span: int,
    psi: float,
    label: Any,
    tile: bool,
    size: tuple[int, int],
) -> np.ndarray:
    """Make a canvas of (rows, columns) cells, cut to (height, width): uint8 [height, width, C]."""
    network, field = generator.network, canvas.check_field(generator.network)
    params, aux = jax.device_put((generator.params, generator.aux))
    source = _source(generator, params, aux, grid, seed, span, psi, label)
    parts = canvas.paint(network, params, aux, grid, source, label, tile=tile, convert=to_pixels)
    count = _count_windows(field, grid, tile)
    console = Console(stderr=True)
    hidden = not console.is_terminal or count < 4
    shown = track(parts, 'windows', total=count, console=console, disable=hidden)
    return canvas.assemble(iter(shown), *size)


def _source(
    generator: Generator,
    params: Any,
    aux: Any,
    grid: tuple[int, int],
    seed: int,
    span: int,
    psi: float,
    label: Any,
) -> canvas.Source:
    """Make a source of what the generator takes a field of, and of its noise, from a seed."""
    key, signs = jax.random.key(seed), generator.card['architecture'].get('signs', 0)
    has_noise = generator.network.synthesis is not None and grid != (1, 1)
    if generator.network.synthesis is None:
        to_cells = _truncated(signs, psi)
    else:
        to_cells = _styles(generator, params, aux, label, psi)

    def source(rows: Any, columns: Any) -> tuple[Any, Any]:
        z = canvas.draw_smooth(generator.latents, key, grid, rows, columns, span, signs)
        return to_cells(z), canvas.draw_keys(key, rows, columns) if has_noise else None

    return source


def _truncated(signs: int, psi: float) -> Callable[[Any], Any]:
    """Make a function that pulls latents to their mean, 0; signs are choices, and stay."""

    def to_cells(z: Any) -> Any:
        is_sign = np.arange(z.shape[-1]) >= z.shape[-1] - signs
        return np.asarray(z) * np.where(is_sign, 1, psi).astype(np.float32)

    return to_cells


def _styles(generator: Generator, params: Any, aux: Any, label: Any, psi: float) -> Callable[[Any], Any]:
    """Make a function from latents to styles, truncated; compiled once for all windows, which are of one shape."""
    space = generator.choose_space('w+')
    encode = jax.jit(space.encode)
    mean = None if psi == 1 else generator.center(space, None if label is None else int(label)).mean

    def to_cells(z: Any) -> Any:
        flat = z.reshape(-1, z.shape[-1])
        labels = None if label is None else np.full(len(flat), label, np.int32)
        codes = encode(params, aux, flat, labels)
        codes = codes if mean is None else truncate(codes, mean, psi)
        return codes.reshape(*z.shape[:2], *codes.shape[1:])

    return to_cells


def _count_windows(field: Field, grid: tuple[int, int], tile: bool) -> int:
    window = max(1, canvas.WINDOW // field.unit)
    return math.prod(-(-(n if tile else n + field.overlap) // window) for n in grid)
