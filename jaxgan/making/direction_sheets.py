"""Sheets that show what directions do: one a direction, a row for each image, and all directions of one image under each other."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from jaxgan.directions import edit
from jaxgan.errors import InputError
from jaxgan.images import BACKGROUND, grid, to_uint8, visible
from jaxgan.making.crediting import credit_of
from jaxgan.making.finding import Found
from jaxgan.making.painting import decode
from jaxgan.making.projections import Places, take
from jaxgan.making.starts import in_space, seeded
from jaxgan.marks.pictures import write_picture
from jaxgan.opened import Generator

ALL = 'all.png'
MOST = 64  # images and amounts of a sheet
FARTHEST = 1000  # standard deviations
LEAST_SHOWN = 0.6  # area under the curve; 0.5 is chance
CAPTION = 14  # pixels of a letter's height


def parse_amounts(text: str) -> list[float]:
    """Read amounts.

    >>> parse_amounts('-3, 0,1.5')
    [-3.0, 0.0, 1.5]

    Raises:
        InputError: one is no finite number, or there are too many.
    """
    try:
        found = [float(part) for part in text.split(',')]
    except ValueError:
        raise InputError(f"cannot read amounts {text!r}; wanted numbers like '-3,0,3'") from None
    if len(found) > MOST:
        raise InputError(f'{len(found)} amounts are more than {MOST}')
    check_amounts(found)
    return found


def check_amounts(amounts: Sequence[float]) -> None:
    """Check how far edits go.

    Raises:
        InputError: one is no number, or so large that codes may not be finite.
    """
    for amount in amounts:
        if not abs(amount) <= FARTHEST:
            raise InputError(f'amount {amount:g} must be a finite number from -{FARTHEST} to {FARTHEST}')


def write_sheets(
    folder: Path, generator: Generator, found: Found, seeds: Sequence[int], amounts: Sequence[float]
) -> list[Path]:
    """Write a sheet for each direction, and ``all.png``: of the first seed a row for each direction, with its name.

    Directions told hardly better than by chance have none (``near_chance``).

    Returns:
        The files; none if no direction is told better.
    """
    left_out = near_chance(found)
    if len(left_out) == len(found.facts):
        return []
    places = in_space(generator, seeded(generator, seeds, found.directions.space), space_of(found))
    rows, paths, shown = [], [], []
    for k, name in enumerate(found.directions.names):
        if k in left_out:
            continue
        moved = edited(places, found, k, amounts)
        pixels = visible(to_uint8(decode(generator, moved)))
        paths.append(folder / f'{file_name(k, name, len(found.facts))}.png')
        told = {'direction': name, 'amounts': ','.join(f'{amount:g}' for amount in amounts)}
        write_picture(paths[-1], grid(pixels, len(amounts)), credit_of(generator, moved, **told))
        rows.append(pixels[: len(amounts)])
        shown.append(name)
    first = take(places, [0])
    sheet = captioned(rows, shown)
    credit = credit_of(generator, first, direction='all', amounts=','.join(f'{x:g}' for x in amounts))
    write_picture(folder / ALL, sheet, credit)
    return [*paths, folder / ALL]


def near_chance(found: Found) -> list[int]:
    """List the directions that are told hardly better than by chance: the area under the curve is below ``LEAST_SHOWN``."""
    return [k for k, fact in enumerate(found.facts) if fact.get('auc', 1.0) < LEAST_SHOWN]


def space_of(found: Found) -> str:
    """Name the space in which edits happen: w+ where only some layers move."""
    return found.directions.space if found.directions.layers is None else 'w+'


def edited(places: Places, found: Found, which: int | str, amounts: Sequence[float]) -> Places:
    """Move each place by each amount: the first place's first, and so on."""
    every = take(places, np.repeat(np.arange(len(places.codes)), len(amounts)).tolist())
    codes = edit(
        every.codes, found.directions, which, np.tile(np.asarray(amounts, np.float32), len(places.codes))
    )
    return every._replace(codes=np.asarray(codes))


def file_name(k: int, name: str, count: int) -> str:
    """Name a file by a direction's number and name, without what file systems do not like.

    >>> file_name(3, 'hair=#ff0000', 20), file_name(0, '0', 5)
    ('03_hair_ff0000', '0')
    """
    number = f'{k:0{len(str(max(count - 1, 0)))}d}'
    return number if name == str(k) else f'{number}_{re.sub("[^A-Za-z0-9.-]+", "_", name).strip("_.")[:80]}'


def captioned(rows: Sequence[np.ndarray], names: Sequence[str]) -> np.ndarray:
    """Lay rows of images under each other, the name of each to its left."""
    strips = [grid(pixels, len(pixels)) for pixels in rows]
    font = ImageFont.load_default(CAPTION)
    width = 2 * CAPTION + max(int(font.getlength(name)) for name in names)
    made = []
    for strip, name in zip(strips, names, strict=True):
        label = Image.new('RGB', (width, len(strip)), (BACKGROUND,) * 3)
        ImageDraw.Draw(label).text((CAPTION, len(strip) // 2), name, 'white', font, anchor='lm')
        colours = strip if strip.shape[-1] >= 3 else np.repeat(strip[..., :1], 3, axis=-1)
        made.append(np.concatenate([np.asarray(label), colours[..., :3]], axis=1))
    return np.concatenate(made)
