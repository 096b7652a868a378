"""What a C2PA manifest store in a file says of training and data mining, without any library: a bounded search for its assertion.

A store is JUMBF: nested boxes. The search looks for the boxes whose label is that of the assertion, in all manifests of the store, and
verifies no signature: an opt-out need not be proved. It does not see manifests that are compressed (``brob``), lie elsewhere (a URL),
or whose assertion was redacted.

References:
    CAWG Training and Data Mining Assertion 1.1 (2025); C2PA specification 1.4, section on training and data mining, and 2.x, embedding
    in PNG (caBX), JPEG (APP11), GIF, WebP and TIFF; ISO 19566-5 (JUMBF).
"""

import json
import struct
from collections.abc import Iterator
from typing import Any

from jaxgan.rights import cbor
from jaxgan.rights.statement import SILENT, OptOut, Statement, short, united

LABELS = {b'cawg.training-mining': 'cawg', b'c2pa.training-mining': 'c2pa'}
MOST = 64  # assertions that are looked at in a file
LARGEST = 1 << 20  # bytes of an assertion
_BOX = 8  # length and kind
_DESCRIPTION = _BOX + 16 + 1  # of a jumd box before its label: UUID, toggles
_TRAINS = ('ai_generative_training', 'ai_training', 'data_mining')


def read_store(data: bytes) -> Statement:
    """Read the assertions in an image file, or in what is left of one."""
    if data.find(b'jumd') < 0:
        return SILENT
    joined = next((join for start, join in _JOINED.items() if data.startswith(start)), None)
    store = joined(data) if joined else data
    found = [_read(kind, content) for kind, content in _assertions(store)]
    if not found and store.find(b'brob') >= 0 and store.find(b'c2pa') >= 0:
        found = [Statement(unread=('C2PA: its manifest is compressed',))]
    return united(found)


def _of_jpeg(data: bytes) -> bytes:
    """Join the JUMBF boxes that a JPEG has in pieces, in its APP11 segments: JP, box number, piece number, LBox, TBox, payload."""
    pieces: dict[int, list[tuple[int, bytes]]] = {}
    at = 2
    while data[at : at + 1] == b'\xff' and at + 4 <= len(data):
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], 'big')
        if kind == 0xDA or length < 2:
            break
        segment = data[at + 4 : at + 2 + length]
        if kind == 0xEB and segment[:2] == b'JP' and len(segment) >= 16:
            number, piece = struct.unpack('>HI', segment[2:8])
            pieces.setdefault(number, []).append((piece, segment[8:]))
        at += 2 + length
    joined = []
    for parts in pieces.values():
        first, *rest = [part for _, part in sorted(parts)]
        joined.append(first + b''.join(part[_BOX:] for part in rest))
    return b''.join(joined)


def _of_gif(data: bytes) -> bytes:
    """Join the sub-blocks of the application extension in which a GIF has its store: each behind its length, the last of length 0."""
    start = data.find(_GIF_BLOCK)
    if start < 0:
        return b''
    at, parts = start + len(_GIF_BLOCK) + 3, []  # behind three bytes of its version
    while at < len(data) and data[at]:
        parts.append(data[at + 1 : at + 1 + data[at]])
        at += 1 + data[at]
    return b''.join(parts)


_GIF_BLOCK = b'\x21\xff\x0bC2PA_GIF'
_JOINED = {b'\xff\xd8': _of_jpeg, b'GIF8': _of_gif}  # how a file begins -> how its store comes in one piece


def _assertions(store: bytes) -> Iterator[tuple[str, bytes]]:
    """Find the boxes of the assertion: its kind, and the content box with its head; b'' where that is damaged."""
    found = 0
    for label, kind in LABELS.items():
        at = store.find(label)
        while at >= 0 and found < MOST:
            start = at - _DESCRIPTION
            if start >= 0 and store[start + 4 : start + _BOX] == b'jumd':
                found += 1
                yield kind, _content(store, start)
            at = store.find(label, at + 1)


def _content(store: bytes, start: int) -> bytes:
    """Take the box behind a description box."""
    behind = start + int.from_bytes(store[start : start + 4], 'big')
    length = int.from_bytes(store[behind : behind + 4], 'big')
    if not start + _DESCRIPTION < behind or not _BOX < length <= LARGEST or behind + length > len(store):
        return b''
    return store[behind : behind + length]


def _read(kind: str, box: bytes) -> Statement:
    where = f'C2PA, {kind}.training-mining'
    try:
        entries = _entries(box)
    except (ValueError, RecursionError) as error:
        return Statement(unread=(short(f'{where}: {error}'),))
    uses = {name.split('.', 1)[-1]: use for name, use in entries.items()}
    own = uses.get('ai_generative_training')
    # What is said of generative training decides it; where nothing is, what is said of other training and of mining.
    names = _TRAINS[:1] if own in ('allowed', 'notAllowed', 'constrained') else _TRAINS
    said = [f'{name} {uses[name]}' for name in names if uses.get(name) in ('notAllowed', 'constrained')]
    unknown = [f'{where}: {name} is {use!r}' for name, use in uses.items() if use not in _USES]
    return Statement(
        opt_outs=(OptOut(kind, 'C2PA', ', '.join(said)),) if said else (), unread=tuple(map(short, unknown))
    )


_USES = ('allowed', 'notAllowed', 'constrained')


def _entries(box: bytes) -> dict[str, Any]:
    """Read the uses: {'cawg.data_mining': 'notAllowed'}; the first version of the specification forgot the map around them."""
    content = box[_BOX:]
    if box[4:_BOX] == b'cbor':
        found = cbor.decode(content)
    elif box[4:_BOX] == b'json':
        found = json.loads(content)
    else:
        raise ValueError('it is damaged')
    entries = found.get('entries', found) if isinstance(found, dict) else None
    if not isinstance(entries, dict):
        raise ValueError('it has no entries')
    return {
        name: value['use']
        for name, value in entries.items()
        if isinstance(name, str) and isinstance(value, dict) and 'use' in value
    }
