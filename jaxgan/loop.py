"""The training loop: it feeds a compiled dispatch of steps, and keeps the run's folder.

A run is a folder: ``config.json``, ``checkpoints/``, ``samples/``, ``metrics.jsonl``, ``tensorboard/``. What a step
computes is in ``steps``, what it is made of in ``build``; the loop only decides when to log, sample and save.
"""

import contextlib
import functools
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgan import images
from jaxgan.checkpoint import Checkpoints
from jaxgan.config import step_images
from jaxgan.configjson import to_json
from jaxgan.errors import InputError
from jaxgan.evaluator import BEST
from jaxgan.recovery import Recovery, finite_on_host
from jaxgan.rundir import open_run
from jaxgan.runlog import Progress, RunLog, duration
from jaxgan.signals import Stop, catch_signals
from jaxgan.state import GanState
from jaxgan.trainer import Trainer
from jaxgan.watch import Watch

GLANCE = 100  # steps between two looks of the alarms at the live generator, at least


def train(trainer: Trainer, workdir: Path) -> int:
    """Train until the configured number of images, or until a signal; continue where the folder stands.

    Returns:
        The exit code: 0, or 128 + the signal after a saved stop.
    """
    open_run(workdir, trainer.config)
    alarms = trainer.alarms()  # now: its program of 10 ms would wait behind the next one
    trainer.program.start()  # everything up to the first dispatch is done while this compiles
    trainer.feed.load()
    folder = workdir / 'checkpoints'
    workdir.mkdir(parents=True, exist_ok=True)
    (workdir / 'config.json').write_text(to_json(trainer.config))
    with catch_signals() as stop, contextlib.ExitStack() as stack:
        opened = functools.cache(lambda: stack.enter_context(Checkpoints(folder, trainer.config.keep)))
        state = _continued(trainer, opened()) if folder.exists() else None
        state = trainer.init() if state is None else state
        first = int(state.step)
        if (workdir / BEST).exists():
            with Checkpoints(workdir / BEST, keep=1) as best:
                best.drop_after(first)
        if first >= trainer.total_steps:
            print(f'{workdir} is finished: {int(state.images_seen):,} images; a larger --images continues it')
            return 0
        log = stack.enter_context(RunLog(workdir, first))
        progress = stack.enter_context(Progress(trainer.config.images, int(state.images_seen)))
        watch = Watch(workdir, first, trainer.config.evaluation, trainer.evaluator, alarms, log, progress)
        Run(trainer, workdir, opened, log, progress, watch).until_done(state, stop)
    return 128 + stop.signal if stop.signal else 0


def _continued(trainer: Trainer, checkpoints: Checkpoints) -> GanState | None:
    if checkpoints.latest() is None:
        return None
    state, _ = checkpoints.restore(trainer.abstract)
    print(f'continuing from {int(state.images_seen):,} images')
    return state


