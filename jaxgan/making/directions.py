"""``jaxgan directions``: what can be changed in a generator's images, found and shown; and the same for the studio."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jaxgan import kernels
from jaxgan.errors import InputError
from jaxgan.files import or_machine_error
from jaxgan.making.attributes import (
    Labelled,
    by_classifier,
    by_folders,
    by_table,
    check_attributes,
    classifier_of,
)
from jaxgan.making.direction_files import load_directions, save_directions
from jaxgan.making.direction_sheets import (
    ALL,
    LEAST_SHOWN,
    MOST,
    file_name,
    near_chance,
    parse_amounts,
    write_sheets,
)
from jaxgan.making.finding import Found, by_components, by_factors, by_labels, check_space
from jaxgan.making.layers import parse_layers
from jaxgan.marks.asked import read_marks
from jaxgan.opened import Generator, choose_labels, open_generator
from jaxgan.runtime import keep_programs
from jaxgan.sampling import parse_seeds

LEAST_AUC = 0.8  # of a direction that the studio offers
OF_ONE = 3  # directions of one attribute that it offers
COUNT = 10
MOST_SAMPLES = 1_000_000


def directions_command(
    source: str,
    method: str,
    out: str,
    count: int | None,
    space: str | None,
    samples: int,
    layers: str | None,
    feature: str | None,
    label: str | None,
    labels: str | None,
    projections: str | None,
    apart: tuple[str, ...],
    apart_ridge: float,
    seeds: str,
    amounts: str,
    step: int | None,
    best: bool,
    **marks: Any,
) -> int:
    """Find directions, write them and their sheets, and print how well each is told."""
    _check(method, count, samples, feature, labels, projections, apart, apart_ridge)
    shown = [] if seeds == 'none' else parse_seeds(seeds)
    columns = parse_amounts(amounts)
    if len(shown) > MOST:
        raise InputError(f'{len(shown)} seeds are too many for a sheet: at most {MOST}')
    target = Path(out)
    if target.exists() and not target.is_dir():
        raise InputError(f'cannot write {out}: it is a file')
    asked_marks = read_marks(**marks)
    keep_programs()
    generator = open_generator(Path(source), step, best, asked_marks)
    kernels.enable()
    space = check_space(generator, space)
    moved = choose_styles(generator, space, layers)
    if method == 'attributes':
        labelled = _labelled(generator, space, samples, label, labels, projections, apart)
        found = by_labels(labelled, space, moved, apart, apart_ridge)
        found = found if count is None else keep(found, best_told(found, count))
    elif method == 'sefa':
        found = by_factors(generator, space, count or COUNT, samples, moved)
    else:
        chosen = choose_labels(generator.card, label, 1)
        number = None if label is None or chosen is None else int(chosen[0])
        found = by_components(generator, space, count or COUNT, samples, moved, feature, number)
    before = sheets_in(target)
    save_directions(target, found, generator.digest)
    paths = write_sheets(target, generator, found, shown, columns) if shown else []
    remove_sheets(path for path in before if path not in paths)
    console = Console(highlight=False)
    show(console, found)
    left_out = near_chance(found) if shown else []
    if left_out:
        names = ', '.join(found.directions.names[k] for k in left_out)
        console.print(
            f'no sheet for what is told hardly better than by chance (AUC below {LEAST_SHOWN:g}): {names}',
            soft_wrap=True,
            markup=False,
        )
    print(
        f'wrote {target}: {len(found.facts)} directions in {space}'
        + (f', {len(paths)} sheets ({target / ALL} has all)' if paths else '')
    )
    return 0


def _check(
    method: str,
    count: int | None,
    samples: int,
    feature: str | None,
    labels: str | None,
    projections: str | None,
    apart: tuple[str, ...],
    ridge: float,
) -> None:
    if count is not None and count < 1:
        raise InputError(f'count {count} must be at least 1')
    if not 100 <= samples <= MOST_SAMPLES:
        raise InputError(f'samples {samples} must be in 100..{MOST_SAMPLES}')
    if not (math.isfinite(ridge) and ridge >= 0):
        raise InputError(f'apart-ridge {ridge:g} must be at least 0')
    wrong = {'feature': feature} if method != 'ganspace' else {}
    if method != 'attributes':
        wrong |= {'labels': labels, 'projections': projections, 'apart': apart or None}
    for name, value in wrong.items():
        if value is not None:
            raise InputError(f'{name} {value}: the method {method} has no use for it')


def choose_styles(generator: Generator, space: str, text: str | None) -> tuple[int, ...] | None:
    """Turn a list of layers into the numbers of styles; None: all.

    Raises:
        InputError: there are no such layers, or the space has none.
    """
    if text is None:
        return None
    if space == 'z':
        raise InputError(
            f'layers {text}: a direction of z moves whole latents; only those of w move some layers'
        )
    return tuple(np.flatnonzero(parse_layers(text, generator.layers)).tolist())


def _labelled(
    generator: Generator,
    space: str,
    samples: int,
    label: str | None,
    labels: str | None,
    projections: str | None,
    apart: tuple[str, ...],
) -> Labelled:
    if labels is None and projections is None:
        return by_classifier(generator, space, samples, label, apart)[0]
    if labels is not None:
        found = by_table(generator, space, labels, projections, label)
    else:
        found = by_folders(generator, space, str(projections))
    check_attributes(apart, [attribute.name for attribute in found.attributes])
    return found


def sheets_in(folder: Path) -> list[Path]:
    """Name the sheets of the directions that a folder holds; none where it holds no directions."""
    try:
        names = load_directions(folder).directions.names
    except InputError:
        return []
    return [folder / f'{file_name(k, name, len(names))}.png' for k, name in enumerate(names)] + [folder / ALL]


def remove_sheets(paths: Iterable[Path]) -> None:
    """Remove sheets of directions that are no more."""
    for path in paths:
        if path.is_file():
            with or_machine_error(f'{path} cannot be removed'):
                path.unlink()


def show(console: Console, found: Found) -> None:
    """Print a table: each direction's name and figures."""
    figures = [name for name in found.facts[0] if name not in ('attribute', 'value')]
    table = Table(box=None, pad_edge=False)
    table.add_column('direction')
    for name in figures:
        table.add_column(name, justify='right')
    for name, fact in zip(found.directions.names, found.facts, strict=True):
        table.add_row(escape(name), *(f'{fact[figure]:.3g}' for figure in figures))
    console.print(table)
    left_out = found.settings.get('left_out')
    if left_out:
        console.print(f'left out, for too few images show them: {", ".join(left_out)}', markup=False)


