"""The training loop: it feeds a compiled dispatch of steps, and keeps the run's folder.

A run is a folder: ``config.json``, ``checkpoints/``, ``samples/``, ``metrics.jsonl``, ``tensorboard/``. What a step
computes is in ``steps``, what it is made of in ``build``; the loop only decides when to log, sample and save.
"""

import contextlib
import functools
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxgan import images
from jaxgan.checkpoint import Checkpoints
from jaxgan.config import step_images
from jaxgan.errors import InputError, MachineError
from jaxgan.evaluator import BEST
from jaxgan.files import append_lines, or_machine_error, reason
from jaxgan.goodput import SESSIONS, Goodput, describe
from jaxgan.lock import hold
from jaxgan.origin import Origin
from jaxgan.resume import continued, open_checkpoints
from jaxgan.rundir import (
    SAMPLES,
    check_start,
    check_there,
    checkpoint_bytes,
    open_run,
    remove_left,
    write_config,
)
from jaxgan.runlog import Progress, RunLog, duration
from jaxgan.saving import Saver
from jaxgan.signals import Stop, catch_signals
from jaxgan.state import GanState
from jaxgan.trainer import Trainer
from jaxgan.watch import Watch
from jaxgan.watchdog import Watchdog


def train(trainer: Trainer, workdir: Path, *, strict_env: bool = False, watchdog: float = 0.0) -> int:
    """Train until the configured number of images, or until a signal; continue where the folder stands.

    Args:
        trainer: what to train.
        workdir: the run's folder.
        strict_env: refuse to continue in another environment, where the bits would be others.
        watchdog: seconds without a sign of life after which the process ends; 0: never.

    Returns:
        The exit code: 0, or 128 + the signal after a saved stop.
    """
    goodput, config = Goodput(), trainer.config
    with catch_signals() as stop, hold(workdir, print), contextlib.ExitStack() as stack:
        with goodput.spent('start'), or_machine_error(f'run {workdir} cannot be written'):
            open_run(workdir, config)
            check_start(workdir, trainer.abstract)
            alarms = trainer.alarms()  # now: its program of 10 ms would wait behind the next one
            trainer.program.start()  # everything up to the first dispatch is done while this compiles
            trainer.feed.load()
            origin = Origin(trainer.feed, trainer.source, trainer.info)
            remove_left(workdir)
            write_config(workdir, config, print)
            opened = functools.cache(lambda: stack.enter_context(open_checkpoints(trainer, workdir)))
            state = continued(trainer, workdir, opened, origin, strict_env)
            state = trainer.init() if state is None else state
            first = int(state.step)
            if (workdir / BEST).exists():
                with Checkpoints(workdir / BEST, keep=1) as best:
                    best.drop_after(first)
            if first >= trainer.total_steps:
                print(
                    f'{workdir} is finished: {int(state.images_seen):,} images; a larger --images continues it'
                )
                return 0
            log = stack.enter_context(RunLog(workdir, first))
            progress = stack.enter_context(Progress(config.images, int(state.images_seen)))
            log.say = progress.message
            watch = Watch(workdir, first, config.evaluation, trainer.evaluator, alarms, log, progress)
        tools = Tools(opened, origin, goodput, stack.enter_context(Watchdog(watchdog)))
        Run(trainer, workdir, tools, log, progress, watch).until_done(state, stop)
    return 128 + stop.signal if stop.signal else 0


class Tools(NamedTuple):
    """What a run keeps its folder and its time with."""

    checkpoints: Callable[[], Checkpoints]
    origin: Origin
    goodput: Goodput
    watchdog: Watchdog


