"""Signals that ask a training to save and leave."""

import contextlib
import signal
from collections.abc import Iterator
from typing import Any


class Stop:
    """Signals that ask the loop to save and leave; the second one leaves at once."""

    def __init__(self) -> None:
        self.signal = 0

    def due(self, step: int, reach: int) -> bool:
        """Whether to stop at ``step`` instead of dispatching up to ``reach``."""
        del step, reach
        return bool(self.signal)

    def __call__(self, number: int, frame: Any) -> None:
        """Note a signal."""
        del frame
        if self.signal:
            raise SystemExit(128 + number)
        self.signal = number


@contextlib.contextmanager
def catch_signals(stop: Stop | None = None) -> Iterator[Stop]:
    """Note SIGINT and SIGTERM instead of dying of them; the old handlers come back at the end."""
    stop = Stop() if stop is None else stop
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
