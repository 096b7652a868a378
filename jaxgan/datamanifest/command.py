"""``jaxgan manifest``: the manifest of a data set, as a command."""

import dataclasses
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from jaxgan.configjson import read_config
from jaxgan.data import DataConfig, ImageSource, open_source
from jaxgan.datamanifest.entries import NAME, Entry, write_manifest
from jaxgan.datamanifest.gather import counted, list_images
from jaxgan.datamanifest.options import ManifestOptions
from jaxgan.errors import InputError
from jaxgan.files import unwritable
from jaxgan.generatorfolder import CONFIG, kind_of

SHOWN = 10


def manifest_command(**given: Any) -> int:
    """Open the data as a training would, look at every image, and write a line on each."""
    options = ManifestOptions(**given)
    config, folder = _config(options)
    target = Path(options.out) if options.out else folder / NAME
    if target.is_dir():
        raise InputError(f'cannot write {target}: it is a folder')
    source = open_source(config)
    entries = _listed(source)
    try:
        write_manifest(target, entries)
    except OSError as error:
        raise unwritable(target, error) from None
    Console(highlight=False).print(_summary(source, entries))
    print(f'wrote {target}: {len(entries):,} images')
    return 0


def _config(options: ManifestOptions) -> tuple[DataConfig, Path]:
    """Tell which data are meant, and where their manifest goes."""
    if options.data.name != DataConfig.name:
        raise InputError(f'--name {options.data.name}: the data are named by the first argument')
    run = Path(options.source)
    if kind_of(run) == 'run':
        if options.data != DataConfig():
            raise InputError(f'{run} is a run: its own configuration says how its data are read')
        return read_config(run / CONFIG).data, run
    if run.is_dir():
        raise InputError(f'{run} is no run: it has no {CONFIG}; a folder of images is folder:{run}')
    return dataclasses.replace(options.data, name=options.source), Path()


def _listed(source: ImageSource) -> list[Entry]:
    console = Console(stderr=True)
    columns = (TextColumn('images'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task('', total=len(source))
        return list_images(source, advance=lambda count: bar.update(task, advance=count))


def _summary(source: ImageSource, entries: list[Entry]) -> Table:
    info = source.info
    numbers = [entry.group for entry in entries if entry.group is not None]
    opted = sum(bool(entry.opt_outs) for entry in entries)
    rows = [
        ('licences', _shown(counted(entries, 'licence'))),
        ('creators', _shown(counted(entries, 'creator'))),
        (
            'near-duplicates',
            f'{len(numbers):,} images in {len(set(numbers)):,} groups' if numbers else 'none',
        ),
        ('opted out', f'{info.opted_out:,} left out, {opted:,} used all the same'),
        ('left out', f'{len(info.skipped):,} files' if info.skipped else 'none'),
        *(('', f'{file}: {reason}') for file, reason in info.skipped[:SHOWN]),
        *(('unread', f'{file}: {reason}') for file, reason in info.unread[:SHOWN]),
    ]
    table = Table(show_header=False, box=None, title=Text(info.name), title_justify='left')
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _shown(counts: list[tuple[str, int]]) -> str:
    more = f', and {len(counts) - SHOWN:,} more' if len(counts) > SHOWN else ''
    return ', '.join(f'{name} ({count:,})' for name, count in counts[:SHOWN]) + more
