"""How several processes stop at the same step when one of them gets a signal.

Dispatches run ahead of the device, and one process may be ahead of another. So when a signal is known, each says how far
it has dispatched, dispatches no further than the furthest of them, and all stop there.
"""

import contextlib
import threading
from typing import Any

from jaxgan.run.signals import Stop


class Halt:
    """One process's part of the agreement: the training loop asks ``due``, another thread calls ``exchange``."""

    def __init__(self, client: Any, process: int, processes: int) -> None:
        self.signal = 0  # at which all have stopped
        self._client, self._process, self._processes = client, process, processes
        self._lock = threading.Lock()  # between reading how far this process is and saying it
        self._stop: Stop | None = None
        self._reached, self._said = 0, False
        self._cause, self._target = 0, 0
        self._known = threading.Event()

    def due(self, stop: Stop, step: int, reach: int) -> bool:
        """Whether to stop at ``step`` instead of dispatching up to ``reach``; waits while that is being agreed."""
        with self._lock:
            self._stop = stop
            if not self._said:
                self._reached = reach
                return False
        self._known.wait()
        if step >= self._target:
            self.signal = self._cause
        return bool(self.signal)

    def exchange(self) -> None:
        """Tell and hear of signals."""
        if self._stop is not None and self._stop.signal and not self._cause:
            with contextlib.suppress(Exception):  # another process was first
                self._client.key_value_set('jaxgan/stop/signal', str(self._stop.signal))
        if not self._cause:
            self._cause = next((int(value) for _, value in self._client.key_value_dir_get('jaxgan/stop/')), 0)
        if not self._cause:
            return
        with self._lock:
            if not self._said:
                self._client.key_value_set(f'jaxgan/reached/{self._process}', str(self._reached))
                self._said = True
        reached = [int(value) for _, value in self._client.key_value_dir_get('jaxgan/reached/')]
        if len(reached) == self._processes:
            self._target = max(reached)
            self._known.set()
