"""Train: open a run's folder, restore what it has, and run the loop; of several processes the first one keeps the folder."""

import contextlib
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxgan.checkpoints import retention
from jaxgan.checkpoints.checkpoint import Checkpoints
from jaxgan.config import Config, step_images
from jaxgan.credentials import Marks
from jaxgan.export import has_data_card
from jaxgan.files import or_machine_error
from jaxgan.marks.secret import watermark_secret
from jaxgan.parallel.distributed import ALONE, Alone
from jaxgan.privacy.plan import tell
from jaxgan.run.alarms import Alarms
from jaxgan.run.credit import run_credit
from jaxgan.run.datamanifest import ManifestWriter
from jaxgan.run.evaluator import Record
from jaxgan.run.goodput import Goodput
from jaxgan.run.lock import hold
from jaxgan.run.loop import Run, Tools
from jaxgan.run.origin import Origin
from jaxgan.run.resume import continued, open_checkpoints
from jaxgan.run.rundir import (
    BEST,
    CHECKPOINTS,
    check_start,
    found_steps,
    open_run,
    remove_left,
    write_config,
)
from jaxgan.run.runlog import Progress, RunLog, Silent
from jaxgan.run.signals import catch_signals
from jaxgan.run.trainer import Trainer
from jaxgan.run.watch import Watch
from jaxgan.run.watchdog import Watchdog
from jaxgan.state import GanState

SILENT: tuple[Any, Any, Any] = (Silent(), Silent(), Silent())  # log, progress and watch of other processes


def train(
    trainer: Trainer,
    workdir: Path,
    crew: Alone = ALONE,
    *,
    strict_env: bool = False,
    watchdog: float = 0.0,
    at_end: Callable[[Path, Callable[[str], None]], None] = lambda workdir, say: None,
) -> int:
    """Train until the configured number of images, or until a signal; continue where the folder stands.

    Args:
        trainer: what to train.
        workdir: the run's folder; of several processes only the first one touches it.
        crew: the processes that train together.
        strict_env: refuse to continue in another environment, where the bits would be others.
        watchdog: seconds without a sign of life after which the process ends; 0: never.
        at_end: what is written of a finished run; is given its folder, and who is told what goes wrong.

    Returns:
        The exit code: 0, or 128 + the signal after a saved stop.
    """
    goodput, marks = Goodput(), Marks(secret=watermark_secret())
    with catch_signals() as stop, contextlib.ExitStack() as stack:
        with goodput.spent('start'), or_machine_error(f'run {workdir} cannot be written'):
            crew.decide(lambda: enter(trainer, workdir, stack))
            alarms = trainer.alarms()  # now: its program of 10 ms would wait behind the next one
            if crew.processes == 1 and not found_steps(workdir / CHECKPOINTS):
                trainer.init.start()  # it compiles while the dispatch is traced
            trainer.program.start()  # everything up to the first dispatch is done while this compiles
            trainer.feed.load()
            origin = Origin(trainer.feed, trainer.source, trainer.info)
            opened = functools.cache(lambda: stack.enter_context(open_checkpoints(trainer, workdir)))
            like = crew.local_form(trainer.abstract)
            state = crew.restored(
                trainer.abstract, lambda: resumed(trainer, workdir, opened, origin, strict_env, like)
            )
            state = trainer.init() if state is None else state
            first = int(state.step)
            if crew.writes and (workdir / BEST).exists():
                with Checkpoints(workdir / BEST, keep=1) as best:
                    best.drop_after(first)
            if first >= trainer.total_steps and crew.decide(lambda: _evaluated(trainer, workdir, first)):
                print(f'{workdir} is finished: {int(state.images_seen):,} images; {longer(trainer.config)}')
                if crew.writes and not has_data_card(workdir):  # a kill may have cost it
                    at_end(workdir, print)
                return 0
            log, progress, watch = (
                record(trainer, workdir, first, alarms, marks, stack) if crew.writes else SILENT
            )
        dog = stack.enter_context(Watchdog(watchdog))
        manifest = ManifestWriter(trainer.source, workdir, progress.message) if crew.writes else Silent()
        stack.enter_context(manifest)
        tools = Tools(opened, origin, goodput, dog, manifest, crew, marks)
        number = Run(trainer, workdir, tools, log, progress, watch).until_done(state, stop)
        if trainer.plan is not None:
            progress.message(tell(trainer.plan, (opened().latest() or 0) * trainer.config.d_steps))
        if not number:
            with dog.paused():
                manifest.finish(lambda: bool(stop.signal))
                if crew.writes:
                    at_end(workdir, progress.message)
    return 128 + number if number else 0


def longer(config: Config) -> str:
    """Say of a finished run whether it can be made longer."""
    if not config.dp.asked:
        return 'a larger --images continues it'
    if config.dp.noise is None:
        return 'its noise is for this length: dp.epsilon cannot be kept by a longer one'
    return 'a larger --images continues it, and spends more'


def _evaluated(trainer: Trainer, workdir: Path, step: int) -> bool:
    """Say whether nothing is left to measure at a step: a kill may have cost the last evaluation."""
    evaluator, patience = trainer.evaluator, trainer.config.evaluation.patience
    return evaluator.measure is None or Record(workdir, evaluator.best, patience).has(step)


def enter(trainer: Trainer, workdir: Path, stack: contextlib.ExitStack) -> None:
    """Take a run's folder, if it can hold this run."""
    stack.enter_context(hold(workdir, print))
    open_run(workdir, trainer.config)
    remove_left(workdir)  # what it takes is room
    retention.remove_left(workdir / CHECKPOINTS)
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
    trainer: Trainer, workdir: Path, first: int, alarms: Alarms, marks: Marks, stack: contextlib.ExitStack
) -> tuple[Any, Any, Any]:
    """Open what a run writes down and says."""
    config = trainer.config
    log = stack.enter_context(RunLog(workdir, first))
    progress = stack.enter_context(Progress(config.images, first * step_images(config)))
    log.say = progress.message
    credit = functools.partial(run_credit, config, marks)
    return (
        log,
        progress,
        Watch(workdir, first, config.evaluation, trainer.evaluator, alarms, log, progress, credit),
    )
