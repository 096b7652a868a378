"""Where many images go: a grid, arrays, a folder of single files, or standard output; each whole or not at all.

A command opens one with ``open_output``, adds images as they are made, and finishes it. Only a grid keeps them in memory.
"""

import hashlib
import json
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from jaxgan import images
from jaxgan.credentials import Credit
from jaxgan.errors import InputError, unknown
from jaxgan.files import replacing, unwritable
from jaxgan.making.folders import Folder
from jaxgan.making.made import Made, Origin, Output, Target
from jaxgan.marks import record
from jaxgan.marks.pictures import record_path, to_bytes, write_picture
from jaxgan.marks.watermarking import mark
from jaxgan.sampling import format_seeds

STDOUT = '-'
FORMS = {'png': 'PNG', 'webp': 'WEBP', 'npz': ''}


def choose_target(out: str, form: str | None) -> Target:
    """Tell from a name, or '-' for standard output, and a format what is to be written.

    Raises:
        InputError: nothing is written by that name, or name and format contradict each other.
    """
    if form is not None and form not in FORMS:
        raise unknown('format', form, FORMS)
    if out == STDOUT:
        if sys.stdout.isatty():
            raise InputError('--out - writes an image to standard output, which is a terminal: pipe it on')
        return Target('npz' if form == 'npz' else 'grid', FORMS[form or 'png'], None)
    path = Path(out)
    suffix = path.suffix.lower()
    if suffix not in ('.png', '.webp', '.npz', ''):
        raise unknown('kind of output', suffix, ('.png', '.webp', '.npz', 'a folder (no suffix)', STDOUT))
    if not suffix:
        if form == 'npz':
            raise InputError(f'a folder holds pictures: name {out}.npz for arrays, or --format png or webp')
        return Target('folder', FORMS[form or 'png'], path)
    if form not in (None, suffix[1:]):
        raise InputError(f'--format {form} contradicts the name {out}')
    return Target('npz' if suffix == '.npz' else 'grid', FORMS[suffix[1:]], path)


def open_output(
    target: Target, origin: Origin, columns: int | None = None, scale: int | None = None
) -> Output:
    """Open what takes the images.

    Raises:
        InputError: it cannot be written there.
    """
    for name, value in (('columns', columns), ('scale', scale)):
        if value is not None and target.kind != 'grid':
            raise InputError(f'--{name} {value} is for a grid, and {target.path or "this"} is none')
        if value is not None and value < 1:
            raise InputError(f'--{name} {value} must be at least 1')
    if target.path is not None and target.kind != 'folder' and target.path.is_dir():
        raise InputError(f'cannot write {target.path}: it is a folder')
    if target.kind == 'npz' and origin.sign('', None).marks.sign is not None:
        raise InputError(f'--sign: arrays hold no signature, and {target.path or STDOUT} would be some')
    if target.kind == 'grid':
        return Grid(target, origin, columns, scale)
    return Arrays(target, origin) if target.kind == 'npz' else Folder(target, origin)


class Grid:
    """All images side by side in one picture."""

    there = frozenset[int]()

    def __init__(self, target: Target, origin: Origin, columns: int | None, scale: int | None) -> None:
        """Open it; nothing is written yet."""
        self._target, self._origin, self._layout = target, origin, (columns, scale)
        self._made: list[Made] = []

    def add(self, made: Made) -> None:
        """Keep images."""
        self._made.append(made)

    def finish(self) -> None:
        """Write the picture."""
        pixels = np.concatenate([made.images for made in self._made])
        credit = self._origin.sign(format_seeds(seed for made in self._made for seed in made.seeds), None)
        picture = images.picture(pixels, *self._layout)
        if self._target.path is not None:
            write_picture(self._target.path, picture, credit)
        else:
            _to_stdout(to_bytes(picture, self._target.form, credit, STDOUT))

    def close(self) -> None:
        """Forget the images."""
        self._made.clear()


class Arrays:
    """An .npz: ``images``, ``seeds``, ``labels`` where there are any, and ``credit``, JSON; images wait on the disk."""

    there = frozenset[int]()

    def __init__(self, target: Target, origin: Origin) -> None:
        """Open it; nothing is written yet."""
        self._target, self._origin = target, origin
        self._spool = tempfile.TemporaryFile()  # noqa: SIM115 - closed by close()
        self._shape: tuple[int, ...] = ()
        self._layers: tuple[str, ...] = ()
        self._seeds: list[int] = []
        self._labels: list[np.ndarray] = []

    def add(self, made: Made) -> None:
        """Put images where they can wait."""
        marked = mark(made.images, self._origin.sign('', None))
        self._shape, self._layers = made.images.shape[1:], marked.layers
        self._spool.write(np.ascontiguousarray(marked.pixels).data)
        self._seeds.extend(made.seeds)
        if made.labels is not None:
            self._labels.append(made.labels)

    def finish(self) -> None:
        """Write the archive."""
        if self._target.path is None:
            with tempfile.TemporaryFile() as file:  # a pipe cannot go back to where a size belongs
                self._write(file)
                self._record(file, STDOUT, self._credit().marks.record)
                file.seek(0)
                _to_stdout(file)
            return
        path = self._target.path
        try:
            with replacing(path) as temporary, temporary.open('w+b') as file:
                self._write(file)
                self._record(file, path.name, record_path(path, self._credit()))
        except OSError as error:
            raise unwritable(self._target.path, error) from error

    def _credit(self) -> Credit:
        return self._origin.sign(format_seeds(self._seeds), None)

    def _record(self, file: BinaryIO, name: str, path: Path | None) -> None:
        """Write the line of what was written into a file; there is no hash of what it shows, for it shows many images."""
        if path is None:
            return
        file.seek(0)
        digest = hashlib.file_digest(cast(Any, file), 'sha256').hexdigest()
        size = self._shape[0], self._shape[1]
        entry = record.entry_of(name, digest, size, self._layers, self._credit())
        record.append(path, [entry | {'images': len(self._seeds)}])

    def _write(self, file: BinaryIO) -> None:
        origin = self._credit()
        told = {**origin.fields(), 'kind': origin.kind, 'seeds': ''}  # the seeds are an array of their own
        if origin.marks.unmarked:
            told = {}
        credit = json.dumps({name: value for name, value in told.items() if value}, allow_nan=False)
        arrays = {'seeds': np.asarray(self._seeds, np.uint32), 'credit': np.asarray(credit)}
        if self._labels:
            arrays['labels'] = np.concatenate(self._labels)
        self._spool.seek(0)
        header = {'descr': '|u1', 'fortran_order': False, 'shape': (len(self._seeds), *self._shape)}
        with zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as archive:
            with _member(archive, 'images') as member:
                np.lib.format.write_array_header_1_0(member, header)
                for block in _blocks(self._spool):
                    member.write(block)
            for name, array in arrays.items():
                with _member(archive, name) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)

    def close(self) -> None:
        """Let the waiting images go."""
        self._spool.close()


def _member(archive: zipfile.ZipFile, name: str) -> Any:
    entry = zipfile.ZipInfo(f'{name}.npy')  # with a date that is always the same
    entry.compress_type = zipfile.ZIP_DEFLATED
    return archive.open(entry, 'w', force_zip64=True)


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(1 << 20):
        yield block


def _to_stdout(data: bytes | BinaryIO) -> None:
    for block in [data] if isinstance(data, bytes) else _blocks(data):
        sys.stdout.buffer.write(block)
    sys.stdout.buffer.flush()
