"""A last word before an abort: XLA's C++ ends a process that has lost the others by SIGABRT, and names none of them."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

_kept: list[Any] = []  # a C function that Python may not collect


def name_abort(line: Callable[[], str], code: int = 3) -> None:
    """On SIGABRT, print a line and exit with a code instead.

    Python's own handlers run between two bytecodes of the main thread: too late here, so C's handler calls Python.
    """
    if not hasattr(signal, 'SIGABRT') or sys.platform == 'win32':
        return

    def last_word(number: int) -> None:
        del number
        os.write(2, f'error: {line()}\n'.encode())
        os._exit(code)

    handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(last_word)
    _kept.append(handler)
    ctypes.CDLL(None).signal(int(signal.SIGABRT), handler)
