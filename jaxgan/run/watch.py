"""What a run says of itself while it trains: evaluations, and signs of trouble, printed and kept in its folder."""

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan.credentials import Credit
from jaxgan.metrics.config import Evaluation
from jaxgan.metrics.protocol import EVALUATIONS
from jaxgan.run.alarms import WARNINGS, Alarms, Sign, write_down
from jaxgan.run.evaluator import NEAREST, Evaluator, Record, write_nearest
from jaxgan.run.runlog import Progress, RunLog, rewind


class Watch:
    """Looks at metrics, grids and the averaged generator of one run."""

    def __init__(
        self,
        folder: Path,
        resume_step: int,
        evaluation: Evaluation,
        evaluator: Evaluator,
        alarms: Alarms,
        log: RunLog,
        progress: Progress,
        credit: Callable[[int], Credit],
    ) -> None:
        """Begin after ``resume_step``: what the folder holds of later steps is dropped, as the log does."""
        for name in (EVALUATIONS, WARNINGS):
            rewind(folder / name, resume_step)
        self._folder, self._evaluator, self._alarms = folder, evaluator, alarms
        self._log, self._progress, self._credit = log, progress, credit
        self._record = Record(folder, evaluator.best, evaluation.patience)
        self._measured: list[Any] = []

    def metrics(self, means: Mapping[str, float], step: int, images_seen: int) -> None:
        """Look at the means of a report."""
        for sign in self._alarms.metrics(means):
            self._tell(sign, step, images_seen)

    def images(self, images: np.ndarray, step: int, images_seen: int) -> None:
        """Look at samples of fixed latents; those of an untrained generator say nothing."""
        for sign in self._alarms.images(images) if step else ():
            self._tell(sign, step, images_seen)

    def measure(self, draw: Callable[..., Any], step: int, images_seen: int) -> bool:
        """Measure the averaged generator, and say whether it is the best so far; ``note`` writes it down."""
        assert self._evaluator.measure is not None
        found = self._evaluator.measure(draw)
        measurements = [one._replace(step=step, images_seen=images_seen) for one in found.measurements]
        for name, reason in found.failed.items():
            self._progress.message(f'{name} was not measured: {reason}')
        when = {'step': step, 'images_seen': images_seen}
        write_nearest(self._folder / NEAREST, found.nearest, when, self._credit(images_seen))
        self._measured, improved = measurements, self._record.improves(measurements)
        values = {f'evaluation/{one.metric}': one.value for one in measurements}
        self._log.board(images_seen, values)
        text = ', '.join(f'{one.metric} {one.value:.4g}' for one in measurements)
        self._progress.message(f'{images_seen:,} images: {text}{", the best so far" if improved else ""}')
        return improved

    def note(self) -> bool:
        """Write down what was measured, and say whether the training should stop."""
        self._record.add(self._measured, self._log.seconds())
        self._measured = []
        return self.exhausted

    def has(self, step: int) -> bool:
        """Whether there is an evaluation at a step."""
        return self._record.has(step)

    @property
    def exhausted(self) -> bool:
        """Whether the training should stop, for nothing has improved as long as patience allows."""
        return self._record.exhausted

    def _tell(self, sign: Sign, step: int, images_seen: int) -> None:
        with contextlib.suppress(OSError):  # a full disk: what is printed says enough
            write_down(self._folder, sign, step, images_seen, self._log.seconds())
        self._progress.message(f'warning: {sign.message}')
