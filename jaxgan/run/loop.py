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
from jaxgan.checkpoints.checkpoint import Checkpoints
from jaxgan.config import step_images
from jaxgan.credentials import USUAL, Marks
from jaxgan.errors import Failure, InputError
from jaxgan.files import append_lines, reason
from jaxgan.parallel.distributed import ALONE, Alone, Told
from jaxgan.parallel.placing import spread
from jaxgan.run.cadence import cadence
from jaxgan.run.credit import mark_grid
from jaxgan.run.datamanifest import ManifestWriter
from jaxgan.run.goodput import SESSIONS, Goodput, describe
from jaxgan.run.origin import Origin
from jaxgan.run.recovery import Recovery, healthy_part, sound
from jaxgan.run.rundir import BEST, SAMPLES, check_there, checkpoint_bytes
from jaxgan.run.runlog import Progress, RunLog, Silent, duration
from jaxgan.run.saving import Saver
from jaxgan.run.signals import Stop
from jaxgan.run.trainer import Trainer
from jaxgan.run.watch import Watch
from jaxgan.run.watchdog import Watchdog
from jaxgan.state import GanState

GLANCE = 100  # steps between two looks of the alarms at the live generator, at least


class Tools(NamedTuple):
    """What a run keeps its folder and its time with."""

    checkpoints: Callable[[], Checkpoints]
    origin: Origin
    goodput: Goodput
    watchdog: Watchdog
    manifest: ManifestWriter | Silent
    crew: Alone = ALONE
    marks: Marks = USUAL  # of the pictures


