"""Saves of a run that goes on where one fails: said, tried again when next due, and given up after three in a row."""

from collections.abc import Callable
from typing import Any

from jaxgan.checkpoints.checkpoint import Checkpoints
from jaxgan.errors import MachineError
from jaxgan.run.rundir import check_room

FAILURES = 3  # in a row


class Saver:
    """Saves the states of one run."""

    def __init__(self, checkpoints: Callable[[], Checkpoints], need: int, say: Callable[[str], None]) -> None:
        """Begin; nothing is opened yet.

        Args:
            checkpoints: opens them, or returns those that are open.
            need: bytes of a checkpoint.
            say: is told of a save that failed.
        """
        self._checkpoints, self._need, self._say = checkpoints, need, say
        self._saved: int | None = None  # the step of the last save, which may still be under way
        self._tried: int | None = None  # the step of the last try
        self._failures = 0

    def save(self, step: int, state: Any, meta: Callable[[], dict]) -> None:
        """Save a state in the background, unless this step is saved already.

        Raises:
            MachineError: three saves in a row have failed.
            DivergedError: a leaf is not finite.
        """
        checkpoints = self._checkpoints()
        if step in (self._tried, checkpoints.latest()):
            return
        self._settle(checkpoints)
        self._tried = step
        try:
            check_room(checkpoints.folder, self._need, 'a checkpoint')
            checkpoints.save(step, state, meta())
            self._saved = step
        except MachineError as error:
            self._failed(error)

    def settle(self) -> None:
        """Wait for a save that is under way, so that what is on the disk depends on no clock.

        Raises:
            MachineError: it was the third in a row that has failed.
        """
        if self._saved is not None:
            self._settle(self._checkpoints())

    def finish(self, step: int, state: Any, meta: Callable[[], dict]) -> None:
        """Save a state, unless it is saved already, and wait until it is on the disk.

        Raises:
            MachineError: it is not.
            DivergedError: a leaf is not finite.
        """
        checkpoints = self._checkpoints()
        self._settle(checkpoints)
        if checkpoints.latest() != step:
            check_room(checkpoints.folder, self._need, 'the last checkpoint')
            checkpoints.save(step, state, meta())
            checkpoints.wait()

    def _settle(self, checkpoints: Checkpoints) -> None:
        """Wait for the save before, and say if it failed."""
        if self._saved is None:
            return
        self._saved = None
        try:
            checkpoints.wait()
            self._failures = 0
        except MachineError as error:
            self._failed(error)

    def _failed(self, error: MachineError) -> None:
        self._failures += 1
        if self._failures >= FAILURES:
            raise MachineError(f'{FAILURES} saves in a row have failed, the last one because: {error}')
        self._say(f'warning: {error}; it is tried again when a save is next due')
