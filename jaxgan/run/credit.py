"""What pictures of a training say of themselves: the weights are still changing, so the run is named instead of them."""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from jaxgan.config import Config
from jaxgan.configjson import to_json
from jaxgan.credentials import Credit, Marks, without_folders
from jaxgan.making.marking import Marked, mark
from jaxgan.making.pictures import write_marked

PREFIX = 'run:'


def run_digest(config: Config) -> str:
    """Name a run: ``run:`` and the SHA-256 of its ``config.json``, which stands for the model in marks and records.

    The SHA-256 of the weights themselves would need the whole average on the host for each grid.
    """
    return f'{PREFIX}{hashlib.sha256(to_json(config).encode()).hexdigest()}'


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
