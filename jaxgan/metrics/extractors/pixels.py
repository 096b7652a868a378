"""The pixels themselves as features: for points in a plane and the smallest images, where they mean something.

Distances by them say nothing of what large images show.
"""

import hashlib
from pathlib import Path

import jax
import jax.numpy as jnp

from jaxgan.errors import InputError
from jaxgan.metrics.types import Extractor, Features

WIDEST = 4096


def load(name: str, path: str | Path | None = None, download: bool = False) -> Extractor:
    """Make the extractor: features are the bytes as floats in [-1, 1], one after another.

    Raises:
        InputError: a file of weights was given. On application: an image has more than 4,096 values.
    """
    del download
    if path is not None:
        raise InputError(f'extractor {name} has no weights, and {path} was given')
    return Extractor(
        name=name,
        label='pixels',
        digest=hashlib.sha256(b'').hexdigest(),
        resize='as they are',
        params={},
        apply=_apply,
    )


def _apply(params: dict, images: jax.Array) -> Features:
    del params
    values = images.shape[1] * images.shape[2] * images.shape[3]
    if values > WIDEST:
        raise InputError(f'extractor pixels: images of {values} values (allowed: up to {WIDEST})')
    return Features(images.astype(jnp.float32).reshape(len(images), -1) / 127.5 - 1, {})
