"""``jaxgan vary``: variations of an image, around it or towards others."""

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan import images, kernels, variation
from jaxgan.errors import InputError
from jaxgan.making.crediting import credit_of, parents
from jaxgan.making.destination import check_apart, check_target
from jaxgan.making.layers import choose_layers
from jaxgan.making.made import counted
from jaxgan.making.painting import decode
from jaxgan.making.projections import Places, save_places, take
from jaxgan.making.starts import find_one, find_start, in_space
from jaxgan.marks import pictures
from jaxgan.marks.asked import read_marks
from jaxgan.opened import Generator, open_generator
from jaxgan.runtime import keep_programs
from jaxgan.sampling import MAX_SEED, seed_keys
from jaxgan.unused import refuse

MOST = 4096  # images


class Request(NamedTuple):
    """What is asked for besides the start."""

    strengths: list[float]
    n: int | None
    seed: int
    mix: str | None
    layers: str | None
    label: str | None
    rights: str | None


def vary_command(
    source: str,
    start: str,
    out: str,
    strength: float | None,
    strengths: str | None,
    n: int | None,
    seed: int | None,
    mix: str | None,
    layers: str | None,
    space: str | None,
    label: str | None,
    scale: int | None,
    source_rights: str | None,
    step: int | None,
    best: bool,
    **marks: Any,
) -> int:
    """Write variations of one image, a row for each strength."""
    target = check_target(out, scale)
    check_apart(target, (start, mix))
    if strengths is not None:
        refuse('with --strengths', strength=strength)
    if mix is not None:
        refuse('with --mix', seed=seed)
    one, seed = 0.5 if strength is None else strength, seed or 0
    asked = Request(parse_strengths(strengths, one), n, seed, mix, layers, label, source_rights)
    _check(asked)
    asked_marks = read_marks(**marks)
    keep_programs()
    generator = open_generator(Path(source), step, best, asked_marks)
    kernels.enable()
    begin = find_one(start, generator, space=space, label=label, rights=source_rights)
    begin, others = _others(generator, begin, asked)
    places = vary(generator, begin, others, asked)
    made = decode(generator, places)
    _tell(asked, images.to_uint8(decode(generator, begin))[0], images.to_uint8(made))
    used = places if others is None else places._replace(origins=(*begin.origins, *others.origins))
    details = {
        'start': begin.names[0],
        'mix': None if others is None else ', '.join(others.names),
        'strength': ', '.join(f'{value:g}' for value in asked.strengths),
        'layers': layers,
        'variation_seed': None if mix else seed,
        'space': begin.space,
    }
    credit = credit_of(generator, used, **details)
    if target.suffix:
        columns = len(places.codes) // len(asked.strengths) if len(asked.strengths) > 1 else None
        sheet = images.picture(images.to_uint8(made), columns=columns, scale=scale)
        pictures.write_picture(target, sheet, credit)
    else:
        rows = zip(places.names, images.to_uint8(made), _rows(asked.strengths, places), strict=True)
        for i, (name, pixels, value) in enumerate(rows):
            own = credit_of(generator, used, i, **details | {'strength': f'{value:g}'})
            pictures.write_picture(target / f'{name}.png', images.visible(pixels), own)
        save_places(target, places)
    print(f'wrote {target}: {counted(len(made))} of {made.shape[1]}x{made.shape[2]}')
    return 0


def vary(generator: Generator, begin: Places, others: Places | None, asked: Request) -> Places:
    """Find the places of all variations: those of the first strength, then those of the next, and so on.

    Raises:
        InputError: the layers do not suit the generator.
    """
    n = len(others.codes) if others is not None else asked.n or (16 if len(asked.strengths) == 1 else 8)
    if n * len(asked.strengths) > MOST:
        raise InputError(f'{n * len(asked.strengths)} images are more than {MOST:,}: ask for fewer at a time')
    chosen = _chosen(generator, begin, asked)
    moved = [_moved(generator, begin, others, value, n, chosen, asked.seed) for value in asked.strengths]
    every = take(begin, [0] * (n * len(asked.strengths)))
    words = [f'{value:g}' for value in asked.strengths]
    origins = tuple(
        {**_parents(begin, others, i), 'start': begin.names[0], 'strength': value}
        for value in asked.strengths
        for i in range(n)
    )
    names = tuple(f'{begin.names[0]}_{word}_{i:03d}' for word in words for i in range(n))
    return every._replace(codes=np.concatenate(moved), names=names, origins=origins)


