"""Where the time of a training goes: steps, and what is none."""

import contextlib
import time
from collections.abc import Iterator, Mapping

from jaxgan.run.runlog import duration

SESSIONS = 'sessions.jsonl'
KINDS = ('start', 'compile', 'saving', 'evaluation', 'samples', 'recovery')  # the rest are steps


class Goodput:
    """Counts seconds by kind, from its making on."""

    def __init__(self) -> None:
        self._begun = time.perf_counter()
        self.seconds: dict[str, float] = {kind: 0.0 for kind in KINDS}

    @contextlib.contextmanager
    def spent(self, kind: str) -> Iterator[None]:
        """Count what happens meanwhile, but for what is counted within."""
        started, before = time.perf_counter(), sum(self.seconds.values())
        try:
            yield
        finally:
            within = sum(self.seconds.values()) - before
            self.seconds[kind] += time.perf_counter() - started - within

    def total(self) -> dict[str, float]:
        """Return the seconds of each kind, of ``steps``, and of all, ``wall``."""
        wall = time.perf_counter() - self._begun
        steps = wall - sum(self.seconds.values())
        return {'wall': wall, 'steps': steps} | self.seconds


def describe(seconds: Mapping[str, float]) -> str:
    """Put what ``Goodput.total`` returns into one line.

    >>> describe({'wall': 100.0, 'steps': 90.0, 'saving': 0.54, 'samples': 9.46})
    'wall time 1:40: steps 90.0%, saving 0.5%, samples 9.5%'
    """
    wall = seconds['wall']
    shares = [
        f'{kind} {100 * value / wall:.1f}%' for kind, value in seconds.items() if value and kind != 'wall'
    ]
    return f'wall time {duration(wall)}: {", ".join(shares)}'
