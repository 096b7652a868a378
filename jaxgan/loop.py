"""The training loop: it feeds a compiled dispatch of steps, and keeps the run's folder.

A run is a folder: ``config.json``, ``checkpoints/``, ``samples/``, ``metrics.jsonl``, ``tensorboard/``. What a step
computes is in ``steps``, what it is made of in ``build``; the loop only decides when to log, sample and save.
"""

import contextlib
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax

from jaxgan import images
from jaxgan.checkpoint import Checkpoints
from jaxgan.config import Config
from jaxgan.configjson import differences, from_dict, to_json
from jaxgan.errors import InputError
from jaxgan.runlog import Progress, RunLog
from jaxgan.state import GanState
from jaxgan.trainer import Trainer


class Stop:
    """Signals that ask the loop to save and leave; the second one leaves at once."""

    def __init__(self) -> None:
        self.signal = 0

    def __call__(self, number: int, frame: Any) -> None:
        """Note a signal."""
        del frame
        if self.signal:
            raise SystemExit(128 + number)
        self.signal = number


@contextlib.contextmanager
def catch_signals() -> Iterator[Stop]:
    """Note SIGINT and SIGTERM instead of dying of them; the old handlers come back at the end."""
    stop = Stop()
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def open_run(workdir: Path, config: Config) -> None:
    """Check that a folder can hold this run, before anything is written.

    Raises:
        InputError: the folder holds another run, or other files.
    """
    path = workdir / 'config.json'
    if path.exists():
        try:
            saved = from_dict(json.loads(path.read_text()))
        except (ValueError, OSError) as error:
            raise InputError(f'{path} cannot be read: {error}') from None
        changed = differences(saved, config)
        if changed:
            raise InputError(f'{workdir} holds a run with another configuration ({"; ".join(changed[:3])}); '
                             'give another --workdir')  # fmt: skip
    elif workdir.exists() and (not workdir.is_dir() or any(workdir.iterdir())):
        raise InputError(f'workdir {workdir} exists and holds no run; give another --workdir')


def train(trainer: Trainer, workdir: Path) -> int:
    """Train until the configured number of images, or until a signal; continue where the folder stands.

    Returns:
        The exit code: 0, or 128 + the signal after a saved stop.
    """
    open_run(workdir, trainer.config)
    workdir.mkdir(parents=True, exist_ok=True)
    (workdir / 'config.json').write_text(to_json(trainer.config))
    with catch_signals() as stop, Checkpoints(workdir / 'checkpoints', trainer.config.keep) as checkpoints:
        state = _start(trainer, checkpoints)
        first = int(state.step)
        if first >= trainer.total_steps:
            print(f'{workdir} is finished: {int(state.images_seen):,} images; a larger --images continues it')
            return 0
        with (
            RunLog(workdir, first) as log,
            Progress(trainer.config.images, int(state.images_seen)) as progress,
        ):
            run = Run(trainer, workdir, checkpoints, log, progress)
            run.until_done(state, stop)
    return 128 + stop.signal if stop.signal else 0


def _start(trainer: Trainer, checkpoints: Checkpoints) -> GanState:
    if checkpoints.latest() is None:
        return trainer.init()
    state, _ = checkpoints.restore(trainer.abstract)
    print(f'continuing from {int(state.images_seen):,} images')
    return state


class Run:
    """What happens between two dispatches: lines of metrics, grids of samples, checkpoints."""

    def __init__(
        self, trainer: Trainer, workdir: Path, checkpoints: Checkpoints, log: RunLog, progress: Progress
    ) -> None:
        self.trainer, self.workdir, self.checkpoints = trainer, workdir, checkpoints
        self.log, self.progress = log, progress
        self.pending: list[Any] = []  # metrics that still lie on the device
        self.since, self.counted = time.perf_counter(), 0

    def until_done(self, state: GanState, stop: Stop) -> None:
        """Dispatch steps until the last one or a signal, then save."""
        trainer, config = self.trainer, self.trainer.config
        step = int(state.step)
        if step == 0:
            self.sample(state, step)
        self.since, self.counted = time.perf_counter(), step
        while step < trainer.total_steps and not stop.signal:
            length = min(config.steps_per_dispatch, trainer.total_steps - step)
            data = trainer.feed.take(step, length)
            with jax.transfer_guard('disallow'):
                state, metrics = trainer.dispatch(length)(state, data)
            self.pending.append((metrics, length))
            before, step = step, step + length
            last = step >= trainer.total_steps
            if last or self._due(before, step, config.log_every):
                self.report(step)
            if last or self._due(before, step, config.sample_every):
                self.sample(state, step)
            if not last and self._due(before, step, config.checkpoint_every):
                self.save(state, step)
        self.save(state, step)
        if stop.signal:
            self.progress.message(
                f'stopped by {signal.Signals(stop.signal).name}; saved. The same command continues.'
            )

    def _due(self, before: int, step: int, every: int) -> bool:
        """Say whether a multiple of ``every`` images lies in (before, step]."""
        batch = self.trainer.config.batch_size
        return before * batch // every < step * batch // every

    def report(self, step: int) -> None:
        """Fetch the metrics since the last report and write their means."""
        fetched = jax.device_get(self.pending)
        total = sum(length for _, length in fetched)
        means = {
            name: float(sum(float(metrics[name]) * length for metrics, length in fetched) / total)
            for name in fetched[0][0]
        }
        now = time.perf_counter()
        rate = (step - self.counted) * self.trainer.config.batch_size / max(now - self.since, 1e-9)
        self.pending, self.since, self.counted = [], now, step
        seen = step * self.trainer.config.batch_size
        self.log.scalars(step, seen, means | {'images_per_second': rate})
        self.progress.update(seen, rate, means)

    def sample(self, state: GanState, step: int) -> None:
        """Write the grid of fixed latents, made by the averaged generator."""
        started = time.perf_counter()
        seen = step * self.trainer.config.batch_size
        grid = images.grid(self.trainer.samples(state))
        path = self.workdir / 'samples' / f'{seen:09d}.png'
        images.save_png(path, grid)
        self.log.image('samples', seen, grid)
        self.progress.message(f'{seen:,} images: {path}')
        self.since += time.perf_counter() - started  # a grid does not count in images/s

    def save(self, state: GanState, step: int) -> None:
        """Save the whole state, unless this step is saved already."""
        if self.checkpoints.latest() == step:
            return
        started = time.perf_counter()
        self.checkpoints.save(step, state, self.trainer.meta(step))
        self.since += time.perf_counter() - started
