"""Several processes as one training: they join, agree, watch each other, and end together.

XLA exchanges numbers, in the step. Here is the little that hosts tell each other, by the store of JAX's own coordination service.
"""

import contextlib
import faulthandler
import json
import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

import jax

from jaxgan.errors import Failure, InputError, MachineError, as_failure
from jaxgan.parallel.halt import Halt
from jaxgan.parallel.launch import Job
from jaxgan.parallel.placing import gather, on_one_device, share
from jaxgan.run.signals import Stop

POLL = 0.5  # seconds between two looks at the others
SILENT = 15.0  # seconds after which a process of which nothing is heard counts as dead
FROZEN = 25.0  # seconds after which a process that cannot even watch ends, with the stacks of its threads
FOREVER = 2**31 - 1  # ms; the watch ends a wait for the dead


class Told(Failure):
    """An error of another process, which has said it."""

    def __init__(self, message: str, code: int):
        super().__init__(message)
        self.code = code


class Alone:
    """One process: it decides and writes by itself."""

    process = 0
    processes = 1

    @property
    def writes(self) -> bool:
        """Whether this process writes the run's folder."""
        return self.process == 0

    def same(self, what: str, value: Any) -> None:
        """Wait for all processes, and refuse to go on if they were given different things (JSON)."""

    def decide(self, function: Callable[[], Any]) -> Any:
        """Call a function on process 0, and return its result (JSON) or raise its error on every process."""
        return function()

    def every(self, value: bool) -> bool:
        """Whether a value is true on all processes."""
        return value

    def due(self, stop: Stop, step: int, reach: int) -> bool:
        """Whether a signal has come, such that all stop at ``step`` and do not dispatch up to ``reach``."""
        del step, reach
        return bool(stop.signal)

    def stopped(self, stop: Stop) -> int:
        """Return the signal at which the training has stopped; 0: at none."""
        return stop.signal

    def local_form(self, abstract: Any) -> Any:
        """Describe the state as the process that reads a checkpoint wants it."""
        return abstract

    def restored(self, abstract: Any, read: Callable[[], Any]) -> Any:
        """Read a state on process 0 (or nothing), and place it on all devices as ``abstract`` says."""
        del abstract
        return read()

    def for_saving(self, state: Any) -> Any:
        """Return a state as process 0 can save it by itself."""
        return state


ALONE = Alone()


