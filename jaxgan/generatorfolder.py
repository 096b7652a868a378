"""What a folder is from which a generator comes: a run's, or an export; asked here only."""

from pathlib import Path
from typing import Literal

from jaxgan.export import CARD

CONFIG = 'config.json'  # of a run: the whole recipe


def kind_of(folder: Path) -> Literal['run', 'export', '']:
    """Tell a run (it has ``config.json``) from an export (it has ``generator.json``, which comes first where there are both).

    Returns:
        What the folder is; '': neither, or it is not there.
    """
    if (folder / CARD).is_file():
        return 'export'
    return 'run' if (folder / CONFIG).is_file() else ''
