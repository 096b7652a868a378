"""What pictures of a training say of themselves: the weights are still changing, so the run is named instead of them."""

import functools
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxgan.config import Config
from jaxgan.configjson import to_dict
from jaxgan.credentials import Credit, Marks, without_folders
from jaxgan.marks.pictures import write_marked
from jaxgan.marks.watermarking import Marked, mark

PREFIX = 'run:'

WATCHING = frozenset(
    [
        'images',
        'steps_per_dispatch',
        'log_every',
        'sample_every',
        'checkpoint_every',
        'keep',
        'keep_every',
        'grid',
        'evaluation',
        'sharding',
    ]
)
"""Fields of a configuration that decide how long and how a training is watched, and not what it becomes."""


def run_digest(config: Config) -> str:
    """Name a run: ``run:`` and the SHA-256 of what decides it, which stands for the model in marks and records.

    That is its configuration as JSON (names sorted, no spaces) without ``WATCHING``: a run that goes on for longer keeps its name. The SHA-256 of the
    weights themselves would need the whole average on the host for each grid.
    """
    told = {name: value for name, value in to_dict(config).items() if name not in WATCHING}
    text = json.dumps(told, sort_keys=True, separators=(',', ':'), allow_nan=False)
    return f'{PREFIX}{hashlib.sha256(text.encode()).hexdigest()}'


def run_credit(config: Config, marks: Marks, images_seen: int) -> Credit:
    """Say where a picture comes from that a training makes."""
    details = {'images_seen': str(images_seen)}
    return Credit(run_digest(config), without_folders(config.data.name), '', details, None, marks)


def mark_grid(
    grid: np.ndarray, config: Config, marks: Marks, images_seen: int
) -> tuple[Marked, Callable[[Path], None]]:
    """Mark a grid of samples; also return what writes it as a file."""
    credit = run_credit(config, marks, images_seen)
    marked = mark(grid, credit)
    return marked, functools.partial(write_marked, marked=marked, credit=credit)
