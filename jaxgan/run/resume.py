"""Where a training begins: at a checkpoint that can be believed, if its folder has one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxgan.checkpoints.checkpoint import Checkpoints
from jaxgan.checkpoints.retention import DAMAGED
from jaxgan.config import step_images
from jaxgan.configjson import from_dict
from jaxgan.data.exclusion import excluded_images
from jaxgan.data.ledger import Order, parting
from jaxgan.errors import InputError
from jaxgan.privacy.plan import why_not_continued
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
        InputError: all are damaged, or the newest does not fit or was made of other data, or has seen what is excluded.
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
    name = f'checkpoint {folder / str(int(state.step))}'
    origin.check(meta, name, strict, print)
    check_exclusion(trainer, meta, name, int(state.step))
    check_plan(trainer, meta, name, int(state.step))
    print(f'continuing from {int(state.images_seen):,} images')
    return state


def check_plan(trainer: Trainer, meta: dict[str, Any], name: str, step: int) -> None:
    """Check that a private training goes on with the noise, sizes and chances that its steps so far had.

    Raises:
        InputError: it would not.
    """
    if trainer.plan is None:
        return
    why = why_not_continued(trainer.plan, meta.get('privacy'), step * trainer.config.d_steps)
    if why:
        raise InputError(f'{name} cannot go on privately: {why}')


def check_exclusion(trainer: Trainer, meta: dict[str, Any], name: str, step: int) -> None:
    """Check that a checkpoint has seen the images that it would have seen if the same ones had always been excluded.

    So it is with one from before the first use of an image that is newly excluded, which ``jaxgan remove`` looks for.

    Raises:
        InputError: it has not.
    """
    config, source = trainer.config, trainer.source
    there = from_dict(meta.get('config', {}).get('data', {}).get('exclude', []), tuple[str, ...], name)
    if there == config.data.exclude:
        return
    if trainer.plan is not None:
        raise InputError(f'{name} was trained privately with another data.exclude, so with other chances')
    orders = [
        Order(config.seed, len(source), excluded_images(source, names))
        for names in (there, config.data.exclude)
    ]
    places = step * step_images(config)
    first = parting(orders[0], orders[1], places)
    if first < places:
        raise InputError(
            f'{name} was trained without leaving out the same images: step {first // step_images(config) + 1} had '
            'one that data.exclude names now, or left out one that it does not; jaxgan remove begins a new run from before'
        )
