"""CBOR from strangers, as far as C2PA's assertions use it: bounded in depth and in number.

References:
    RFC 8949, Concise Binary Object Representation, sections 3 and 3.2 (indefinite lengths are refused: C2PA asks for definite ones).
"""

import struct
from typing import Any

DEPTH, ITEMS = 16, 10_000


def decode(data: bytes) -> Any:
    """Decode the first value of some bytes.

    Raises:
        ValueError: it is no CBOR, ends early, is nested deeper than 16, or has more than 10,000 values.
    """
    return _Decoder(data).value(0)


class _Decoder:
    def __init__(self, data: bytes) -> None:
        self._data, self._at, self._items = data, 0, 0

    def value(self, depth: int) -> Any:
        self._items += 1
        if depth > DEPTH or self._items > ITEMS:
            raise ValueError('its CBOR is too deep or too long')
        first = self._take(1)[0]
        kind, length = first >> 5, first & 31
        if kind == 7:
            return self._simple(length)
        number = self._number(length)
        if kind in (0, 1):
            return number if kind == 0 else -1 - number
        if kind in (2, 3):
            found = self._take(number)
            return found if kind == 2 else found.decode('utf-8')
        if kind == 4:
            return [self.value(depth + 1) for _ in self._count(number)]
        if kind == 5:
            return dict(self._pair(depth + 1) for _ in self._count(number))
        return self.value(depth + 1)  # a tag, and what it is of

    def _pair(self, depth: int) -> tuple[Any, Any]:
        name = self.value(depth)
        if not isinstance(name, str | int | bytes):
            raise ValueError('its CBOR has a key that is no text')
        return name, self.value(depth)

    def _count(self, number: int) -> range:
        if number > len(self._data) - self._at:  # each value takes a byte at least
            raise ValueError('its CBOR ends early')
        return range(number)

    def _number(self, length: int) -> int:
        if length < 24:
            return length
        if length > 27:
            raise ValueError('its CBOR has an unknown length')
        return int.from_bytes(self._take(1 << (length - 24)), 'big')

    def _simple(self, length: int) -> Any:
        forms = {25: ('>e', 2), 26: ('>f', 4), 27: ('>d', 8)}
        if length in forms:
            form, size = forms[length]
            return struct.unpack(form, self._take(size))[0]
        if length == 24:
            self._take(1)
        return {20: False, 21: True}.get(length)

    def _take(self, count: int) -> bytes:
        found = self._data[self._at : self._at + count]
        if len(found) < count:
            raise ValueError('its CBOR ends early')
        self._at += count
        return found
