"""How a training opens its run's folder, and what it writes there; of several processes the first one does."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxgan.alarms import Alarms
from jaxgan.checkpoint import Checkpoints
from jaxgan.lock import hold
from jaxgan.origin import Origin
from jaxgan.resume import continued
from jaxgan.rundir import check_start, open_run, write_config
from jaxgan.runlog import Progress, RunLog, Silent
from jaxgan.state import GanState
from jaxgan.trainer import Trainer
from jaxgan.watch import Watch

SILENT: tuple[Any, Any, Any] = (Silent(), Silent(), Silent())  # log, progress and watch of other processes


def enter(trainer: Trainer, workdir: Path, stack: contextlib.ExitStack) -> None:
    """Take a run's folder, if it can hold this run."""
    stack.enter_context(hold(workdir, print))
    open_run(workdir, trainer.config)
    check_start(workdir, trainer.abstract)


def resumed(
    trainer: Trainer,
    workdir: Path,
    opened: Callable[[], Checkpoints],
    origin: Origin,
    strict: bool,
    like: GanState,
) -> GanState | None:
    """Write down the configuration, and read the state from which the folder's run goes on."""
    write_config(workdir, trainer.config, print)
    return continued(trainer, workdir, opened, origin, strict, like)


def record(
    trainer: Trainer, workdir: Path, state: GanState, alarms: Alarms, stack: contextlib.ExitStack
) -> tuple[Any, Any, Any]:
    """Open what a run writes down and says."""
    first, config = int(state.step), trainer.config
    log = stack.enter_context(RunLog(workdir, first))
    progress = stack.enter_context(Progress(config.images, int(state.images_seen)))
    log.say = progress.message
    return log, progress, Watch(workdir, first, config.evaluation, trainer.evaluator, alarms, log, progress)