def for_studio(
    generator: Generator, space: str | None = None, count: int = 12, samples: int = 10_000
) -> dict[str, Any]:
    """Find the directions that a page offers as sliders: attributes where a classifier goes with the data, else GANSpace.

    Args:
        generator: of the page.
        space: 'z' or 'w'; None: w where there are styles.
        count: at most so many: of attributes those that are told best (held-out AUC of at least 0.8), three of one attribute at most.
        samples: latents drawn to find them.

    Returns:
        As JSON: 'space', 'method' ('attributes' or 'ganspace'), 'center' (the mean code, D numbers), and 'directions', a list of
        {'name', 'vector' (D numbers, a unit vector), 'scale' (the standard deviation of codes along it), and what else is known:
        'attribute', 'value', 'auc', 'accuracy', 'share', or 'explained'}. An edit is ``code + amount scale vector``.
    """
    space = check_space(generator, space)
    if classifier_of(generator) is None:
        return as_json(by_components(generator, space, count, samples))
    found = by_labels(by_classifier(generator, space, samples)[0], space, apart=('all',))
    return as_json(keep(found, best_told(found, count, LEAST_AUC, OF_ONE)))


def best_told(found: Found, count: int, least: float = 0.0, of_one: int | None = None) -> list[int]:
    """Choose the attribute directions that are told best, in the order they have.

    Args:
        found: directions from labels.
        count: at most so many.
        least: the area under the curve that each must have.
        of_one: at most so many of one attribute; None: any number.
    """
    chosen: list[int] = []
    for k in sorted(range(len(found.facts)), key=lambda k: -found.facts[k]['auc']):
        fact = found.facts[k]
        same = sum(found.facts[i]['attribute'] == fact['attribute'] for i in chosen)
        if fact['auc'] >= least and (of_one is None or same < of_one) and len(chosen) < count:
            chosen.append(k)
    return sorted(chosen)


def keep(found: Found, chosen: list[int]) -> Found:
    """Keep some of the directions."""
    old = found.directions
    new = old._replace(
        vectors=old.vectors[chosen], scales=old.scales[chosen], names=tuple(old.names[k] for k in chosen)
    )
    return found._replace(directions=new, facts=tuple(found.facts[k] for k in chosen))


def as_json(found: Found) -> dict[str, Any]:
    """Write directions as JSON values."""
    directions = found.directions
    each = zip(directions.names, directions.vectors, directions.scales, found.facts, strict=True)
    return {
        'space': directions.space,
        'method': found.method,
        'center': directions.center.tolist(),
        'directions': [
            {'name': name, 'vector': vector.tolist(), 'scale': float(scale), **fact}
            for name, vector, scale, fact in each
        ],
    }