class Run:
    """What happens between two dispatches: lines of metrics, grids of samples, checkpoints."""

    def __init__(
        self,
        trainer: Trainer,
        workdir: Path,
        checkpoints: Callable[[], Checkpoints],
        log: RunLog,
        progress: Progress,
        watch: Watch,
    ) -> None:
        self.trainer, self.workdir, self.checkpoints = trainer, workdir, checkpoints
        self.log, self.progress, self.watch = log, progress, watch
        self.pending: list[Any] = []  # metrics that still lie on the device
        self.since, self.counted = time.perf_counter(), 0
        self.begun = self.since
        self.glanced = 0  # the step of the last look at the live generator

    def until_done(self, state: GanState, stop: Stop) -> None:
        """Dispatch steps until the last one or a signal, then save."""
        trainer, config = self.trainer, self.trainer.config
        first = step = int(state.step)
        say = self.progress.message
        self.recovery = Recovery(trainer, self.workdir, first, self.checkpoints, self._scheduled, say)
        grid = self.draw(state, 0) if step == 0 else None
        self.progress.message(trainer.program.describe())
        self.since, self.counted = time.perf_counter(), step
        if step and self._evaluates(max(0, step - trainer.length), step) and not self.watch.has(step):
            self.evaluate(state, step, stop)
        while step < trainer.total_steps and not stop.signal and not self.watch.exhausted:
            count = min(trainer.length, trainer.total_steps - step)
            state, metrics = trainer.dispatch(state, step, count)
            self.pending.append((metrics, count))
            before, step = step, step + count
            if before == first:
                self.begin(grid)
            elif before == first + trainer.length:
                self.estimate(metrics, step)
            if self._looks(before, step):
                state, settled = self.settle(state, step, self._saves(before, step))
                # what was gone back to is neither shown nor saved again: a step must be taken first
                before, step = (before, step) if settled == step else (settled, settled)
            last = step >= trainer.total_steps
            if self.pending and (last or self._due(before, step, config.log_every)):
                self.report(step)
                self.glance(state, step)
            if last or self._due(before, step, config.sample_every):
                self.write(self.draw(state, step), step)
            if self._evaluates(before, step):
                self.evaluate(state, step, stop)
            if not last and self._due(before, step, config.checkpoint_every):
                self.save(state, step)
        state, step = self.settle(state, step, self.checkpoints().latest() != step)
        self.save(state, step)
        if self.watch.exhausted:
            self.progress.message(
                f'stopped: {trainer.evaluator.best} has not improved; the best is in {BEST}/'
            )
        if stop.signal:
            self.progress.message(
                f'stopped by {signal.Signals(stop.signal).name}; saved. The same command continues.'
            )

    def settle(self, state: GanState, step: int, saving: bool) -> tuple[GanState, int]:
        """Look whether a step has failed; if so, go back, and on behind it.

        Before a state is saved, every number of it is looked at: one that is not finite fails the next step's first phase.

        Returns:
            The state, and its step.
        """
        if not int(state.fault):
            if not saving or finite_on_host(state):
                return state, step
            state = state.replace(fault=jax.device_put(np.int32(1), state.fault.sharding))
        taken, position, kept = int(state.step), self.counted, []
        for metrics, count in self.pending:
            healthy = min(count, taken - position)
            kept += [(metrics, healthy)] if healthy > 0 else []
            position += count
        self.pending = kept
        if kept:
            self.report(taken)
        state = self.recovery.recover(state, self.log.seconds())
        self.pending, self.since, self.counted = [], time.perf_counter(), taken + 1
        return state, taken + 1

    def begin(self, grid: np.ndarray | None) -> None:
        """Do what the first dispatch need not wait for, once it is done."""
        jax.block_until_ready(self.pending)
        if grid is not None:
            self.write(grid, 0)
        started = time.perf_counter()
        self.checkpoints()
        self.begun = time.perf_counter()
        self.since += self.begun - started

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

    def _looks(self, before: int, step: int) -> bool:
        """Say whether anything is done with the state or the metrics after a dispatch."""
        config = self.trainer.config
        every = (config.log_every, config.sample_every, config.checkpoint_every)
        due = any(self._due(before, step, images) for images in every)
        return due or step >= self.trainer.total_steps or self._evaluates(before, step)

    def _saves(self, before: int, step: int) -> bool:
        """Say whether a dispatch is followed by a save, in a run that nobody stops."""
        return self._due(before, step, self.trainer.config.checkpoint_every) or self._evaluates(before, step)

    def _scheduled(self, step: int) -> bool:
        """Say whether a checkpoint is one of those that a run makes that nobody stops."""
        return self._saves(max(0, step - self.trainer.length), step)

    def _evaluates(self, before: int, step: int) -> bool:
        """Say whether the average is measured after the dispatch that led from one step to another: when due, and at the end."""
        if self.trainer.evaluator.measure is None:
            return False
        last = step >= self.trainer.total_steps
        return last or self._due(before, step, self.trainer.config.evaluation.every)

    def report(self, step: int) -> None:
        """Fetch the metrics since the last report and write their means."""
        fetched = jax.device_get(self.pending)
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

    def glance(self, state: GanState, step: int) -> None:
        """Let the alarms see some images of the live generator, at most each so many steps: it costs about two of them."""
        if step - self.glanced < GLANCE:
            return
        started, self.glanced = time.perf_counter(), step
        self.watch.images(self.trainer.glimpse(state), step, self._seen(step))
        self.since += time.perf_counter() - started

    def evaluate(self, state: GanState, step: int, stop: Stop) -> None:
        """Save, then measure the averaged generator, and keep the state where it is the best so far.

        What goes wrong costs an evaluation, not the training; a signal costs it, too, and it is made up for on resuming.
        """
        self.save(state, step)
        started = time.perf_counter()
        draw = self.trainer.draw(state)

        def until_signal(seeds: Any, labels: Any) -> Any:
            if stop.signal:
                raise InputError('a signal came')
            return draw(seeds, labels)

        try:
            if self.watch.evaluate(until_signal, step, self._seen(step)):
                with Checkpoints(self.workdir / BEST, keep=1) as best:
                    best.save(step, state, self.trainer.meta(step))
        except (InputError, OSError) as error:
            self.progress.message(f'not evaluated: {error}')
        self.since += time.perf_counter() - started

    def draw(self, state: GanState, step: int) -> np.ndarray:
        """Make the grid of fixed latents by the averaged generator."""
        started = time.perf_counter()
        samples = self.trainer.samples(state)
        self.watch.images(samples, step, self._seen(step))
        grid = images.picture(samples)
        self.since += time.perf_counter() - started  # a grid does not count in images/s
        return grid

    def write(self, grid: np.ndarray, step: int) -> None:
        """Write a grid as a file and to the log."""
        started = time.perf_counter()
        seen = self._seen(step)
        path = self.workdir / 'samples' / f'{seen:09d}.png'
        images.save_png(path, grid)
        self.log.image('samples', seen, grid)
        self.progress.message(f'{seen:,} images: {path}')
        self.since += time.perf_counter() - started

    def save(self, state: GanState, step: int) -> None:
        """Save the whole state, unless this step is saved already."""
        if self.checkpoints().latest() == step:
            return
        started = time.perf_counter()
        self.checkpoints().save(step, state, self.trainer.meta(step))
        self.since += time.perf_counter() - started
