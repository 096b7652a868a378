"""A folder of single pictures that may be many: each file whole, and a request that was stopped goes on."""

import json
import re
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from jaxgan import images
from jaxgan.credentials import Credit
from jaxgan.errors import InputError
from jaxgan.files import is_temporary, replacing, unwritable
from jaxgan.making.made import Made, Origin, Target
from jaxgan.marks import record
from jaxgan.marks.pictures import Encoded, encode, record_path, write_file
from jaxgan.marks.watermarking import mark
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
        self._noted: set[tuple[str, str]] | None = None

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
        chosen = [i for i, seed in enumerate(made.seeds) if seed not in self.there]
        if not chosen:
            return
        credits = [self._credit(made, i) for i in chosen]
        marked = mark(images.visible(made.images[chosen]), credits[0])
        names = [_name(made.seeds[i], self._suffix) for i in chosen]
        form = self._record['format'].upper()
        written = encode(marked, form, names, credits, self._pool.map)
        self._note(written, credits[0])
        for name, one in zip(names, written, strict=True):
            self._waiting.append(self._pool.submit(write_file, self._path / name, one.data))

    def _credit(self, made: Made, i: int) -> Credit:
        seed = made.seeds[i]
        return self._origin.sign(str(seed), made.names[i] if made.names else None, self._origin.place(seed))

    def _note(self, written: list[Encoded], credit: Credit) -> None:
        """Add lines to the record, of which a stop may have left some whose file was not written any more."""
        path = record_path(self._path / RECORD, credit)
        if self._noted is None:
            self._noted = set()
            if path.exists():
                self._noted = {(entry['file'], entry['sha256']) for entry in record.read(path)}
        new = [one.entry for one in written if (one.entry['file'], one.entry['sha256']) not in self._noted]
        record.append(path, new)

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
