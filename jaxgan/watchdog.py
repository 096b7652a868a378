"""A watchdog: ends a training in which nothing moves any more, with the stacks of all threads, instead of waiting for ever."""

import contextlib
import faulthandler
import os
import sys
import threading
import time
from collections.abc import Iterator

from jaxgan.errors import MachineError


class Watchdog:
    """Waits for signs of life; a context manager."""

    def __init__(self, seconds: float) -> None:
        """Begin when entered.

        Args:
            seconds: without a sign of life, after which the process ends; 0: never.
        """
        self._seconds, self._pauses = seconds, 0
        self._last = time.monotonic()
        self._done = threading.Event()

    def __enter__(self) -> 'Watchdog':
        if self._seconds:
            self.beat()
            threading.Thread(target=self._look, name='watchdog', daemon=True).start()
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._done.set()

    def beat(self) -> None:
        """Give a sign of life."""
        self._last = time.monotonic()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Ask for no sign of life meanwhile: an evaluation or a save takes its time."""
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1
            self.beat()

    def _look(self) -> None:
        while not self._done.wait(min(1.0, self._seconds / 4)):
            if not self._pauses and time.monotonic() - self._last > self._seconds:
                self._end()

    def _end(self) -> None:
        sys.stdout.flush()
        faulthandler.dump_traceback(all_threads=True)
        text = (
            f'error: nothing has moved for {self._seconds:g} s (--watchdog); the last checkpoint is intact\n'
        )
        os.write(2, text.encode())
        os._exit(MachineError.code)
