"""A run's compiled programs, and how its dispatch is fed."""

import concurrent.futures
import functools
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxgan.data import Feed
from jaxgan.parallel.placing import spread
from jaxgan.state import GanState


class Program:
    """A function of fixed shapes that is compiled once, in the background if it is started before it is called."""

    def __init__(self, lower: Callable[[], jax.stages.Lowered]):
        self._lower = lower
        self._compiled: concurrent.futures.Future[jax.stages.Compiled] | None = None
        self.seconds = 0.0  # from tracing to the executable

    @property
    def started(self) -> bool:
        """Whether it is compiled, or being compiled."""
        return self._compiled is not None

    def start(self) -> None:
        """Trace and lower now, and compile in a thread: XLA leaves Python to others meanwhile."""
        if not self.started:
            started = time.perf_counter()
            lowered = self._lower()
            pool = concurrent.futures.ThreadPoolExecutor(1, 'compile')
            self._compiled = pool.submit(self._compile, lowered, started)
            pool.shutdown(wait=False)  # the thread ends when it has compiled

    def _compile(self, lowered: jax.stages.Lowered, started: float) -> jax.stages.Compiled:
        compiled = lowered.compile()
        self.seconds = time.perf_counter() - started
        return compiled

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        return self.compiled()(*arguments)

    def compiled(self) -> jax.stages.Compiled:
        """Wait for the executable."""
        self.start()
        assert self._compiled is not None
        return self._compiled.result()

    def describe(self) -> str:
        """Say what compiling took, and what memory a dispatch takes."""
        memory = self.compiled().memory_analysis()
        used = 'not known'
        if memory:
            used = f'{(memory.temp_size_in_bytes + memory.argument_size_in_bytes) / 2**20:,.0f} MiB'
        return f'compiled in {self.seconds:.1f} s; memory of a dispatch: {used}'


def dispatcher(program: Program, feed: Feed, length: int, place: Any) -> Callable[[GanState, int, int], Any]:
    """Make ``dispatch(state, step, count)``: feed the executable; nothing else crosses to the devices.

    Args:
        program: of ``length`` steps.
        feed: brings the data.
        length: the most steps of a dispatch.
        place: where their number goes.
    """

    @functools.cache
    def on_device(count: int) -> Any:
        return spread(np.int32(count), place)

    def dispatch(state: GanState, step: int, count: int) -> Any:
        compiled, steps = program.compiled(), on_device(count)
        with jax.profiler.TraceAnnotation('feed'):
            data = feed.take(step, length)
        with jax.transfer_guard('disallow'):
            return compiled(state, data, steps)

    return dispatch
