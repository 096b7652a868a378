"""``jaxgan edit``: an image changed along directions that were found."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan import images, kernels
from jaxgan.directions import edit, position
from jaxgan.errors import InputError
from jaxgan.making.crediting import credit_of
from jaxgan.making.destination import check_apart, check_target
from jaxgan.making.direction_files import load_directions
from jaxgan.making.direction_sheets import MOST, check_amounts, parse_amounts, space_of
from jaxgan.making.directions import choose_styles
from jaxgan.making.finding import Found, check_fits
from jaxgan.making.made import counted
from jaxgan.making.painting import decode
from jaxgan.making.projections import Places, save_places, take
from jaxgan.making.starts import find_start, in_space
from jaxgan.marks import pictures
from jaxgan.marks.asked import read_marks
from jaxgan.opened import open_generator
from jaxgan.runtime import keep_programs


def edit_command(
    source: str,
    start: str,
    directions: str,
    direction: tuple[str, ...],
    amount: tuple[float, ...],
    amounts: str | None,
    layers: str | None,
    label: str | None,
    out: str,
    scale: int | None,
    source_rights: str | None,
    step: int | None,
    best: bool,
    **marks: Any,
) -> int:
    """Move one or several codes along directions, and write their images."""
    target = check_target(out, scale)
    check_apart(target, (start,))
    columns = parse_columns(direction, amount, amounts)
    asked_marks = read_marks(**marks)
    keep_programs()
    generator = open_generator(Path(source), step, best, asked_marks)
    kernels.enable()
    found = load_directions(directions, generator.digest)
    check_fits(found, generator, directions)
    for name in direction:
        position(found.directions, name)
    if layers is not None:
        styles = choose_styles(generator, found.directions.space, layers)
        found = found._replace(directions=found.directions._replace(layers=styles))
    begin = find_start(start, generator, label=label, rights=source_rights)
    if begin.space != 'w+' or found.directions.space != 'w':
        begin = in_space(generator, begin, space_of(found))
    if len(begin.codes) * len(columns) > MOST**2:
        raise InputError(
            f'{len(begin.codes) * len(columns)} images are more than {MOST**2:,}: ask for fewer at a time'
        )
    made = edited(begin, found, direction, columns)
    if not np.isfinite(made.codes).all():
        raise InputError(f'{directions}: codes so far along these directions are not finite')
    pixels = images.visible(images.to_uint8(decode(generator, made)))
    details = {
        'direction': ', '.join(
            found.directions.names[position(found.directions, name)] for name in direction
        ),
        'layers': layers,
        'space': made.space,
    }
    if target.suffix:
        told = {'amount': '; '.join(map(_told, columns)), **details}
        alone = len(pixels) == 1 and scale is None
        width = len(columns) if len(columns) > 1 else None
        sheet = pixels[0] if alone else images.grid(pixels, width, scale=scale)
        pictures.write_picture(target, sheet, credit_of(generator, made, **told))
    else:
        for i, (name, image) in enumerate(zip(made.names, pixels, strict=True)):
            credit = credit_of(
                generator, take(made, [i]), i, amount=_told(columns[i % len(columns)]), **details
            )
            pictures.write_picture(target / f'{name}.png', image, credit)
        save_places(target, made)
    print(f'wrote {target}: {counted(len(pixels))} of {pixels.shape[1]}x{pixels.shape[2]}')
    return 0


def parse_columns(
    direction: Sequence[str], amount: Sequence[float], amounts: str | None
) -> list[tuple[float, ...]]:
    """Tell how far each image goes along each direction: a tuple for each column.

    Raises:
        InputError: there is no direction, or the amounts do not go with them.

    >>> parse_columns(['hat', 'beard'], [2.0, -1.0], None), parse_columns(['hat'], [], '-1,1')
    ([(2.0, -1.0)], [(-1.0,), (1.0,)])
    """
    if not direction:
        raise InputError('which direction? Give --direction NAME_OR_NUMBER, and --amount or --amounts')
    if amounts is not None:
        if amount or len(direction) != 1:
            raise InputError('--amounts are for one --direction, and instead of --amount')
        return [(value,) for value in parse_amounts(amounts)]
    if len(amount) != len(direction):
        raise InputError(f'{len(direction)} directions need as many amounts; got {len(amount)}')
    check_amounts(amount)
    return [tuple(amount)]


def edited(
    begin: Places, found: Found, direction: Sequence[str], columns: Sequence[tuple[float, ...]]
) -> Places:
    """Move each place by each column of amounts: the first place's images first, and so on; a place or a column may come twice.

    Raises:
        InputError: there is no such direction, or the codes have no such layers.
    """
    n, each = len(begin.codes), len(columns)
    every = take(begin, np.repeat(np.arange(n), each).tolist())
    codes = every.codes
    for k, name in enumerate(direction):
        far = np.tile(np.asarray([column[k] for column in columns], np.float32), n)
        codes = edit(codes, found.directions, name, far)
    words = [_told(column) for column in columns]
    names = numbered([f'{name}_{word.replace(",", "_")}' for name in begin.names for word in words])
    chosen = [found.directions.names[position(found.directions, name)] for name in direction]
    origins = tuple(
        {**origin, 'start': name, 'directions': chosen, 'amounts': list(column)}
        for name, origin in zip(begin.names, begin.origins, strict=True)
        for column in columns
    )
    return every._replace(codes=np.asarray(codes), names=names, origins=origins)


def numbered(names: Sequence[str]) -> tuple[str, ...]:
    """Number names that come again, so that each has a file of its own.

    >>> numbered(['a', 'b', 'a', 'a-2', 'a'])
    ('a', 'b', 'a-2', 'a-2-2', 'a-3')
    """
    found: dict[str, None] = {}
    for name in names:
        chosen, number = name, 2
        while chosen in found:
            chosen, number = f'{name}-{number}', number + 1
        found[chosen] = None
    return tuple(found)


def _told(amounts: Sequence[float]) -> str:
    return ','.join(f'{value:+g}' for value in amounts)
