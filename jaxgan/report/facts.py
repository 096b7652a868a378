"""What is known of a run without its metrics: configuration, the record of its newest checkpoint, files."""

import json
import math
import re
from pathlib import Path
from typing import Any

from jaxgan.checkpoints.restore import read_meta
from jaxgan.config import Config
from jaxgan.configjson import to_dict
from jaxgan.errors import InputError
from jaxgan.report.types import Row, Setting
from jaxgan.strictjson import read_json

DEEPEST = 8  # names of a field; no configuration of ours has more than four

KNOWN_FILES = {
    'config.json': 'the whole recipe',
    'metrics.jsonl': 'curves, a JSON object a line',
    'evaluations.jsonl': 'metrics with their protocols',
    'nearest.npz': 'the nearest real images',
    'warnings.jsonl': 'signs of trouble',
    'removals.jsonl': 'images that were removed, and why',
    'sessions.jsonl': 'where the time of each start went',
    'MODEL_CARD.md': 'what these files say, for people',
    'dataset.croissant.json': 'what these files say of the data, for programs',
    'samples': 'grids of fixed latents',
    'checkpoints': 'states from which the run continues',
    'best': 'the state that evaluation found best',
    'tensorboard': 'the curves for TensorBoard',
    'profile': 'a trace of a few dispatches',
}


def read_config(run: Path) -> dict[str, Any]:
    """Read the configuration of a run, as it stands there: an older jaxgan may have had other fields.

    Raises:
        InputError: the folder is no run, or its configuration is not readable.
    """
    path = run / 'config.json'
    if not path.is_file():
        if (run / 'generator.json').is_file():
            raise InputError(f'{run} is an export; a report needs the folder of a run (with config.json)')
        kind = 'is no run: it has no config.json' if run.exists() else 'does not exist'
        raise InputError(f'{run} {kind}; give the --workdir of a training')
    try:
        config = read_json(path)
        pretty(config)  # nested too deeply: now, not while the page is made
    except RecursionError:
        raise InputError(f'{path} cannot be read: it is nested too deeply') from None
    if not isinstance(config, dict):
        raise InputError(f'{path} must hold a JSON object, not {type(config).__name__}')
    return config


def changed_settings(config: dict[str, Any]) -> tuple[Setting, ...]:
    """List the fields that are not at the defaults of ``Config``, by the names that they have on the command line."""
    here, there = flat(config), flat(to_dict(Config()))
    names = [name for name in {**there, **here} if here.get(name, '-') != there.get(name, '-')]
    return tuple(Setting(name, _shown(here, name), _shown(there, name)) for name in names)


def flat(values: Any, prefix: str = '') -> dict[str, Any]:
    """Name the fields of nested records as the command line does.

    >>> flat({'seed': 0, 'penalties': [{'name': 'r1', 'weight': [1.0, 1.0]}]})
    {'seed': 0, 'penalties.0.name': 'r1', 'penalties.0.weight': [1.0, 1.0]}
    """
    if isinstance(values, list) and values and all(isinstance(value, dict) for value in values):
        values = {str(i): value for i, value in enumerate(values)}
    if not isinstance(values, dict) or not values or prefix.count('.') > DEEPEST:
        return {prefix: values}
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= flat(value, f'{prefix}.{name}' if prefix else str(name))
    return found


def _shown(values: dict[str, Any], name: str) -> str:
    if name not in values:
        return '—'
    value = values[name]
    return value if isinstance(value, str) else json.dumps(value)


def read_checkpoint(run: Path, notes: list[str]) -> tuple[int | None, dict[str, Any], tuple[Row, ...]]:
    """Read what stands beside the newest checkpoint.

    Returns:
        Its step, its meta and the numbers of parameters; ``(None, {}, ())`` where there is no checkpoint, or none
        that can be read, which ``notes`` then says.
    """
    folder = run / 'checkpoints'
    if not any(path.name.isdecimal() for path in folder.glob('*')):
        return None, {}, ()
    try:
        step, record = read_meta(folder, say=notes.append)
        sizes = [
            (label, _parameters(record.leaves, player))
            for label, player in (('generator', 'g'), ('discriminator', 'd'))
        ]
    except (InputError, TypeError, ValueError) as error:
        notes.append(f'The newest checkpoint is not described: {error}.')
        return None, {}, ()
    return step, record.meta, tuple((label, f'{size:,}') for label, size in sizes if size)


def _parameters(manifest: dict[str, list], player: str) -> int:
    return sum(
        math.prod(entry[1]) for name, entry in manifest.items() if name.startswith(f'{player}/params/')
    )


def environment(meta: dict[str, Any]) -> tuple[Row, ...]:
    """List what the checkpoint says of the machine and the programs that trained, and of what a private training has spent."""
    rows = {name: meta[name] for name in ('jaxgan', 'jax') if name in meta}
    more = {name: meta.get(name, {}) for name in ('environment', 'privacy')}
    return tuple((name, str(value)) for name, value in flat(rows | more).items() if value != {})


def list_files(run: Path) -> tuple[tuple[str, str, str], ...]:
    """List what lies in a run's folder: name, size, what it is."""
    rows = []
    order = list(KNOWN_FILES)
    for path in sorted(run.iterdir(), key=lambda path: ([*order, path.name].index(path.name), path.name)):
        what = KNOWN_FILES.get(path.name, '')
        if path.is_dir():
            count = len(list(path.iterdir())) if path.name in ('samples', 'checkpoints') else 0
            rows.append(
                (
                    f'{path.name}/',
                    size_text(sum(map(_size, path.rglob('*')))),
                    f'{what} ({count:,})' if count else what,
                )
            )
        elif not path.name.startswith('.') and path.suffix != '.html':
            rows.append((path.name, size_text(_size(path)), what))
    return tuple(rows)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size if path.is_file() else 0
    except OSError:  # a training may be replacing it
        return 0


def size_text(count: int) -> str:
    """Write a number of bytes.

    >>> size_text(512), size_text(2_345_678)
    ('512 B', '2.3 MB')
    """
    size = float(count)
    for unit in ('B', 'kB', 'MB', 'GB'):
        if size < 1000 or unit == 'GB':
            break
        size /= 1000
    return f'{size:.0f} B' if unit == 'B' else f'{size:.1f} {unit}'


def pretty(config: Any) -> str:
    """Write a configuration for the eye: nested, but short lists on one line."""
    text = json.dumps(config, indent=2, ensure_ascii=False)
    return re.sub(r'\[\s+([^][{}"]+?)\s+\]', lambda found: f'[{" ".join(found[1].split())}]', text)