class Run:
    """What happens between two dispatches: lines of metrics, grids of samples, checkpoints."""

    def __init__(
        self, trainer: Trainer, workdir: Path, tools: Tools, log: RunLog, progress: Progress, watch: Watch
    ) -> None:
        self.trainer, self.workdir, self.tools = trainer, workdir, tools
        self.log, self.progress, self.watch = log, progress, watch
        self.saver = Saver(tools.checkpoints, checkpoint_bytes(trainer.abstract), progress.message)
        self.pending: list[Any] = []  # metrics that still lie on the device
        self.since, self.counted = time.perf_counter(), 0
        self.begun = self.since

    def until_done(self, state: GanState, stop: Stop) -> None:
        """Dispatch steps until the last one or a signal, then save."""
        trainer, config = self.trainer, self.trainer.config
        first = step = int(state.step)
        grid = self.draw(state, 0) if step == 0 else None
        with self.aside('compile'):
            self.progress.message(trainer.program.describe())
        stop.begin()
        self.since, self.counted = time.perf_counter(), step
        if step and self._evaluates(max(0, step - trainer.length), step) and not self.watch.has(step):
            self.evaluate(state, step, stop)
        while step < trainer.total_steps and not stop.signal and not self.watch.exhausted:
            count = min(trainer.length, trainer.total_steps - step)
            state, metrics = trainer.dispatch(state, step, count)
            self.tools.watchdog.beat()
            self.pending.append((metrics, count))
            before, step = step, step + count
            if before == first:
                self.begin(grid)
            elif before == first + trainer.length:
                self.estimate(metrics, step)
            last = step >= trainer.total_steps
            if last or self._due(before, step, config.log_every):
                self.report(step)
            if last or self._due(before, step, config.sample_every):
                self.write(self.draw(state, step), step)
            if self._evaluates(before, step):
                self.evaluate(state, step, stop)
            if not last and self._due(before, step, config.checkpoint_every):
                self.save(state, step)
        self.finish(state, step, first)
        if self.watch.exhausted:
            self.progress.message(
                f'stopped: {trainer.evaluator.best} has not improved; the best is in {BEST}/'
            )
        if stop.signal:
            self.progress.message(
                f'stopped by {signal.Signals(stop.signal).name}; saved. The same command continues.'
            )

    def begin(self, grid: np.ndarray | None) -> None:
        """Do what the first dispatch need not wait for, once it is done."""
        jax.block_until_ready(self.pending)
        if grid is not None:
            self.write(grid, 0)
        with self.aside('saving'):
            self.tools.checkpoints()
        self.begun = time.perf_counter()

    @contextlib.contextmanager
    def aside(self, kind: str) -> Iterator[None]:
        """Do what is no step: it does not count in images/s, and may take its time."""
        started = time.perf_counter()
        try:
            with self.tools.goodput.spent(kind), self.tools.watchdog.paused():
                yield
        finally:
            self.since += time.perf_counter() - started

    def estimate(self, metrics: Any, step: int) -> None:
        """Say how long the training will take, by the second dispatch: the first one also warms up."""
        jax.block_until_ready(metrics)
        seconds = (time.perf_counter() - self.begun) / self.trainer.length
        left = (self.trainer.total_steps - step) * seconds
        self.progress.message(
            f'about {duration(left)} to go, at {step_images(self.trainer.config) / seconds:,.0f} images/s'
        )

    def _seen(self, step: int) -> int:
        """Count the images that have been seen at a step."""
        return step * step_images(self.trainer.config)

    def _due(self, before: int, step: int, every: int) -> bool:
        """Say whether a multiple of ``every`` images lies in (before, step]."""
        return self._seen(before) // every < self._seen(step) // every

    def _evaluates(self, before: int, step: int) -> bool:
        """Say whether the average is measured after the dispatch that led from one step to another: when due, and at the end."""
        if self.trainer.evaluator.measure is None:
            return False
        last = step >= self.trainer.total_steps
        return last or self._due(before, step, self.trainer.config.evaluation.every)

    def report(self, step: int) -> None:
        """Fetch the metrics since the last report and write their means."""
        check_there(self.workdir)
        fetched = jax.device_get(self.pending)
        self.tools.watchdog.beat()
        total = sum(length for _, length in fetched)
        means = {
            name: float(sum(float(metrics[name]) * length for metrics, length in fetched) / total)
            for name in fetched[0][0]
        }
        now = time.perf_counter()
        rate = (step - self.counted) * step_images(self.trainer.config) / max(now - self.since, 1e-9)
        self.pending, self.since, self.counted = [], now, step
        seen = self._seen(step)
        self.log.scalars(step, seen, means | {'images_per_second': rate})
        self.progress.update(seen, rate, means)
        self.watch.metrics(means, step, seen)

    def evaluate(self, state: GanState, step: int, stop: Stop) -> None:
        """Save, then measure the averaged generator, and keep the state where it is the best so far.

        What goes wrong costs an evaluation, not the training; a signal costs it, too, and it is made up for on resuming.
        """
        self.save(state, step)
        draw = self.trainer.draw(state)

        def until_signal(seeds: Any, labels: Any) -> Any:
            if stop.signal:
                raise InputError('a signal came')
            return draw(seeds, labels)

        with self.aside('evaluation'):
            try:
                improved = self.watch.evaluate(until_signal, step, self._seen(step))
            except (InputError, OSError) as error:
                self.progress.message(f'not evaluated: {error}')
                return
            if improved:
                self.keep_best(state, step)

    def keep_best(self, state: GanState, step: int) -> None:
        """Keep the state that is the best so far, in a folder of its own."""
        try:
            with Checkpoints(self.workdir / BEST, keep=1) as best:
                best.save(step, state, self.meta(step))
        except MachineError as error:
            self.progress.message(f'warning: {error}; it was the best so far')

    def draw(self, state: GanState, step: int) -> np.ndarray:
        """Make the grid of fixed latents by the averaged generator."""
        with self.aside('samples'):
            samples = self.trainer.samples(state)
            self.watch.grid(samples, step, self._seen(step))
            return images.picture(samples)

    def write(self, grid: np.ndarray, step: int) -> None:
        """Write a grid as a file and to the log."""
        check_there(self.workdir)
        seen = self._seen(step)
        path = self.workdir / SAMPLES / f'{seen:09d}.png'
        with self.aside('samples'):
            try:
                images.save_png(path, grid)
                self.progress.message(f'{seen:,} images: {path}')
            except (InputError, OSError) as error:
                self.progress.message(
                    f'warning: {path} cannot be written: {reason(error)}; the training goes on'
                )
            self.log.image('samples', seen, grid)

    def meta(self, step: int) -> dict[str, Any]:
        """Describe a checkpoint."""
        return self.trainer.meta(step) | self.tools.origin.meta()

    def save(self, state: GanState, step: int) -> None:
        """Save the whole state in the background, unless this step is saved already."""
        with self.aside('saving'):
            check_there(self.workdir)
            self.saver.save(step, state, functools.partial(self.meta, step))

    def finish(self, state: GanState, step: int, first: int) -> None:
        """Save the last state, wait until it is on the disk, and say where the time went."""
        with self.aside('saving'):
            check_there(self.workdir)
            self.saver.finish(step, state, functools.partial(self.meta, step))
        seconds = self.tools.goodput.total()
        self.progress.message(describe(seconds))
        line = {'step': step, 'images_seen': self._seen(step), 'from_step': first}
        with contextlib.suppress(OSError):  # the checkpoint is what counts
            append_lines(
                self.workdir / SESSIONS, [line | {kind: round(value, 3) for kind, value in seconds.items()}]
            )
