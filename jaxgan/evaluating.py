"""``jaxgan evaluate`` and ``jaxgan compare``: what a user names, opened and measured; tables, and lines in a run's folder."""

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from jaxgan import kernels
from jaxgan.choices import choose_extractor, open_held_out
from jaxgan.configjson import from_dict, read_config
from jaxgan.data import DataConfig, ImageSource, open_source
from jaxgan.data.config import with_split
from jaxgan.data.exclusion import excluded_images
from jaxgan.errors import InputError
from jaxgan.evaluate import Fakes, measure, plan
from jaxgan.generatorfolder import CONFIG, kind_of
from jaxgan.marks.asked import read_marks
from jaxgan.metrics.path_length import PathLength, path_length
from jaxgan.metrics.protocol import EVALUATIONS, Measurement, difference, read_measurements
from jaxgan.metrics.types import Perceptual
from jaxgan.opened import Generator, open_generator
from jaxgan.realimages import Reals, order, read_bytes
from jaxgan.run.evaluator import NEAREST, append, write_nearest
from jaxgan.runtime import keep_programs


def evaluate_command(
    source: str,
    data: str | None,
    split: str | None,
    held_out: str | None,
    extractor: str,
    weights: str | None,
    download: bool,
    measures: tuple[str, ...] | None,
    n: int | None,
    real: int | None,
    flip: bool | None,
    crop: Literal['none', 'center'] | None,
    channels: Literal[1, 3] | None,
    data_dir: str | None,
    seed: int,
    step: int | None,
    best: bool,
    out: str | None,
) -> int:
    """Measure a run's averaged generator, an export, or a folder or .npz of images; print a table and keep the numbers."""
    if n is not None and n < 2:
        raise InputError(f'n {n} must be at least 2')
    path = Path(source)
    fakes, trained_on, seen = open_fakes(path, n, seed, step, best)
    targets = choose_targets(path, out)
    keep_programs()
    given = {'crop': crop, 'data_dir': data_dir, 'channels': channels, 'split': split}
    chosen = choose_data(source, trained_on, data, fakes, given)
    mirrored = flip if flip is not None else chosen.flip
    opened = open_source(chosen)
    reals = Reals(opened, real, mirrored, left_out(opened, chosen, trained_on))
    other = open_held_out(chosen, held_out)
    kernels.enable()
    network = choose_extractor(chosen.name, fakes.size, extractor, weights, download)
    made = plan(network, reals, fakes, other, measures)
    found = measure(made, fakes, seed)
    measurements = [one._replace(**seen) for one in found.measurements]
    console = Console(highlight=False)
    show(console, measurements, made.skipped | found.failed)
    if not measurements:
        raise InputError(f'nothing could be measured of {source}')
    for target in targets:
        append(target, measurements)
    if fakes.credit is not None and kind_of(path) == 'run':
        write_nearest(path / NEAREST, found.nearest, seen, fakes.credit)
    if targets:
        console.print(f'wrote {", ".join(map(str, targets))}', soft_wrap=True, markup=False)
    return 0


def choose_targets(path: Path, out: str | None) -> list[Path]:
    """Name the files to which numbers will be added: a run's, and the one named; both can be written.

    Raises:
        InputError: one cannot.
    """
    found = [path / EVALUATIONS] if kind_of(path) == 'run' else []
    if out is not None:
        if not out.endswith('.jsonl'):
            raise InputError(f'out {out} must end in .jsonl')
        found.append(Path(out))
    for target in found:
        folder = next(parent for parent in target.parents if parent.exists())
        writable = target if target.exists() else folder
        if not os.access(writable, os.W_OK) or target.is_dir() or not folder.is_dir():
            raise InputError(f'{target} cannot be written')
    return found


def choose_data(
    source: str, trained_on: DataConfig | None, name: str | None, fakes: Fakes, given: dict[str, Any]
) -> DataConfig:
    """Configure the real images: those of the training, prepared as there, unless others are named.

    Raises:
        InputError: none are named, and the generated images say nothing of a training.
    """
    given = {field: value for field, value in given.items() if value is not None}
    if name is None and trained_on is None:
        raise InputError(f'{source} says nothing of its data: give --data')
    if trained_on is not None and name in (None, trained_on.name):
        chosen = with_split(trained_on, given.get('split', trained_on.split))
        return dataclasses.replace(chosen, **given)
    of_images: dict[str, Any] = (
        {'size': fakes.size, 'channels': fakes.channels}
        if fakes.size > 1 and fakes.channels in (1, 3)
        else {}
    )
    return DataConfig(name or '', **(of_images | given))


def left_out(source: ImageSource, chosen: DataConfig, trained_on: DataConfig | None) -> np.ndarray:
    """Find what the training excluded, by the pixels that it saw, which may have been prepared in another way."""
    if not chosen.exclude or trained_on is None:
        return excluded_images(source, chosen.exclude)
    before = dataclasses.replace(trained_on, data_dir=chosen.data_dir)
    return excluded_images(source if before == chosen else open_source(before), chosen.exclude)


