"""The record's layer: the line of a file by its SHA-256, or lines of pictures that look alike."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxgan.errors import Failure
from jaxgan.marks.hashes import NEAR, phashes
from jaxgan.marks.record import RECORD, read
from jaxgan.provenance.verifying.layers import Layer, Verdict
from jaxgan.provenance.verifying.seen import Seen

NAME = 'record'
MOST_SIZES = 4  # that are kept of a record


class Record(NamedTuple):
    """A record that was read, or several."""

    entries: tuple[Mapping[str, Any], ...] = ()
    places: tuple[Path, ...] = ()
    """Of each entry: the record that has it."""
    named: bool = False
    """Whether who asks named it, and so stands by it; one that lies beside the files may come from whoever made those."""
    by_sha256: Mapping[str, int] = {}
    hashes: np.ndarray = np.zeros(0, np.uint64)
    """Of those entries that have one."""
    hashed: np.ndarray = np.zeros(0, np.int64)
    """Which those are."""
    models: tuple[str, ...] = ()
    """Digests that it names, the newest first."""
    sizes: tuple[tuple[int, int], ...] = ()
    """Heights and widths of its pictures, a few of the newest."""
    problem: str = ''
    """Why it could not be read."""


class Match(NamedTuple):
    """A line that may be a file's."""

    entry: Mapping[str, Any]
    record: Path
    exact: bool
    distance: int = 0
    mirrored: bool = False
    alike: int = 1
    """How many files of the record look as much alike, this one included."""

    def original(self) -> Path | None:
        """Find the file as it was written, beside the record; None: it is not there by that name."""
        name = str(self.entry['file'])
        path = self.record.parent / name
        return path if name == Path(name).name and name not in ('', '.', '..') and path.is_file() else None


def read_records(paths: Sequence[Path], named: bool = False) -> Record:
    """Read records into one.

    Args:
        paths: the records.
        named: whether who asks named them.

    Raises:
        InputError: one cannot be read.
    """
    pairs = [(entry, path) for path in paths for entry in read(path)]
    entries = tuple(entry for entry, _ in pairs)
    hashed = [i for i, entry in enumerate(entries) if entry.get('phash')]
    values = np.asarray([int(entries[i]['phash'], 16) for i in hashed], np.uint64)
    by_sha256 = {entry['sha256']: i for i, entry in enumerate(entries)}
    newest = entries[::-1]
    return Record(
        entries,
        tuple(path for _, path in pairs),
        named,
        by_sha256,
        values,
        np.asarray(hashed, np.int64),
        tuple(dict.fromkeys(entry['model'] for entry in newest)),
        tuple(dict.fromkeys(tuple(one['size']) for one in newest if is_size(one.get('size'))))[:MOST_SIZES],
    )


def is_size(value: Any) -> bool:
    """Say whether a record's field is height and width of a picture.

    >>> is_size([32, 32]), is_size([0, 32]), is_size(None)
    (True, False, False)
    """
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(type(side) is int and 0 < side < 2**16 for side in value)
    )


def read_beside(path: Path) -> Record:
    """Read the record beside a file, if there is one. A stranger's that cannot be read is said in its layer, and hinders nothing else."""
    beside = path.parent / RECORD
    if not beside.is_file():
        return Record()
    try:
        return read_records([beside])
    except Failure as error:
        return Record(problem=str(error))


def match(seen: Seen, record: Record) -> Match | None:
    """Find a file's line by its SHA-256, or else the nearest by its perceptual hash, also mirrored; None: no line is near."""
    at = record.by_sha256.get(seen.sha256)
    if at is not None:
        return Match(record.entries[at], record.places[at], True)
    if not len(record.hashes) or not len(seen.images) or seen.form == 'NPZ':
        return None
    first = seen.images[:1]
    own = phashes(np.concatenate([first, first[:, :, ::-1]]))
    apart = np.bitwise_count(own[:, None] ^ record.hashes)
    mirrored, place = divmod(int(apart.argmin()), len(record.hashes))
    distance = int(apart[mirrored, place])
    if distance > NEAR:
        return None
    near = record.hashed[(apart <= distance).any(axis=0)]
    alike = len({record.entries[int(i)]['sha256'] for i in near})
    found = int(record.hashed[place])
    return Match(record.entries[found], record.places[found], False, distance, bool(mirrored), alike)


def layer(found: Match | None, record: Record, confirmed: str, same: bool) -> Layer:
    """Say what the record says: proof where who asks named it, and the bytes are those that were written, or the pixels those of the file
    that is still there. A record that only lies beside a file claims: whoever made the file can have written it.

    Args:
        found: the file's line.
        record: in which was looked.
        confirmed: what shows that it is this line's, besides the likeness; empty: nothing.
        same: all its pixels are those of the original, which is still there; at most mirrored or enlarged.
    """
    if not record.entries:
        return Layer(NAME, 'not looked at', record.problem or 'no record: name one with --jsonl')
    if found is None:
        return Layer(
            NAME,
            'nothing',
            f'none of {len(record.entries)} lines is of this file, or of one that looks like it',
        )
    name, facts = str(found.entry['file']), _facts(found)
    if found.exact:
        unmarked = found.entry.get('unmarked')
        words = f'every byte is as it was written as {name}, says {found.record}'
        words += f', without marks for this reason: {unmarked}' if unmarked else ''
        return Layer(NAME, *_weighed(words, record), facts=facts)
    how = f'{found.distance} of 64 bits of the perceptual hash differ{", mirrored" if found.mirrored else ""}'
    if confirmed:
        words = f'it was written as {name}, and has been altered: {how}, and {confirmed}'
    elif found.alike > 1:
        words = f'it may have been written as {name} or another of {found.alike} files that look as much like it, and altered ({how})'
    else:
        words = f'it looks like {name}, which may have been altered ({how}); others may look like it, too'
    verdict, words = _weighed(words, record) if same else ('claims', words)
    return Layer(NAME, verdict, words, facts=facts)


def _weighed(words: str, record: Record) -> tuple[Verdict, str]:
    if record.named:
        return 'proves', words
    return 'claims', f'{words}; anybody can put such a record beside a file: --jsonl names one that you trust'


def _facts(found: Match) -> dict[str, Any]:
    entry = found.entry
    told = {
        name: entry.get(name)
        for name in ('file', 'model', 'seeds', 'index', 'unmarked')
        if entry.get(name) is not None
    }
    return {
        **told,
        'exact': found.exact,
        'distance': found.distance,
        'mirrored': found.mirrored,
        'alike': found.alike,
    }
