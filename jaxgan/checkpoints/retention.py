"""Which checkpoints stay, and how one is deleted: never half, so that a kill leaves a checkpoint or none."""

import contextlib
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

SAVING, DELETED, DAMAGED = '.saving', '.deleted', '.damaged'
LEFT = re.compile(
    r'\d+(\.saving|\.deleted)?(\.orbax-checkpoint-tmp.*)?'
)  # but for a plain number: what a kill left


def surplus(steps: Sequence[int], keep: int, stretch: Callable[[int], int]) -> list[int]:
    """List the checkpoints that may go: all but the newest ``keep``, and the first of each stretch.

    Args:
        steps: those that there are, oldest first.
        keep: how many of the newest stay; at least 1.
        stretch: the number of the stretch in which a step lies; of stretch 0 none stays for good.

    >>> surplus([5, 10, 15, 20, 25], 1, lambda step: step // 10)
    [5, 15]
    """
    firsts = {stretch(step): step for step in reversed(steps)}
    return [step for step in steps[:-keep] if not stretch(step) or firsts[stretch(step)] != step]


def found_steps(folder: Path) -> list[int]:
    """List the checkpoints in a folder by the step that names them, oldest first."""
    if not folder.is_dir():
        return []
    return sorted(int(path.name) for path in folder.iterdir() if path.name.isdecimal() and path.is_dir())


def remove(path: Path) -> None:
    """Delete a checkpoint; a kill leaves it whole, or under a name that is no checkpoint's."""
    gone = path.with_name(path.name + DELETED)
    shutil.rmtree(gone, ignore_errors=True)
    path.rename(gone)
    shutil.rmtree(gone)


def remove_left(folder: Path) -> None:
    """Delete what a kill left of a save or of a deletion."""
    for path in list(folder.iterdir()) if folder.is_dir() else ():
        if LEFT.fullmatch(path.name) and not path.name.isdecimal():
            shutil.rmtree(path, ignore_errors=True)


def set_aside(path: Path) -> Path:
    """Rename a damaged checkpoint, so that it is kept and not taken for one."""
    aside, number = path.with_name(path.name + DAMAGED), 2
    while aside.exists():
        aside, number = path.with_name(f'{path.name}{DAMAGED}-{number}'), number + 1
    path.rename(aside)
    return aside


def discard(folder: Path, step: int) -> None:
    """Delete what there is of a save that failed."""
    with contextlib.suppress(OSError):
        for path in folder.glob(f'{step}{SAVING}*'):
            shutil.rmtree(path, ignore_errors=True)
