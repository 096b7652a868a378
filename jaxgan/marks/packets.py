"""XMP packets in films, which Pillow neither writes nor reads: an application extension of a GIF, a box of an MP4.

References:
    Adobe XMP Specification part 3, sections 1.1.2 (GIF) and 1.2.5 (MPEG-4: a top-level ``uuid`` box).
"""

import struct
import uuid
from pathlib import Path

from jaxgan.errors import InputError

GIF_BLOCK = b'\x21\xff\x0bXMP DataXMP'
GIF_TRAILER = (
    bytes([1]) + bytes(range(255, -1, -1)) + bytes([0])
)  # leads whoever reads the packet as sub-blocks to its end
GIF_END = b'\x3b'
MP4_BOX = uuid.UUID('be7acfcb-97a9-42e8-9c71-999491e3afac').bytes
LONGEST = 1 << 20  # bytes of a packet that is read


def into_gif(data: bytes, packet: bytes) -> bytes:
    """Put a packet at the end of a GIF."""
    if not data.endswith(GIF_END):
        raise ValueError('a GIF ends with 0x3b')
    return data[:-1] + GIF_BLOCK + packet + GIF_TRAILER + GIF_END


def from_gif(data: bytes) -> bytes:
    """Find the packet of a GIF; empty: there is none."""
    start = data.rfind(GIF_BLOCK)
    end = data.find(GIF_TRAILER, start)
    return b'' if start < 0 or end < 0 else data[start + len(GIF_BLOCK) : end]


def into_mp4(path: Path, packet: bytes) -> None:
    """Append a packet to an MP4 file."""
    with path.open('ab') as file:
        file.write(struct.pack('>I4s', 24 + len(packet), b'uuid') + MP4_BOX + packet)


def is_mp4(data: bytes) -> bool:
    """Say whether these are the first bytes of an MP4 file.

    >>> is_mp4(b'\\x00\\x00\\x00\\x20ftypisom'), is_mp4(b'GIF89a')
    (True, False)
    """
    return data[4:8] == b'ftyp'


def from_mp4(data: bytes) -> bytes:
    """Find the packet of an MP4 file among its outermost boxes; empty: there is none.

    Raises:
        InputError: the boxes do not fit into the file.
    """
    place = 0
    while place + 8 <= len(data):
        size, kind = struct.unpack_from('>I4s', data, place)
        head = 8
        if size == 1 and place + 16 <= len(data):  # a longer one: its size follows
            size, head = struct.unpack_from('>Q', data, place + 8)[0], 16
        size = len(data) - place if size == 0 else size  # 0: the rest of the file
        if size < head or place + size > len(data):
            raise InputError(f'an MP4 file is damaged: a box of {size} bytes at {place}, of {len(data)}')
        inner = data[place + head : place + size] if kind == b'uuid' and size < LONGEST else b''
        if inner.startswith(MP4_BOX):
            return inner[16:]
        place += size
    return b''
