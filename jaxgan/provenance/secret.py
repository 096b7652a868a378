"""The watermark's secret, from a file; stands here until ``making.marking`` has it."""

import os
from pathlib import Path

from jaxgan.errors import InputError


def read_secret(mark_key: str | None) -> bytes:
    """Read the secret; empty: there is none.

    Raises:
        InputError: it cannot be read.
    """
    named = mark_key or os.environ.get('JAXGAN_MARK_KEY')
    if not named:
        return b''
    try:
        return Path(named).read_bytes()[:65536]
    except OSError as error:
        raise InputError(f'mark-key {named} cannot be read: {error.strerror}') from None
