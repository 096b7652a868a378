"""Signals that ask a training to save and leave: SIGINT, SIGTERM, and SIGUSR1, which SLURM sends before its time limit."""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any

NUMBERS = [getattr(signal, name) for name in ('SIGINT', 'SIGTERM', 'SIGUSR1') if hasattr(signal, name)]
SHOW_CURSOR = b'\x1b[?25h'


class Stop:
    """Signals that ask the loop to save and leave; the second one leaves at once, and so does one that comes too early."""

    def __init__(self) -> None:
        self.signal = 0
        self.begun = False  # there is something to save
        self._count = 0

    def begin(self) -> None:
        """From now on a signal is for the loop to see."""
        self.begun = True
        if self.signal:  # it came before anybody listened
            self._leave_early(self.signal)

    def __call__(self, number: int, frame: Any) -> None:
        """Note a signal; the system calls it when Python has the time."""
        del frame
        self.signal = self.signal or number

    def arrived(self, number: int) -> None:
        """Leave where nobody would see the signal; a thread calls it, so that a long compilation does not delay it."""
        self._count += 1
        if self._count > 1:
            _leave(number, f'a second signal: left at once by {signal.Signals(number).name}')
        if not self.begun:
            self._leave_early(number)

    def _leave_early(self, number: int) -> None:
        _leave(number, f'stopped by {signal.Signals(number).name} before the first step; nothing to save')


def _leave(number: int, text: str) -> None:
    """End the process without waiting for anything: what is on the disk may be interrupted anywhere."""
    with contextlib.suppress(OSError, ValueError):
        if sys.stdout.isatty():
            os.write(sys.stdout.fileno(), SHOW_CURSOR)
        os.write(2, f'{text}\n'.encode())
    os._exit(128 + number)


_active: Stop | None = None


@contextlib.contextmanager
def catch_signals() -> Iterator[Stop]:
    """Note signals instead of dying of them; the old handlers come back at the end.

    Within another such block this is the same. Only the main thread of a process gets signals: elsewhere none comes.
    """
    global _active
    if _active is not None or threading.current_thread() is not threading.main_thread():
        yield _active or Stop()
        return
    stop = _active = Stop()
    before = {number: signal.signal(number, stop) for number in NUMBERS}
    ours, kernels = socket.socketpair()
    kernels.setblocking(False)
    woken = signal.set_wakeup_fd(kernels.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_listen, args=(ours, stop), name='signals', daemon=True).start()
    try:
        yield stop
    finally:
        _active = None
        signal.set_wakeup_fd(woken)
        for number, handler in before.items():
            signal.signal(number, handler)
        kernels.close()  # the thread ends


def _listen(ours: socket.socket, stop: Stop) -> None:
    """Read the numbers of signals as they arrive."""
    with ours:
        while number := ours.recv(1):
            if number[0] in NUMBERS:
                stop.arrived(number[0])
