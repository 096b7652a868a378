"""The manifest of the data in a run's folder, written in the background once the training runs."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jaxgan.data import ImageSource
from jaxgan.data.folder import FolderSource
from jaxgan.datamanifest.entries import NAME, read_manifest, write_manifest
from jaxgan.datamanifest.gather import fits, list_images
from jaxgan.errors import InputError
from jaxgan.files import reason


class ManifestWriter:
    """A manifest that is being written; of data sets that are no folders ``jaxgan manifest RUN`` writes one."""

    def __init__(self, source: ImageSource, workdir: Path, say: Callable[[str], None]) -> None:
        self._path, self._say, self._ending = workdir / NAME, say, threading.Event()
        self._thread = None
        if isinstance(source, FolderSource):
            self._thread = threading.Thread(target=self._write, args=(source,), name='manifest', daemon=True)

    def begin(self) -> None:
        """Begin to write, in a thread."""
        if self._thread:
            self._thread.start()

    def finish(self, stopped: Callable[[], bool] = lambda: False) -> None:
        """Wait until it is written, or until nobody wants to wait any more."""
        while self._thread and self._thread.is_alive() and not stopped():
            self._thread.join(0.1)

    def __enter__(self) -> 'ManifestWriter':
        return self

    def __exit__(self, *_: Any) -> None:
        """Give up what is not written yet; the next start of the run writes it."""
        self._ending.set()
        self.finish()

    def _write(self, source: FolderSource) -> None:
        try:
            if not self._is_there(source):
                write_manifest(self._path, list_images(source, 1, stopped=self._ending.is_set))
        except (InputError, OSError) as error:
            if not self._ending.is_set():
                self._say(f'warning: {self._path} cannot be written: {reason(error)}; the training goes on')

    def _is_there(self, source: FolderSource) -> bool:
        try:
            return fits(read_manifest(self._path), source)
        except InputError:  # there is none, or it is damaged
            return False