class Crew(Alone):
    """Several processes. Every method must be called by all of them, in the same order."""

    def __init__(self, job: Job):
        self.job, self.process, self.processes = job, job.process, job.processes
        self._client = client_state().client
        self._agreed = 0  # how many agreements there were: each has keys of its own
        self._halt = Halt(self._client, self.process, self.processes)
        self._left, self._ending = threading.Event(), threading.Lock()
        self._watch = threading.Thread(target=self._look, name='crew', daemon=True)
        self._watch.start()

    def same(self, what: str, value: Any) -> None:
        """Wait for all, and compare with what process 0 was given.

        Raises:
            InputError: on a process that was given something else; the others wait for their end.
        """
        self._agreed += 1
        key = f'jaxgan/same/{self._agreed}/'
        self._client.key_value_set(f'{key}{self.process}', json.dumps(value))
        found = [
            json.loads(self._client.blocking_key_value_get(f'{key}{i}', FOREVER))
            for i in range(self.processes)
        ]
        if found[self.process] != found[0]:
            raise InputError(
                f'it has another {what} than process 0: {_difference(found[self.process], found[0])}'
            )
        if any(other != found[0] for other in found):
            threading.Event().wait(10 * SILENT)  # the watch ends this process when the other has said why

    def decide(self, function: Callable[[], Any]) -> Any:
        """Call a function on process 0, and tell the others.

        Raises:
            Failure: what the function raised.
        """
        self._agreed += 1
        key = f'jaxgan/decided/{self._agreed}'
        if self.process:
            value, error, code = json.loads(self._client.blocking_key_value_get(key, FOREVER))
            if error is not None:
                raise Told(error, code)
            return value
        try:
            value = function()
        except (Failure, OSError) as error:
            known = as_failure(error)
            self._client.key_value_set(
                key, json.dumps([None, str(known or error), known.code if known else 1])
            )
            raise
        self._client.key_value_set(key, json.dumps([value, None, 0]))
        return value

    def every(self, value: bool) -> bool:
        """Wait for all, and ask each."""
        self._agreed += 1
        key = f'jaxgan/every/{self._agreed}/'
        self._client.key_value_set(f'{key}{self.process}', json.dumps(bool(value)))
        answers = (self._client.blocking_key_value_get(f'{key}{i}', FOREVER) for i in range(self.processes))
        return all(map(json.loads, answers))

    def due(self, stop: Stop, step: int, reach: int) -> bool:
        """Whether a signal to any process stops all at ``step``; see ``Halt``."""
        return self._halt.due(stop, step, reach)

    def stopped(self, stop: Stop) -> int:
        """Return the signal at which all have stopped."""
        del stop
        return self._halt.signal

    def local_form(self, abstract: Any) -> Any:
        """Describe the state on a device of this process."""
        return on_one_device(abstract)

    def restored(self, abstract: Any, read: Callable[[], Any]) -> Any:
        """Read a state on process 0, and hand it to all."""
        state: list[Any] = []

        def found() -> bool:
            state.append(read())
            return state[0] is not None

        return share(state[0] if state else None, abstract) if self.decide(found) else None

    def for_saving(self, state: Any) -> Any:
        """Gather a state on the host of process 0, leaf by leaf; all must call it, and only process 0 gets it."""
        return gather(state, keep=self.writes)

    def leave(self, error: BaseException) -> NoReturn:
        """End all processes because of an error in this one, or because of a process that has died."""
        error = as_failure(error) or error
        code, line = _outcome(error)
        if isinstance(error, Exception) and not isinstance(error, Failure):
            time.sleep(SILENT + 4 * POLL)  # where another process has died, the watch knows which
        self._end_once()
        if code == 1:
            traceback.print_exception(error)
        if not isinstance(error, Told):
            self._announce(line, code, self.process)
            print(f'error: {self.job}: {line}', file=sys.stderr)
        self._exit(code)

    def finish(self) -> None:
        """Leave with all others, once they are done, too."""
        with contextlib.suppress(Exception):
            self._client.wait_at_barrier('jaxgan/finish', FOREVER)
        self._left.set()
        self._watch.join()
        faulthandler.cancel_dump_traceback_later()
        jax.distributed.shutdown()

    def _end_once(self) -> None:
        """Let one thread end the process; another one that wants to waits for that."""
        if not self._ending.acquire(blocking=False):
            threading.Event().wait()

    def _announce(self, line: str, code: int, process: int) -> None:
        with contextlib.suppress(Exception):  # another one was first, or process 0 is gone
            self._client.key_value_set('jaxgan/end/line', json.dumps([line, code, process]))

    def _exit(self, code: int) -> NoReturn:
        """Leave without waiting for others, as JAX would; process 0 gives them time to hear why."""
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        time.sleep(0 if self.process else 6 * POLL)
        os._exit(code)

    def _look(self) -> None:
        """Watch the others, in a thread, until this process leaves."""
        heard: dict[str, tuple[str, float]] = {}
        host, beats = socket.gethostname(), 0
        while not self._left.wait(POLL):
            beats += 1
            # should Python itself stand still (a failed collective may hold its lock), C's own thread ends the process
            faulthandler.dump_traceback_later(FROZEN, exit=True)
            try:
                self._client.key_value_set(
                    f'jaxgan/beat/{self.process}', f'{beats} {host}', allow_overwrite=True
                )
                self._end_with_others(dict(self._client.key_value_dir_get('jaxgan/end/')))
                self._find_dead(heard)
                self._halt.exchange()
            except Exception as error:  # whatever a lost connection raises
                if not self._left.is_set():
                    self._lose(str(error))

    def _end_with_others(self, said: dict[str, str]) -> None:
        for text in said.values():
            line, code, process = json.loads(text)
            self._end_once()
            if not self.process and process:
                print(f'error: process {process} of {self.processes}: {line}', file=sys.stderr)
            self._exit(code)

    def _find_dead(self, heard: dict[str, tuple[str, float]]) -> None:
        now = time.monotonic()
        for name, beat in self._client.key_value_dir_get('jaxgan/beat/'):
            if heard.get(name, ('', 0.0))[0] != beat:
                heard[name] = beat, now
            elif now - heard[name][1] > SILENT:
                number, host = name.rsplit('/', 1)[-1], beat.split(' ', 1)[1]
                line = (
                    f'process {number} of {self.processes} (on {host}) has died or hangs: nothing was heard of it for '
                    f'{SILENT:.0f} s. The same command continues from the last checkpoint'
                )
                self._end_once()
                self._announce(line, MachineError.code, self.process)
                print(f'error: {line}', file=sys.stderr)
                self._exit(MachineError.code)

    def _lose(self, why: str) -> None:
        self._end_once()
        print(f'error: {lost(self.job)} ({why[:80]})', file=sys.stderr)
        self._exit(MachineError.code)


def _outcome(error: BaseException) -> tuple[int, str]:
    line = ' '.join(str(error).split())
    if isinstance(error, Failure):
        return error.code, line
    if isinstance(error, KeyboardInterrupt):
        return 130, 'interrupted'
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1, 'it was told to leave at once'
    return 1, f'{type(error).__name__}: {line[:200]}'


def _difference(here: Any, there: Any, path: str = '') -> str:
    """Name the first thing in which two JSON values differ."""
    if isinstance(here, dict) and isinstance(there, dict):
        for name in here | there:
            if here.get(name) != there.get(name):
                return _difference(here.get(name), there.get(name), f'{path}.{name}' if path else name)
    return f'{path} {here!r} here, {there!r} there'.strip()


def lost(job: Job) -> str:
    """Say what a lost connection to process 0 means."""
    return (
        f'{job} has lost process 0 of {job.processes} (at {job.coordinator}): it has died, or its machine cannot be reached. '
        'The same command continues from the last checkpoint'
    )


def client_state() -> Any:
    """Return what JAX knows of its processes, and the client of their store."""
    from jax._src import distributed  # JAX has no public name for its store; Orbax takes it from here, too

    return distributed.global_state
