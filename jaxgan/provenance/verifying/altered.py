"""What was done to a file since it was written, in words: as far as its record, its watermark or the original show it."""

from collections.abc import Iterator

from jaxgan.marks.animation import FORMATS as FILMS
from jaxgan.marks.pictures import FORMATS as PICTURES
from jaxgan.provenance.verifying.alterations import Comparison
from jaxgan.provenance.verifying.matching import Match, is_size
from jaxgan.provenance.verifying.pixelmarks import Hit
from jaxgan.provenance.verifying.seen import Seen

LOSSY = ('JPEG', 'MPO', 'JPEG2000', 'MP4')


def describe(
    seen: Seen, known: Match | None, marked: Hit | None, same: Comparison | None
) -> tuple[str, ...] | None:
    """Say what was done to a file.

    Args:
        seen: the file.
        known: the line of the record that is certainly its own, or None.
        marked: the watermark that is certainly in it, or None.
        same: the file laid upon its original, where that is there.

    Returns:
        The alterations; none at all: it is as it was written. None: nothing tells what it was.
    """
    if known is not None and known.exact:
        return ()
    if known is not None:
        found = [*_storage(seen, known, same), *_shape(seen, known, marked, same)]
        return tuple(found) or ('its bytes are others; what was altered does not show',)
    if marked is None:
        return None
    return tuple(_of_mark(seen, marked))


def _storage(seen: Seen, known: Match, same: Comparison | None) -> Iterator[str]:
    """Compare how it is stored: the metadata, the format, the loss."""
    if 'xmp' in known.entry['marks'] and not seen.credit:
        yield 'its metadata were removed'
    suffix = '.' + str(known.entry['file']).rpartition('.')[2].lower()
    before = PICTURES.get(suffix) or FILMS.get(suffix)
    if before is not None and before != seen.form:
        yield f'stored again as {seen.form} (it was {before})'
    if same is None:
        return
    if same.same:
        yield 'its pixels are those of the original' + (', but for what follows' if same.words else '')
    else:
        laid = ' when laid upon it' if same.words else ''
        yield f'its pixels differ from those of the original (PSNR of the luma {min(same.psnr, 99):.1f} dB{laid})'


def _shape(seen: Seen, known: Match, marked: Hit | None, same: Comparison | None) -> Iterator[str]:
    """Compare what it shows: mirrored, scaled, cut."""
    if same is not None:
        yield from same.words
        return
    if known.mirrored:
        yield 'mirrored'
    before, now = known.entry.get('size'), seen.size
    if before is not None and is_size(before) and tuple(before) != now:
        yield f'resized or cut from {before[1]}x{before[0]} to {now[1]}x{now[0]} pixels'
    if marked is not None and marked.how:
        yield f'its watermark is found {marked.how}'


def _of_mark(seen: Seen, marked: Hit) -> Iterator[str]:
    if not seen.credit:
        yield 'it has no metadata: they were removed, or it was made from arrays'
    if seen.form in LOSSY:
        yield f'it is stored with loss ({seen.form})'
    if marked.how:
        yield f'its watermark is found {marked.how}'
