"""A run's folder: whether it can hold a run, and whose it is."""

from pathlib import Path

from jaxgan.config import Config
from jaxgan.configjson import differences, read_config
from jaxgan.errors import InputError

PROFILE = 'profile'  # a run's folder may hold it before the run


def open_run(workdir: Path, config: Config) -> None:
    """Check that a folder can hold this run, before anything is written.

    Raises:
        InputError: the folder holds another run, or other files.
    """
    if '\0' in str(workdir):
        raise InputError(f'workdir {workdir} has a zero byte in its name')
    beyond = next((parent for parent in workdir.parents if parent.exists()), workdir)
    if not beyond.is_dir():
        raise InputError(f'workdir {workdir} cannot be made: {beyond} is no folder')
    path = workdir / 'config.json'
    if path.exists():
        saved = read_config(path)
        changed = differences(saved, config)
        if changed:
            raise InputError(f'{workdir} holds a run with another configuration ({"; ".join(changed[:3])}); '
                             'give another --workdir')  # fmt: skip
    elif workdir.exists() and not (
        workdir.is_dir() and {path.name for path in workdir.iterdir()} <= {PROFILE}
    ):
        raise InputError(f'workdir {workdir} exists and holds no run; give another --workdir')
