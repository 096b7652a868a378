"""Where TFDS data sets lie prepared: found by looking at folders, because TFDS would go to the network."""

import difflib
import pathlib
import re
import shlex

import tensorflow_datasets as tfds
from tensorflow_datasets.core.constants import get_default_data_dir

from jaxgan.errors import InputError, unknown

_NAME = re.compile(r'(?P<base>\w+)(/(?P<config>[\w.+-]+))?(:(?P<version>\d+\.\d+\.\d+))?')
_VERSION = re.compile(r'\d+\.\d+\.\d+')


def data_root(data_dir: str | None) -> pathlib.Path:
    """Tell where data sets lie prepared: the given folder, or TFDS's default."""
    return pathlib.Path(data_dir or get_default_data_dir()).expanduser()


def split_name(name: str) -> tuple[str, str | None, str | None]:
    """Split ``base``, ``base/config``, either with ``:version``, into the three.

    Raises:
        InputError: if the name has another form.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise InputError(
            f'cannot read the data set name {name!r}; a TFDS name is NAME, NAME/CONFIG or NAME:1.0.0 '
            '(other kinds: folder:PATH, npz:PATH, points:ring25, stacked:NAME)'
        )
    return match['base'], match['config'], match['version']


def locate(name: str, data_dir: str | None) -> pathlib.Path | None:
    """Find the folder of a prepared data set, if there is one.

    Args:
        name: as TFDS writes it; the highest version counts if none is given.
        data_dir: where to look.

    Raises:
        InputError: if there are several configs and none was named.
    """
    base, wanted, version = split_name(name)
    root = data_root(data_dir) / base
    found: dict[str | None, list[pathlib.Path]] = {}
    for features in [*root.glob('*/features.json'), *root.glob('*/*/features.json')]:
        folder = features.parent
        if _VERSION.fullmatch(folder.name) and version in (None, folder.name):
            config = folder.parent.name if folder.parent != root else None
            found.setdefault(config, []).append(folder)
    if wanted is None and None not in found and len(found) > 1:
        raise unknown(f'config of {base}', '', sorted(f'{base}/{config}' for config in found))
    if wanted is None and None not in found and found:
        wanted = next(iter(found))
    versions = found.get(wanted, [])
    return max(versions, key=lambda folder: [int(part) for part in folder.name.split('.')], default=None)


def find_prepared(name: str, data_dir: str | None) -> pathlib.Path:
    """Find the folder of a prepared data set.

    Raises:
        InputError: if there is none; the message has the command that prepares it, or the nearest name.
    """
    folder = locate(name, data_dir)
    if folder is not None:
        return folder
    root, base = data_root(data_dir), split_name(name)[0]
    if base not in known_names() and not (root / base).is_dir():
        raise unknown_name(name)
    raise InputError(
        f'the data set {name!r} is not prepared in {root}: run "{prepare_command(name, data_dir)}" once, '
        "which downloads it (needs pip install 'jaxgan[prepare]')"
    )


def prepare_command(name: str, data_dir: str | None) -> str:
    """Write the command that prepares a data set."""
    return f'jaxgan prepare {name}' + (f' --data-dir {shlex.quote(data_dir)}' if data_dir else '')


def known_names() -> list[str]:
    """List the data sets that TFDS can prepare."""
    return tfds.list_builders(with_community_datasets=False)


def unknown_name(name: str) -> InputError:
    """Make the error for a name that TFDS does not know; it has too many names to list."""
    known = ['pixel_avatars', *known_names()]
    close = difflib.get_close_matches(split_name(name)[0], known, n=1, cutoff=0.5)
    hint = f'; did you mean {close[0]!r}?' if close else ''
    return InputError(
        f'unknown data set {name!r}{hint} (allowed: pixel_avatars, the {len(known) - 1} names of TFDS, '
        'folder:PATH, npz:PATH, points:ring25, stacked:NAME)'
    )
