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
from jaxgan.distributed import Alone, Told
from jaxgan.errors import InputError
from jaxgan.evaluator import BEST
from jaxgan.rundir import open_run
from jaxgan.runlog import Progress, RunLog, Silent, duration
from jaxgan.signals import Stop, catch_signals
from jaxgan.state import GanState
from jaxgan.trainer import Trainer
from jaxgan.watch import Watch

ALONE = Alone()


def train(trainer: Trainer, workdir: Path, crew: Alone = ALONE) -> int:
    """Train until the configured number of images, or until a signal; continue where the folder stands.

    Returns:
        The exit code: 0, or 128 + the signal after a saved stop.
    """
    crew.decide(lambda: _begin(trainer, workdir))
    alarms = trainer.alarms()  # now: its program of 10 ms would wait behind the next one
    trainer.program.start()  # everything up to the first dispatch is done while this compiles
    trainer.feed.load()
    folder = workdir / 'checkpoints'
    with catch_signals(crew.stop()) as stop, contextlib.ExitStack() as stack:
        opened = functools.cache(lambda: stack.enter_context(Checkpoints(folder, trainer.config.keep)))
        state = _continued(trainer, opened()) if crew.decide(folder.exists) else None
        state = trainer.init() if state is None else state
        first = int(state.step)
        if crew.decide((workdir / BEST).exists):
            with Checkpoints(workdir / BEST, keep=1) as best:
                best.drop_after(first)
        if first >= trainer.total_steps:
            print(f'{workdir} is finished: {int(state.images_seen):,} images; a larger --images continues it')
            return 0
        seen = int(state.images_seen)
        log: Any = stack.enter_context(RunLog(workdir, first) if crew.writes else Silent())
        progress: Any = stack.enter_context(
            Progress(trainer.config.images, seen) if crew.writes else Silent()
        )
        watch: Any = Silent()
        if crew.writes:
            watch = Watch(workdir, first, trainer.config.evaluation, trainer.evaluator, alarms, log, progress)
        Run(trainer, workdir, opened, log, progress, watch, crew).until_done(state, stop)
    return 128 + stop.signal if stop.signal else 0


def _begin(trainer: Trainer, workdir: Path) -> None:
    """Make the run's folder, with its configuration."""
    open_run(workdir, trainer.config)
    workdir.mkdir(parents=True, exist_ok=True)
    (workdir / 'config.json').write_text(to_json(trainer.config))


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
        crew: Alone = ALONE,
    ) -> None:
        self.trainer, self.workdir, self.checkpoints = trainer, workdir, checkpoints
        self.log, self.progress, self.watch, self.crew = log, progress, watch, crew
        self.exhausted = crew.decide(lambda: watch.exhausted)
        self.pending: list[Any] = []  # metrics that still lie on the device
        self.since, self.counted = time.perf_counter(), 0
        self.begun = self.since

    def until_done(self, state: GanState, stop: Stop) -> None:
        """Dispatch steps until the last one or a signal, then save."""
        trainer, config = self.trainer, self.trainer.config
        first = step = int(state.step)
        grid = self.draw(state, 0) if step == 0 else None
        self.progress.message(trainer.program.describe())
        self.since, self.counted = time.perf_counter(), step
        if (
            step
            and self._evaluates(max(0, step - trainer.length), step)
            and self.crew.decide(lambda: not self.watch.has(step))
        ):
            self.evaluate(state, step, stop)
        while step < trainer.total_steps and not self.exhausted:
            count = min(trainer.length, trainer.total_steps - step)
            if stop.due(step, step + count):
                break
            state, metrics = trainer.dispatch(state, step, count)
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
        self.save(state, step)
        if self.exhausted:
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
            improved, self.exhausted = self.crew.decide(
                lambda: (self.watch.evaluate(until_signal, step, self._seen(step)), self.watch.exhausted)
            )
            if improved:
                with Checkpoints(self.workdir / BEST, keep=1) as best:
                    best.save(step, state, self.trainer.meta(step))
        except (InputError, OSError, Told) as error:
            self.progress.message(f'not evaluated: {error}')
        self.since += time.perf_counter() - started

    def draw(self, state: GanState, step: int) -> np.ndarray:
        """Make the grid of fixed latents by the averaged generator."""
        started = time.perf_counter()
        samples = self.trainer.samples(state)
        self.watch.grid(samples, step, self._seen(step))
        grid = images.picture(samples)
        self.since += time.perf_counter() - started  # a grid does not count in images/s
        return grid

    def write(self, grid: np.ndarray, step: int) -> None:
        """Write a grid as a file and to the log."""
        started = time.perf_counter()
        seen = self._seen(step)
        if not self.crew.writes:
            return
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
