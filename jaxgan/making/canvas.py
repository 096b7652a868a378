"""``jaxgan canvas``: textures that tile, and worlds larger than a generator's images."""

import math
import re
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.progress import track

from jaxgan import canvas, images, kernels
from jaxgan.errors import InputError
from jaxgan.making.asking import check_psi
from jaxgan.making.destination import check_file
from jaxgan.making.pictures import format_of, write_picture
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
) -> int:
    """Make a canvas, and write it as a picture."""
    width, height = parse_size(size)
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f'seed {seed} must be in 0..{MAX_SEED}')
    if not 1 <= span <= 64:
        raise InputError(f'span {span} must be in 1..64')
    check_psi(psi)
    format_of(check_file(out))
    keep_programs()
    generator = open_generator(Path(source), step, best)
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
    keys = canvas.draw_keys(jax.random.key(seed), *grid)
    signs = generator.card['architecture'].get('signs', 0)
    z = canvas.smooth(canvas.draw_latents(generator.latents, keys), span, signs)
    cells = _cells(generator, z, label, psi)
    noise = None if network.synthesis is None or grid == (1, 1) else keys
    parts = canvas.paint(
        network, generator.params, generator.aux, cells, label, noise, tile=tile, convert=to_pixels
    )
    count = _count_windows(field, grid, tile)
    console = Console(stderr=True)
    hidden = not console.is_terminal or count < 4
    shown = track(parts, 'windows', total=count, console=console, disable=hidden)
    return canvas.assemble(iter(shown), *size)


def _cells(generator: Generator, z: Any, label: Any, psi: float) -> Any:
    """Turn latents into what the generator takes a field of: latents, or styles; truncated."""
    if generator.network.synthesis is None:
        signs = generator.card['architecture'].get('signs', 0)
        is_sign = np.arange(z.shape[-1]) >= z.shape[-1] - signs
        return np.asarray(z) * np.where(is_sign, 1, psi).astype(
            np.float32
        )  # the mean is 0; signs are choices
    space = generator.choose_space('w+')
    flat = z.reshape(-1, z.shape[-1])
    labels = None if label is None else np.full(len(flat), label, np.int32)
    codes = jax.jit(space.encode)(generator.params, generator.aux, flat, labels)
    if psi != 1:
        codes = truncate(codes, generator.center(space, None if label is None else int(label)).mean, psi)
    return np.asarray(codes).reshape(*z.shape[:2], *codes.shape[1:])


def _count_windows(field: Field, grid: tuple[int, int], tile: bool) -> int:
    window = max(1, canvas.WINDOW // field.unit)
    return math.prod(-(-(n if tile else n + field.overlap) // window) for n in grid)
