"""What pictures of a training say of themselves: the weights are still changing, so the run is named instead of them."""

import hashlib

from jaxgan.config import Config
from jaxgan.configjson import to_json
from jaxgan.credentials import Credit, Marks, without_folders

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
