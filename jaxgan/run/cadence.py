"""When a run logs, samples, saves and evaluates: functions of its steps, so that a continued run does so at the same ones."""

from typing import NamedTuple

from jaxgan.config import Config, step_images
from jaxgan.run.trainer import Trainer


class Cadence(NamedTuple):
    """The steps after whose dispatch something is due."""

    config: Config
    total: int
    length: int  # steps of a dispatch
    measured: bool  # whether the average is evaluated at all

    def seen(self, step: int) -> int:
        """Count the images that have been seen at a step."""
        return step * step_images(self.config)

    def due(self, before: int, step: int, every: int) -> bool:
        """Say whether a multiple of ``every`` images lies in (before, step]."""
        return self.seen(before) // every < self.seen(step) // every

    def logs(self, before: int, step: int) -> bool:
        """Say whether a dispatch from one step to another is followed by a line of metrics."""
        return step >= self.total or self.due(before, step, self.config.log_every)

    def samples(self, before: int, step: int) -> bool:
        """Say whether it is followed by a grid."""
        return step >= self.total or self.due(before, step, self.config.sample_every)

    def evaluates(self, before: int, step: int) -> bool:
        """Say whether the average is measured after it: when due, and at the end."""
        return self.measured and (step >= self.total or self.due(before, step, self.config.evaluation.every))

    def checkpoints(self, before: int, step: int) -> bool:
        """Say whether a checkpoint is due after it; the one at the end is saved by itself."""
        return step < self.total and self.due(before, step, self.config.checkpoint_every)

    def saves(self, before: int, step: int) -> bool:
        """Say whether it is followed by a save, in a run that nobody stops."""
        return self.due(before, step, self.config.checkpoint_every) or self.evaluates(before, step)

    def looks(self, before: int, step: int) -> bool:
        """Say whether anything is done with the state or the metrics after it."""
        return any(kind(before, step) for kind in (self.logs, self.samples, self.saves))

    def scheduled(self, step: int) -> bool:
        """Say whether a checkpoint is one of those that a run makes that nobody stops."""
        return self.saves(self.before(step), step)

    def before(self, step: int) -> int:
        """Return the step from which a dispatch to ``step`` begins."""
        return max(0, step - self.length)


def cadence(trainer: Trainer, measured: bool) -> Cadence:
    """Read when a training does what; ``measured``: whether its first process evaluates."""
    return Cadence(trainer.config, trainer.total_steps, trainer.length, measured)
