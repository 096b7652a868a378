"""A studio's folder, written whole or not at all."""

from collections.abc import Mapping
from pathlib import Path

from jaxgan.errors import InputError, MachineError
from jaxgan.files import reason, replacing_folder

MARKS = ('index.html', 'model.json', 'worker.js')
"""The files by which a folder is known as a studio, which may be replaced."""


def check_target(target: Path) -> None:
    """Check that nobody's files would be lost.

    Raises:
        InputError: the folder holds something else than a studio.
    """
    if target.is_dir():
        if any(target.iterdir()) and not all((target / name).is_file() for name in MARKS):
            raise InputError(f'cannot write {target}: it holds other files; name a new folder')
    elif target.exists():
        raise InputError(f'cannot write {target}: it is a file')


def write_folder(target: Path, contents: Mapping[str, bytes]) -> None:
    """Write files into a new folder that takes the place of an older studio.

    Args:
        target: the folder.
        contents: bytes by name; names may have one folder.

    Raises:
        InputError: the folder holds something else than a studio.
        MachineError: it cannot be written.
    """
    check_target(target)
    target = target.absolute()
    try:
        with replacing_folder(target) as temporary:
            for name, data in contents.items():
                path = temporary / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
    except OSError as error:
        raise MachineError(f'{target} cannot be written: {reason(error)}') from error