def open_fakes(
    path: Path, n: int | None, seed: int, step: int | None, best: bool
) -> tuple[Fakes, DataConfig | None, dict[str, Any]]:
    """Open generated images: of a run or an export, or as they lie in a folder or an .npz.

    Returns:
        The images; the data on which their generator was trained, where that is known; and the step and images seen.

    Raises:
        InputError: there are none.
    """
    if kind_of(path):
        found = open_generator(path, step, best, read_marks())
        trained = found.card['trained']
        seen = {'step': trained['step'], 'images_seen': trained['images_seen']}
        return of_generator(found, 10_000 if n is None else n, seed), data_of_training(path, found.card), seen
    if path.suffix == '.npz' or path.is_dir():
        if step is not None or best:
            raise InputError(f'{path} is no run: it has no checkpoint {"best" if best else step}')
        name = f'npz:{path}' if path.suffix == '.npz' else f'folder:{path}'
        return of_files(open_source(DataConfig(name, label='none')), n), None, {}
    kind = 'is neither a run, an export, a folder of images nor an .npz'
    raise InputError(f'{path} {kind if path.exists() else "does not exist"}')


def walks(found: Generator) -> Callable:
    """Make ``walk(distance, paths, seed)`` of a generator without labels: in w where it has styles, else in z."""
    space = found.choose_space(None)
    dimensions = space.name

    def encode(both: Any, z: Any) -> Any:
        return space.encode(*both, z, None)

    def decode(both: Any, codes: Any) -> Any:
        return space.decode(*both, codes, None)

    def walk(perceptual: Perceptual, count: int, seed: int) -> tuple[str, PathLength]:
        both = (found.params, found.aux)
        measured = path_length(
            encode, decode, both, found.latents, perceptual, count=count, space=dimensions, seed=seed
        )
        return f'{dimensions}, ends, epsilon 1e-4, 1% trimmed on each side, {count} paths', measured

    return walk


def of_generator(found: Generator, n: int, seed: int) -> Fakes:
    """Make images of a generator's seeds ``seed`` to ``seed + n - 1``."""
    card = found.card['architecture']
    draw = found.sampler()
    walk = None if card['classes'] else walks(found)
    names = tuple(found.card['labels'])
    credit = found.credit(f'{seed}-{seed + n - 1}')
    sizes = card['size'], card['channels'], card['classes']
    return Fakes(draw, n, *sizes, 'average', seed, walk, names, credit)


def of_files(source: ImageSource, n: int | None = None) -> Fakes:
    """Take the images of a source as they are: all, or so many of a fixed permutation.

    Raises:
        InputError: there are fewer.
    """
    places = order(Reals(source, n))
    if len(places) < 2:
        raise InputError(f'{source.info.origin} holds {len(places)} image; at least 2 can be measured')

    def draw(numbers: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
        del labels
        return read_bytes(source, places[numbers])[0]

    return Fakes(draw, len(places), source.info.size, source.info.channels, 0, 'files')


def data_of_training(path: Path, card: dict[str, Any]) -> DataConfig:
    """Read how the data of a training were prepared, from its run or its export."""
    if kind_of(path) == 'run':
        return read_config(path / CONFIG).data
    prepared = card['data'].get('config')  # exports before this was kept have none
    return (
        from_dict(prepared, DataConfig)
        if prepared
        else DataConfig(card['data']['name'], size=card['architecture']['size'])
    )


def show(console: Console, measurements: Sequence[Measurement], missing: dict[str, str]) -> None:
    """Print numbers as a table with their protocol, and what was not measured."""
    table = Table(box=None, pad_edge=False)
    for name in ('measure', 'value', 'deviation', 'settings'):
        table.add_column(name, justify='right' if name in ('value', 'deviation') else 'left')
    for one in measurements:
        deviation = '' if one.std is None else f'{one.std:.4g}'
        table.add_row(*map(escape, (one.metric, f'{one.value:.5g}', deviation, one.protocol.settings)))
    console.print(table)
    if measurements:
        protocol = dataclasses.replace(measurements[0].protocol, settings='')
        console.print(f'protocol: {protocol}', soft_wrap=True, markup=False)
    for name, reason in missing.items():
        console.print(f'{name}: not measured, for {reason}', soft_wrap=True, markup=False)


def compare_command(first: str, second: str) -> int:
    """Print the newest numbers of two runs or files side by side; those that do not compare are named with the reason.

    Raises:
        InputError: no number of one compares with one of the other.
    """
    a, b = (_newest(read_measurements(path)) for path in (first, second))
    table = Table(box=None, pad_edge=False)
    for name in ('measure', first, second, 'difference'):
        table.add_column(escape(name), justify='left' if name == 'measure' else 'right')
    refused = []
    for metric in [metric for metric in a if metric in b]:
        try:
            change = difference(a[metric], b[metric])
        except InputError as error:
            refused.append(str(error))
            continue
        table.add_row(escape(metric), f'{a[metric].value:.5g}', f'{b[metric].value:.5g}', f'{change:+.5g}')
    if not table.row_count:
        common = (
            '; '.join(refused) or f'they have no measure in common ({", ".join(a)} against {", ".join(b)})'
        )
        raise InputError(f'{first} and {second} do not compare: {common}')
    console = Console(highlight=False)
    console.print(table)
    for reason in refused:
        console.print(reason, soft_wrap=True, markup=False)
    return 0


def _newest(measurements: Sequence[Measurement]) -> dict[str, Measurement]:
    return {one.metric: one for one in measurements}
