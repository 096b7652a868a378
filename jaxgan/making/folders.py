"""A folder of single pictures that may be many: each file whole, and a request that was stopped goes on."""

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from jaxgan import images
from jaxgan.errors import InputError
from jaxgan.files import is_temporary, replacing, unwritable
from jaxgan.making.made import Made, Origin, Target
from jaxgan.making.pictures import write_picture
from jaxgan.strictjson import read_json

RECORD = 'samples.json'
WRITERS = 8  # threads: most of the time of a small file is waiting for the disk
ABANDONED = 60.0  # seconds after which a temporary file belongs to nobody


class Folder:
    """Single pictures, ``seed0000000017.png``, and ``samples.json``, which says of what; the same request goes on where it stopped."""

    def __init__(self, target: Target, origin: Origin) -> None:
        """Look at the folder; nothing is written yet.

        Raises:
            InputError: it is a file, or holds images of which nothing says that they belong to the same request.
        """
        assert target.path is not None
        self._path, self._origin = target.path, origin
        self._suffix = f'.{target.form.lower()}'
        self._record = {'format_version': 1, 'format': target.form.lower(), **origin.record}
        self.there = frozenset(self._look())
        self._pool = ThreadPoolExecutor(WRITERS)
        self._waiting: list[Future[None]] = []
        self._begun = False

    def _look(self) -> Iterator[int]:
        if self._path.exists() and not self._path.is_dir():
            raise InputError(f'cannot write images into {self._path}: it is a file')
        names = [path.name for path in self._path.iterdir()] if self._path.is_dir() else []
        seeds = {name: name[4:14] for name in names if re.match('seed[0-9]{10}', name)}
        if RECORD in names:
            self._compare(read_json(self._path / RECORD))
        elif seeds:
            raise InputError(
                f'{self._path} holds images already, and no {RECORD} that says of what: name a new folder'
            )
        for name in names:
            if RECORD in names and is_temporary(name):
                self._remove(self._path / name)
        yield from (int(seed) for name, seed in seeds.items() if name == _name(int(seed), self._suffix))

    def _compare(self, found: Any) -> None:
        found = found if isinstance(found, dict) else {}
        for name in {**self._record, **found}:
            if found.get(name) != self._record.get(name):
                raise InputError(
                    f'{self._path} holds images with {name} {found.get(name)!r}, and now it is '
                    f'{self._record.get(name)!r}: name a new folder, or ask for the same'
                )

    def _remove(self, path: Path) -> None:
        """Remove what a kill left; another process may be writing here, too."""
        if time.time() - path.stat().st_mtime > ABANDONED:
            path.unlink(missing_ok=True)

    def add(self, made: Made) -> None:
        """Begin to write images, once those before are written."""
        if not self._begun:
            self._begin()
        self._wait()
        for i, (pixels, seed) in enumerate(zip(made.images, made.seeds, strict=True)):
            if seed not in self.there:
                credit = self._origin.sign(str(seed), made.names[i] if made.names else None)
                path = self._path / _name(seed, self._suffix)
                self._waiting.append(self._pool.submit(write_picture, path, images.visible(pixels), credit))

    def _begin(self) -> None:
        text = json.dumps(self._record, indent=2, allow_nan=False) + '\n'
        try:
            with replacing(self._path / RECORD) as temporary:
                temporary.write_text(text)
        except OSError as error:
            raise unwritable(self._path, error) from error
        self._begun = True

    def _wait(self) -> None:
        for future in self._waiting:
            future.result()
        self._waiting.clear()

    def finish(self) -> None:
        """Wait until all is written."""
        self._wait()

    def close(self) -> None:
        """Begin no further file."""
        self._pool.shutdown(cancel_futures=True)


def _name(seed: int, suffix: str) -> str:
    return f'seed{seed:010d}{suffix}'
