"""Whose watermark may be in a file: keys of the models that were named, by the user, a record or the file itself."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxgan.configjson import read_config
from jaxgan.credentials import Marks
from jaxgan.errors import InputError
from jaxgan.generatorfolder import CONFIG, kind_of
from jaxgan.run.credit import run_digest
from jaxgan.run.rundir import BEST
from jaxgan.watermark import model_key, weights_key
from jaxgan.watermark.blocks import BASIS, WEIGHTS_BASIS

DIGEST = re.compile('(run:)?[0-9a-f]{64}')  # of weights, or of a run whose weights still change
SECRET = 'fingerprint:'  # before the name of a secret, where a model's digest would stand
MOST = 64  # models whose marks are looked for in one file: each more costs time, and the others some power


class Candidate(NamedTuple):
    """A key that may be a file's."""

    model: str
    """The model's digest."""
    key: bytes
    secret: bool
    """The key needs the secret; else the digest is enough to find the mark, and to forge it."""
    named_by: str
    """Who named the model."""
    basis: np.ndarray = BASIS
    """Of the coefficients that carry the mark."""


def fingerprint_of(secret: bytes) -> Candidate:
    """Make the key of a mark that a generator itself emits; it is named by a digest of the secret."""
    return Candidate(
        f'{SECRET}{Marks(secret=secret).key}', weights_key(secret), True, 'the user', WEIGHTS_BASIS
    )


def read_models(names: Iterable[str]) -> dict[str, str]:
    """Compute the digests of runs and exports, of a run both of its newest and of its best checkpoint: digest -> name.

    Raises:
        InputError: one is neither, or is damaged.
    """
    from jaxgan.opened import open_generator  # slow: the networks

    found: dict[str, str] = {}
    for name in dict.fromkeys(names):
        path = Path(name)
        found.setdefault(open_generator(path).digest, name)
        if (path / BEST).is_dir():
            found.setdefault(open_generator(path, best=True).digest, f'{name}, best')
        if kind_of(path) == 'run':
            found.setdefault(run_digest(read_config(path / CONFIG)), f'{name}, while it was trained')
    return found


def candidates(
    models: Mapping[str, str], recorded: Iterable[str], credit: Mapping[str, str], secret: bytes
) -> list[Candidate]:
    """List the keys to try on a file, each once: with the secret, where there is one, and without.

    Args:
        models: those of the user (``read_models``).
        recorded: digests that the records name, the newest first.
        credit: what the file says of itself.
        secret: of the watermark; empty: none.

    Raises:
        InputError: the user names too many models.
    """
    if len(models) > MOST:
        raise InputError(
            f'--model names {len(models)} models, and the marks of at most {MOST} are looked for'
        )
    named = {digest: f'--model {name}' for digest, name in models.items()}
    if DIGEST.fullmatch(credit.get('model', '')):
        named.setdefault(credit['model'], 'the file itself')
    for model in recorded:
        if len(named) >= MOST:
            break
        if DIGEST.fullmatch(model):
            named.setdefault(model, 'the record')
    return [
        Candidate(model, model_key(model, one), bool(one), who)
        for model, who in named.items()
        for one in dict.fromkeys((secret, b''))
    ]
