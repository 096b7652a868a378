"""Secrets of watermarks and fingerprints, from files."""

import os
from pathlib import Path

from jaxgan.errors import InputError
from jaxgan.files import read_bounded

LEAST, MOST = 16, 2**16  # bytes
VARIABLE = 'JAXGAN_MARK_KEY'  # of the environment


def read_secret(path: str | Path, what: str) -> bytes:
    """Read a secret.

    Args:
        path: a file of 16 to 65,536 bytes.
        what: what asks for it, for messages.

    Raises:
        InputError: it cannot be read, or is too short or too long.
        MachineError: it may not be read.
    """
    what = f'{what} {path}'
    secret = read_bounded(Path(path), MOST, what)
    if len(secret) < LEAST:
        raise InputError(
            f'{what} has {len(secret)} bytes: a secret has {LEAST} to {MOST:,}, such as 32 of /dev/urandom'
        )
    return secret


def watermark_secret(named: str | None = None) -> bytes:
    """Read the watermark's secret; empty: there is none.

    Args:
        named: a file; None: that which ``JAXGAN_MARK_KEY`` names, if it does.
    """
    if named is not None:
        return read_secret(named, 'mark-key')
    there = os.environ.get(VARIABLE)
    return read_secret(there, VARIABLE) if there else b''
