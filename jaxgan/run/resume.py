"""Where a training begins: at a checkpoint that can be believed, if its folder has one."""

from collections.abc import Callable
from pathlib import Path

from jaxgan.checkpoints.checkpoint import Checkpoints
from jaxgan.checkpoints.retention import DAMAGED
from jaxgan.config import step_images
from jaxgan.errors import InputError
from jaxgan.run.origin import Origin
from jaxgan.run.rundir import CHECKPOINTS
from jaxgan.run.trainer import Trainer
from jaxgan.state import GanState


def open_checkpoints(trainer: Trainer, workdir: Path) -> Checkpoints:
    """Open a run's checkpoints, which a first start does only after its first dispatch."""
    config = trainer.config
    every, images_of_step = config.keep_every, step_images(config)

    def stretch(step: int) -> int:
        return step * images_of_step // every if every else 0

    return Checkpoints(workdir / CHECKPOINTS, config.keep, stretch)


def continued(
    trainer: Trainer,
    workdir: Path,
    opened: Callable[[], Checkpoints],
    origin: Origin,
    strict: bool,
    like: GanState,
) -> GanState | None:
    """Restore the newest checkpoint that is whole, if there are any, and compare what it was made of.

    Raises:
        InputError: all are damaged, or the newest does not fit or was made of other data.
        MachineError: its environment is another, and ``strict``.
    """
    folder = workdir / CHECKPOINTS
    if not folder.exists():
        return None
    if opened().latest() is None:
        damaged = sorted(path.name for path in folder.iterdir() if DAMAGED in path.name)
        if damaged:
            raise InputError(f'no checkpoint in {folder} but damaged ones ({", ".join(damaged)}); give another --workdir')  # fmt: skip
        return None
    state, meta = opened().restore(like)
    origin.check(meta, f'checkpoint {folder / str(int(state.step))}', strict, print)
    print(f'continuing from {int(state.images_seen):,} images')
    return state
