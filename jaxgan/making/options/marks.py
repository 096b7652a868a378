"""The options of every command that writes pictures: how they say what they are."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class MarkOptions:
    """How pictures are marked: by default with a watermark, with metadata, and by a line in a record."""

    unmarked: str | None = None
    """Write no marks, for this reason, which the record keeps."""
    mark_key: str | None = None
    """A file with a secret of at least 16 bytes for the watermark, so that only who has it can make or find it (default: the file
    that JAXGAN_MARK_KEY names; without one the model's digest is enough)."""
    sign: tuple[str, str] | None = None
    """CERT.pem KEY.pem: sign the files, too (C2PA); needs the extra jaxgan[c2pa]."""
    record: str | None = None
    """Where a line for each file goes (default: provenance.jsonl beside it; of standard output: nowhere)."""
