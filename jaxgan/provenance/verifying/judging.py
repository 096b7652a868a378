"""All layers of a file, and what follows of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from jaxgan.errors import InputError, MachineError
from jaxgan.files import read_bounded
from jaxgan.provenance.verifying import fingerprints, matching, pixelmarks, signatures
from jaxgan.provenance.verifying.alterations import ALIKE, Comparison, compare
from jaxgan.provenance.verifying.altered import describe
from jaxgan.provenance.verifying.candidates import Candidate, candidates
from jaxgan.provenance.verifying.layers import Layer
from jaxgan.provenance.verifying.matching import Match, Record
from jaxgan.provenance.verifying.pixelmarks import Hit
from jaxgan.provenance.verifying.seen import MOST_BYTES, Seen, see

MOST_COMPARED = 1 << 24  # pixels of a picture that is laid upon its original


class Asked(NamedTuple):
    """What all files are judged by."""

    models: Mapping[str, str]
    secret: bytes
    records: Mapping[Path, Record]
    """Of each folder, or under the empty path the one for all."""
    fpr: float
    search: bool
    anchors: str | None
    fingerprint: Candidate | None = None
    """Of the secret that a generator may have been trained with."""


class Judged(NamedTuple):
    """A file, its layers, and what was done to it."""

    seen: Seen
    layers: tuple[Layer, ...]
    altered: tuple[str, ...] | None
    """What was done to it since, in words; empty: nothing; None: nothing tells what it was."""
    keys: tuple[Candidate, ...]
    hit: Hit | None

    @property
    def proved(self) -> bool:
        """Whether a layer proves that a model of jaxgan made it."""
        return any(layer.verdict == 'proves' for layer in self.layers)

    @property
    def fingerprinted(self) -> bool:
        """Whether the fingerprint that was asked for proves it."""
        return any(layer.verdict == 'proves' and layer.name == fingerprints.NAME for layer in self.layers)


def judge_file(path: Path, asked: Asked) -> Judged:
    """Look at all layers of a file.

    Raises:
        InputError: it cannot be read.
    """
    data = read_bounded(path, MOST_BYTES)
    seen = see(path, data)
    record = asked.records.get(path.parent) or asked.records.get(Path()) or Record()
    found = matching.match(seen, record)
    keys = candidates(asked.models, record.models, seen.credit, asked.secret)
    same = _compared(seen, found)
    copied = same is not None and same.same and same.whole
    search = asked.search and not copied and not (found and found.exact)  # which would show nothing more
    hit = pixelmarks.best(seen.images, keys, search, asked.fpr, record.sizes)
    confirmed = _confirmed(found, hit, same, asked.fpr)
    layers = (
        xmp_layer(seen),
        signatures.layer(data, seen.form, asked.anchors),
        pixelmarks.layer(seen, keys, hit, asked.fpr),
        matching.layer(found, record, confirmed, copied),
    )
    if asked.fingerprint is not None:
        layers += (fingerprints.layer(seen.images, asked.fingerprint, asked.fpr),)
    known = found if found and (found.exact or confirmed) else None
    marked = hit if hit and hit.p_value <= asked.fpr else None
    return Judged(seen, layers, describe(seen, known, marked, same), tuple(keys), hit)


def xmp_layer(seen: Seen) -> Layer:
    """Say what a file's own metadata say: a claim that anybody can write, or remove."""
    if not seen.credit:
        return Layer('XMP', 'nothing', 'it says nothing of a model')
    told = {name: text[:300] for name, text in list(seen.credit.items())[:40]}
    if not told.get('model'):
        return Layer(
            'XMP',
            'claims',
            f"it says {told.get('kind', 'nothing')}, and not by which model of jaxgan's",
            facts=told,
        )
    seeds = f', seed {told["seeds"]}' if told.get('seeds') else ''
    rights = f', rights: {told["rights"]}' if told.get('rights') else ''
    words = f'it says that jaxgan {told.get("version", "")} made it with model {told["model"][:12]}{seeds}{rights}; anybody can write that'
    return Layer('XMP', 'claims', ' '.join(words.split()), facts=told)


def _compared(seen: Seen, found: Match | None) -> Comparison | None:
    """Lay a picture upon its original, where that is still there as it was written."""
    original = found.original() if found and not found.exact else None
    if original is None or seen.animated or len(seen.images) != 1:
        return None
    try:
        before = see(original, read_bounded(original, MOST_BYTES))
    except (InputError, MachineError):
        return None
    if before.sha256 != found.entry['sha256'] or len(before.images) != 1:  # type: ignore
        return None
    if max(before.images[0].size, seen.images[0].size) > 3 * MOST_COMPARED:
        return None
    return compare(before.images[0], seen.images[0])


def _confirmed(found: Match | None, hit: Hit | None, same: Comparison | None, fpr: float) -> str:
    if found is None or found.exact:
        return ''
    if same is not None and same.same:
        return 'its pixels are those of the original'
    if same is not None:
        return (
            f'laid upon the original, it agrees to {min(same.psnr, 99):.0f} dB' if same.psnr >= ALIKE else ''
        )
    marked = hit is not None and hit.p_value <= fpr and hit.candidate.model == found.entry['model']
    return 'it has the watermark of that model' if marked and found.alike == 1 else ''
