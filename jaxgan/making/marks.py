"""From a command's options to how its pictures are marked: files are read, and all is checked, before anything is written."""

import os
from pathlib import Path

from jaxgan.credentials import Marks
from jaxgan.errors import InputError, MachineError
from jaxgan.files import reason
from jaxgan.making.destination import check_file
from jaxgan.making.unused import refuse

SECRET_FILE = 'JAXGAN_MARK_KEY'  # in the environment
LEAST_SECRET, MOST_SECRET = 16, 2**16  # bytes
MOST_REASON = 1000  # characters


def read_marks(
    unmarked: str | None = None,
    mark_key: str | None = None,
    sign: tuple[str, str] | None = None,
    record: str | None = None,
) -> Marks:
    """Turn options into marks: the secret and the signer's files are read, and checked before anything is written.

    Args:
        unmarked: why there shall be none.
        mark_key: a file with a secret; None: that which ``JAXGAN_MARK_KEY`` names, if it does.
        sign: files of a certificate and of its key.
        record: a file for the lines.

    Raises:
        InputError: a file cannot be used, the reason is empty, or two options contradict each other.
    """
    path = None if record is None else check_file(record)
    if unmarked is not None:
        refuse('with --unmarked', mark_key=mark_key, sign=sign)
        return Marks(unmarked=_reason(unmarked), record=path)
    signer = None
    if sign is not None:
        from jaxgan.provenance.signing import make_signer  # an extra, and slow to import

        signer = make_signer(*sign)
    return Marks(secret=read_secret(mark_key), sign=signer, record=path)


def _reason(text: str) -> str:
    told = ' '.join(text.split())
    if not told:
        raise InputError('--unmarked needs a reason, which the record keeps')
    if len(told) > MOST_REASON:
        raise InputError(f'--unmarked: a reason of {len(told)} characters is too long: at most {MOST_REASON}')
    return told


def read_secret(mark_key: str | None) -> bytes:
    """Read the watermark's secret; empty: there is none.

    Args:
        mark_key: a file; None: that which ``JAXGAN_MARK_KEY`` names.

    Raises:
        InputError: it cannot be read, or is too short or too long.
        MachineError: it may not be read.
    """
    named = mark_key if mark_key is not None else os.environ.get(SECRET_FILE) or None
    if named is None:
        return b''
    what = f'mark-key {named}' if mark_key is not None else f'{SECRET_FILE} {named}'
    try:
        if Path(named).exists() and not Path(named).is_file():
            raise InputError(f'{what} cannot be read: it is no file')
        with open(named, 'rb') as file:
            secret = file.read(MOST_SECRET + 1)
    except PermissionError:
        raise MachineError(f'{what} cannot be read: permission denied') from None
    except (OSError, ValueError) as error:
        raise InputError(f'{what} cannot be read: {reason(error)}') from None
    if not LEAST_SECRET <= len(secret) <= MOST_SECRET:
        count = len(secret) if len(secret) <= MOST_SECRET else f'more than {MOST_SECRET:,}'
        raise InputError(
            f'{what} has {count} bytes: a secret has {LEAST_SECRET} to {MOST_SECRET:,}, such as 32 of /dev/urandom'
        )
    return secret