def _moved(
    generator: Generator,
    begin: Places,
    others: Places | None,
    strength: float,
    n: int,
    chosen: Any,
    seed: int,
) -> np.ndarray:
    """Move the start's code n ways at one strength, [n, ...]."""
    codes = np.repeat(begin.codes, n, axis=0)
    if others is not None:
        between = variation.slerp if begin.space == 'z' else variation.lerp
        return np.asarray(variation.mix(codes, others.codes, chosen, strength, between))
    drawn = variation.directions(seed_keys([seed])[0], n, codes.shape[-1])
    if begin.space == 'z':
        found = variation.on_shell(codes, drawn, strength)
    else:
        spread = generator.center(generator.choose_space('w'), _label(begin))
        drawn = (
            drawn[:, None] if begin.space == 'w+' else drawn
        )  # one direction for all layers, as images are made
        found = variation.around(codes, drawn, strength, spread.deviation)
    return np.asarray(np.where(chosen, found, codes))


def _label(places: Places) -> int | None:
    return None if places.labels is None else int(places.labels[0])


def _parents(begin: Places, others: Places | None, i: int) -> dict[str, Any]:
    """Say where a variation comes from: as its start, and what it was mixed with."""
    found = {
        name: begin.origins[0][name]
        for name in ('seed', 'file', 'source', 'rights')
        if name in begin.origins[0]
    }
    if others is None:
        return found
    return {**found, **parents((found, others.origins[i])), 'mix': others.names[i]}


def _others(generator: Generator, begin: Places, asked: Request) -> tuple[Places, Places | None]:
    """Find what is mixed in, and bring both into one space: mixing by layers needs a style for each."""
    if begin.space == 'w' and (asked.layers or asked.mix):
        begin = in_space(generator, begin, 'w+')
    if asked.mix is None:
        return begin, None
    if asked.n is not None:
        raise InputError(
            f'n {asked.n}: with --mix there is one variation for each place that {asked.mix} names'
        )
    return begin, find_start(asked.mix, generator, begin.space, asked.label, asked.rights)


def _chosen(generator: Generator, begin: Places, asked: Request) -> np.ndarray:
    """Find which values of a code may change."""
    shape = begin.codes.shape[1:]
    if asked.layers is not None:
        return choose_layers(generator, begin.space, asked.layers, shape)
    if asked.mix is not None and begin.space == 'w+':
        return choose_layers(generator, 'w+', f'{shape[0] // 2}-', shape)
    return np.ones((1,) * len(shape), bool)


def _rows(strengths: list[float], places: Places) -> list[float]:
    return [value for value in strengths for _ in range(len(places.codes) // len(strengths))]


def _tell(asked: Request, begin: np.ndarray, made: np.ndarray) -> None:
    """Print how far the variations are from the start, on average, at each strength."""
    parts = made.reshape(len(asked.strengths), -1, *made.shape[1:])
    for value, part in zip(asked.strengths, parts, strict=True):
        print(f'strength {value:g}: {distance(part, begin):.2f} of 255 from the start (root mean square)')


def distance(made: np.ndarray, begin: np.ndarray) -> float:
    """Average the distances of images, the roots of their mean squared differences in bytes."""
    squares = np.square(made.astype(np.float64) - begin).reshape(len(made), -1).mean(axis=1)
    return float(np.sqrt(squares).mean())


def parse_strengths(text: str | None, one: float) -> list[float]:
    """Read strengths; no text: the one.

    >>> parse_strengths('0, 0.25,1', 0.5), parse_strengths(None, 0.5)
    ([0.0, 0.25, 1.0], [0.5])

    Raises:
        InputError: one is no number from 0 to 1, or comes twice.
    """
    try:
        found = [one] if text is None else [float(part) for part in text.split(',')]
    except ValueError:
        raise InputError(f"cannot read strengths {text!r}; wanted numbers like '0,0.25,0.5'") from None
    for value in found:
        if not (math.isfinite(value) and 0 <= value <= 1):
            raise InputError(f'strength {value:g} must be in [0, 1]')
    if len(set(found)) < len(found):
        raise InputError(f'strengths {text}: one comes twice')
    return found


def _check(asked: Request) -> None:
    if asked.n is not None and not 1 <= asked.n * len(asked.strengths) <= MOST:
        raise InputError(
            f'n {asked.n} at {len(asked.strengths)} strengths must make 1 to {MOST:,} images: ask for fewer at a time'
        )
    if not 0 <= asked.seed <= MAX_SEED:
        raise InputError(f'seed {asked.seed} must be in 0..{MAX_SEED}')
