"""The keys of a private training, made of a secret: each update of D has its own, and none says anything of another."""

import hashlib
import hmac
from typing import Any

import numpy as np

PURPOSES = 3
"""Keys of an update: which images are in it, what is drawn for them, the noise."""


def run_key(secret: bytes, of: str) -> bytes:
    """Make the key of a run: HMAC-SHA256 of all that decides what its noise hides.

    So runs of other recipes or other data never have the same noise: the difference of what they publish would show what it hid.

    Args:
        secret: the file's bytes.
        of: the run, in words.
    """
    return hmac.new(secret, f'jaxgan private training\n{of}'.encode(), hashlib.sha256).digest()


def update_keys(key: bytes, update: int) -> Any:
    """Make the keys of an update of D, counted from 0: uint32 [PURPOSES, 2], the data of so many JAX keys."""
    digest = hmac.new(key, f'update {update}'.encode(), hashlib.sha256).digest()
    return np.frombuffer(digest[: 8 * PURPOSES], '<u4').astype(np.uint32).reshape(PURPOSES, 2)