class Run:
    """What happens between two dispatches: lines of metrics, grids of samples, checkpoints."""

    def __init__(
        self, trainer: Trainer, workdir: Path, tools: Tools, log: RunLog, progress: Progress, watch: Watch
    ) -> None:
        self.trainer, self.workdir, self.tools = trainer, workdir, tools
        self.log, self.progress, self.watch, self.crew = log, progress, watch, tools.crew
        self.saver: Any = Saver(tools.checkpoints, checkpoint_bytes(trainer.abstract), progress.message)
        self.saver = self.saver if self.crew.writes else Silent()
        self.check_there = functools.partial(check_there, workdir) if self.crew.writes else lambda: None
        self.exhausted = self.crew.decide(lambda: watch.exhausted)
        # process 0 says whether anything is measured: others may lack the weights
        measured = self.crew.decide(lambda: trainer.evaluator.measure is not None)
        self.cadence = cadence(trainer, measured)
        self.pending: list[Any] = []  # metrics that still lie on the device
        self.since, self.counted = time.perf_counter(), 0
        self.begun = self.since
        self.glanced = 0  # the step of the last look at the live generator

    def until_done(self, state: GanState, stop: Stop) -> int:
        """Dispatch steps until the last one or a signal, then save; return the signal, or 0."""
        trainer = self.trainer
        first = step = int(state.step)
        say, checkpoints = self.progress.message, self.tools.checkpoints
        self.recovery = Recovery(trainer, self.workdir, first, checkpoints, say, self.crew)
        grid = self.draw(state, 0) if step == 0 else None
        with self.aside('compile'):
            self.progress.message(trainer.program.describe())
        stop.begin()
        self.since, self.counted = time.perf_counter(), step
        due = self.cadence
        if (
            step
            and due.evaluates(due.before(step), step)
            and not self.crew.decide(lambda: self.watch.has(step))
        ):
            self.evaluate(state, step, stop)
        while step < trainer.total_steps and not self.exhausted:
            count = min(trainer.length, trainer.total_steps - step)
            if self.crew.due(stop, step, step + count):
                break
            state, metrics = trainer.dispatch(state, step, count)
            self.tools.watchdog.beat()
            self.pending.append((metrics, count))
            before, step, beginning = step, step + count, step == first
            if before == first + trainer.length:
                self.estimate(metrics, step)
            if due.looks(before, step):
                found, settled = self.settle(state, step, due.saves(before, step))
                # what was gone back to is neither shown nor saved again: a step must be taken first
                before = before if found is state else settled
                state, step = found, settled
            if self.pending and due.logs(before, step):
                self.report(step)
                self.glance(state, step)
            if beginning:
                self.begin(state, grid)
            if due.samples(before, step):
                self.write(self.draw(state, step), step)
            if due.evaluates(before, step):
                self.evaluate(state, step, stop)
            if due.checkpoints(before, step):
                self.save(state, step)
        fine = sound(state, True, self.crew)
        self.finish(state if fine else None, step, first)
        if self.exhausted:
            self.progress.message(
                f'stopped: {trainer.evaluator.best} has not improved; the best is in {BEST}/'
            )
        number = self.crew.stopped(stop)
        if number:
            self.progress.message(
                f'stopped by {signal.Signals(number).name}{"; saved" * fine}. The same command continues.'
            )
        return number

    def settle(self, state: GanState, step: int, saving: bool) -> tuple[GanState, int]:
        """Look whether a step has failed; if so, go back, and on behind it.

        Before a state is saved, every number of it is looked at: one that is not finite fails the next step's first phase.

        Returns:
            The state, and its step.
        """
        if sound(state, saving, self.crew):
            return state, step
        if not int(state.fault):
            state = state.replace(fault=spread(np.int32(1), state.fault.sharding))
        taken = int(state.step)
        self.pending = healthy_part(self.pending, taken - self.counted)
        if self.pending:
            self.report(taken)
        with self.aside('recovery'):
            self.saver.settle()  # what can be gone back to must not depend on how fast the disk is
            state = self.recovery.recover(state, self.log.seconds())
        self.pending, self.since, self.counted = [], time.perf_counter(), taken + 1
        return state, taken + 1

    def begin(self, state: GanState, grid: np.ndarray | None) -> None:
        """Do what the first dispatch need not wait for, once it is done and reported."""
        jax.block_until_ready(state)
        if grid is not None:
            self.write(grid, 0)
        with self.aside('saving'):
            if self.crew.writes:
                self.tools.checkpoints()
        self.tools.manifest.begin()
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

    def report(self, step: int) -> None:
        """Fetch the metrics since the last report and write their means."""
        self.check_there()
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
        seen = self.cadence.seen(step)
        self.log.scalars(step, seen, means | {'images_per_second': rate})
        self.progress.update(seen, rate, means)
        self.watch.metrics(means, step, seen)

    def glance(self, state: GanState, step: int) -> None:
        """Let the alarms see some images of the live generator, at most each so many steps: it costs about two of them."""
        if step - self.glanced < GLANCE:
            return
        self.glanced = step
        with self.aside('samples'):
            self.watch.images(self.trainer.glimpse(state), step, self.cadence.seen(step))

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
                seen = self.cadence.seen(step)
                improved = self.crew.decide(lambda: self.watch.measure(until_signal, step, seen))
            except (InputError, OSError, Told) as error:
                self.progress.message(f'not evaluated: {error}')
                return
            if improved:  # before it is written down, which makes it known that there is a best
                self.keep_best(state, step)
            try:
                self.exhausted = self.crew.decide(self.watch.note)
            except (OSError, Told) as error:
                self.progress.message(f'warning: the evaluation cannot be written down: {error}')

    def keep_best(self, state: GanState, step: int) -> None:
        """Keep the state that is the best so far, in a folder of its own."""
        state = self.crew.for_saving(state)
        if not self.crew.writes:
            return
        try:
            with Checkpoints(self.workdir / BEST, keep=1) as best:
                best.drop_after(step - 1)  # of a run whose evaluations are gone
                best.save(step, state, self.meta(step))
        except Failure as error:
            self.progress.message(f'warning: {error}; it was the best so far')

    def draw(self, state: GanState, step: int) -> np.ndarray:
        """Make the grid of fixed latents by the averaged generator."""
        with self.aside('samples'):
            samples = self.trainer.samples(state)
            self.watch.images(samples, step, self.cadence.seen(step))
            return images.picture(samples)

    def write(self, grid: np.ndarray, step: int) -> None:
        """Write a grid, marked, as a file and to the log."""
        self.check_there()
        if not self.crew.writes:
            return
        seen = self.cadence.seen(step)
        path = self.workdir / SAMPLES / f'{seen:09d}.png'
        with self.aside('samples'):
            marked, write = mark_grid(grid, self.trainer.config, self.tools.marks, seen)
            try:
                write(path)
                self.progress.message(f'{seen:,} images: {path}')
            except (Failure, OSError) as error:
                self.progress.message(f'warning: {path} cannot be written: {reason(error)}; training goes on')
            self.log.image('samples', seen, marked.pixels)

    def meta(self, step: int) -> dict[str, Any]:
        """Describe a checkpoint."""
        return self.trainer.meta(step) | self.tools.origin.meta()

    def save(self, state: GanState, step: int) -> None:
        """Save the whole state in the background, unless this step is saved already."""
        with self.aside('saving'):
            self.check_there()
            self.saver.save(step, self.crew.for_saving(state), functools.partial(self.meta, step))

    def finish(self, state: GanState | None, step: int, first: int) -> None:
        """Save the last state, if it may be saved, wait until it is on the disk, and say where the time went."""
        with self.aside('saving'):
            self.check_there()
            if state is None:
                self.saver.settle()
                self.progress.message('the newest steps made what is not finite, and are not saved')
            else:
                self.saver.finish(step, self.crew.for_saving(state), functools.partial(self.meta, step))
        if not self.crew.writes:
            return
        seconds = self.tools.goodput.total()
        self.progress.message(describe(seconds))
        line = {'step': step, 'images_seen': self.cadence.seen(step), 'from_step': first}
        with contextlib.suppress(OSError):  # the checkpoint is what counts
            append_lines(
                self.workdir / SESSIONS, [line | {kind: round(value, 3) for kind, value in seconds.items()}]
            )
