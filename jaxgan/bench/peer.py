"""The other side of a comparison: a process in a Python that has PyTorch, asked by lines of JSON.

The protocol is in ``peers/torch_peer.py``.
"""

import contextlib
import json
import os
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

from jaxgan.bench.timing import Side, SideError

SCRIPT = Path(__file__).parent / 'peers' / 'torch_peer.py'
PATIENCE = 600.0  # seconds for one answer: torch.compile may take minutes


class Peer:
    """A running peer; leave the context to end it."""

    def __init__(self, python: str, device: str, script: Path = SCRIPT):
        """Start it.

        Args:
            python: path of a Python that has PyTorch.
            device: 'cpu' or 'gpu'.
            script: what to run.

        Raises:
            SideError: it does not start, or has no PyTorch.
        """
        self.python, self.device = python, device
        environment = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
        self._errors = tempfile.TemporaryFile('w+')  # noqa: SIM115 (closed with the process)
        try:
            self._process = subprocess.Popen(
                [python, str(script), device],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                text=True,
                env=environment,
            )
        except OSError as error:
            self._errors.close()
            raise SideError(f'{python} does not start: {error.strerror}') from None
        try:
            self.hello = self._read()
        except SideError:
            self.close()
            raise

    def __enter__(self) -> 'Peer':
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and wait for its answer.

        Raises:
            SideError: the process died, or the case failed there.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + '\n')
            self._process.stdin.flush()
        except (OSError, ValueError):
            raise SideError(self._epitaph()) from None
        answer = self._read()
        if 'error' in answer:
            raise SideError(answer['error'])
        return answer

    def side(self, case: dict[str, Any], seconds: float) -> Side:
        """Make a side of a case that was prepared."""
        return lambda: self.ask(case=case, seconds=seconds)['times']

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdout, self._errors):
            stream.close()
        with contextlib.suppress(OSError):  # what it still held was for a process that is gone
            self._process.stdin.close()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        watch = threading.Timer(PATIENCE, self._process.kill)
        watch.start()
        try:
            line = self._process.stdout.readline()
        finally:
            watch.cancel()
        try:
            return json.loads(line)
        except ValueError:
            raise SideError(self._epitaph()) from None

    def _epitaph(self) -> str:
        """Say how the process ended: its code, and the last line that it wrote."""
        if self._errors.closed:
            return 'the process is closed'
        code = self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().strip().splitlines()
        return f'the process ended with code {code}' + (f': {lines[-1]}' if lines else '')
