"""The options of every command that writes pictures: how they say what they are."""

import dataclasses
from typing import Any, TypeVar, dataclass_transform

T = TypeVar('T')


@dataclass_transform(frozen_default=True)
def own_first(cls: type[T]) -> type[T]:
    """Make a frozen dataclass of a command's options: ``--help`` lists its own first, and what it inherits behind them.

    Args:
        cls: a class that inherits only keyword-only fields, so that their place is free.
    """
    made: Any = dataclasses.dataclass(frozen=True)(cls)
    fields = made.__dataclass_fields__
    for name in [name for name in fields if name not in cls.__annotations__]:
        fields[name] = fields.pop(name)
    return made


@dataclasses.dataclass(frozen=True, kw_only=True)
class WatermarkOptions:
    """How pictures are marked by programs that make them."""

    unmarked: str | None = None
    """Write no marks, for this reason, which is kept."""
    mark_key: str | None = None
    """A file with a secret of at least 16 bytes for the watermark, so that only who has it can find it (default: the file that
    JAXGAN_MARK_KEY names; without one the model's digest is enough)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class MarkOptions(WatermarkOptions):
    """How pictures are marked: by default with a watermark, with metadata, and by a line in a record."""

    sign: tuple[str, str] | None = None
    """CERT.pem KEY.pem: sign the files, too (C2PA); needs the extra jaxgan[c2pa]."""
    record: str | None = None
    """Where a line for each file goes (default: provenance.jsonl beside it; of standard output: nowhere)."""
