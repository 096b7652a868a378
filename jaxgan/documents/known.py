"""What is known of a generator, from the files of its run or export: values, each with the file and the field that it comes from."""

from pathlib import Path
from typing import Any, NamedTuple

from jaxgan.checkpoints.filetable import hash_file
from jaxgan.checkpoints.manifest import RECORD
from jaxgan.checkpoints.restore import load_record
from jaxgan.checkpoints.storage import META
from jaxgan.datamanifest.entries import NAME as MANIFEST
from jaxgan.datamanifest.entries import Entry, read_manifest
from jaxgan.documents.markdown import plain
from jaxgan.errors import InputError
from jaxgan.export import CARD, flatten
from jaxgan.metrics.protocol import EVALUATIONS
from jaxgan.opened import Generator
from jaxgan.report.evaluations import evaluation_line, tabulate
from jaxgan.report.lines import as_count, read_lines
from jaxgan.report.types import Evaluations
from jaxgan.run.alarms import WARNINGS
from jaxgan.run.goodput import SESSIONS
from jaxgan.run.recovery import FAULTS
from jaxgan.run.rundir import AUDIT, REMOVALS
from jaxgan.run.runlog import LINES as METRICS
from jaxgan.strictjson import read_json


class Known(NamedTuple):
    """A generator, and the folder with the files that say more of it."""

    card: dict[str, Any]
    """As in an export: architecture, labels, data, trained."""
    digest: str
    """SHA-256 of the weights."""
    parameters: int
    folder: Path | None = None
    """The run's; None: of an export, which has no more files."""
    record: str = CARD
    """The file that the card's fields come from, and within it what stands before them."""
    meta: dict[str, Any] = {}  # noqa: RUF012
    """What stands beside the checkpoint; empty for an export."""

    @property
    def step(self) -> int:
        """The step of the weights."""
        return self.card['trained']['step']

    @property
    def config(self) -> dict[str, Any]:
        """The recipe, as the checkpoint has it; empty: not known."""
        value = self.meta.get('config')
        return value if isinstance(value, dict) else {}


class Row(NamedTuple):
    """A line of a table: what, its value, and the file and field that it comes from."""

    what: str
    value: str
    source: str


class Found(NamedTuple):
    """What a run's other files say; absent: empty."""

    metrics: dict[str, Any]
    """The newest line up to the step."""
    sessions: list[dict[str, Any]]
    evaluations: Evaluations
    warnings: list[dict[str, Any]]
    faults: list[dict[str, Any]]
    removals: list[dict[str, Any]]
    entries: list[Entry]
    audit: dict[str, Any]
    files: tuple[tuple[str, str], ...]
    """Those that were read: name, SHA-256."""
    notes: tuple[str, ...]
    """What could not be read."""


def know(found: Generator, source: Path) -> Known:
    """Gather what is known of an opened generator.

    Raises:
        InputError: its checkpoint's record cannot be read.
    """
    params = sum(int(leaf.size) for leaf in flatten({'params': found.params}).values())
    if found.checkpoint is None:
        return Known(found.card, found.digest, params)
    meta = load_record(found.checkpoint, f'checkpoint {found.checkpoint}').meta
    record = '/'.join((*found.checkpoint.parts[-2:], META, RECORD))
    return Known(found.card, found.digest, params, source, record, meta)


def at(known: Known, field: str) -> str:
    """Name the place of a card's field.

    >>> at(Known({}, '', 0), 'trained.step'), at(Known({}, '', 0, Path(), '1/meta/record.json'), 'trained.jax')
    ('generator.json: trained.step', 'record.json: meta.jax')
    """
    if known.folder is None:
        return f'{known.record}: {field}'
    return f'{RECORD}: meta.{field.removeprefix("trained.")}'


def get(values: Any, field: str) -> Any:
    """Look a field up in nested objects; None: it is not there.

    >>> get({'a': {'b': 1}}, 'a.b'), get({'a': 2}, 'a.b')
    (1, None)
    """
    for name in field.split('.'):
        values = values.get(name) if isinstance(values, dict) else None
    return values


def row(what: str, values: Any, field: str, source: str) -> Row:
    """Make a table's line of a field."""
    return Row(what, plain(get(values, field)), source)


def search(known: Known) -> Found:
    """Read the files that a run may have besides its checkpoints; those of an export are none."""
    notes: list[str] = []
    if known.folder is None:
        return Found({}, [], tabulate([]), [], [], [], [], {}, (), ())
    run = known.folder

    def lines(name: str) -> list[dict[str, Any]]:
        return [line for line in read_lines(run / name, lambda line: line, notes) if _until(line, known.step)]

    measured = [
        one for one in read_lines(run / EVALUATIONS, evaluation_line, notes) if one.step <= known.step
    ]
    curves = lines(METRICS)
    return Found(
        metrics=max(curves, key=lambda line: as_count(line.get('step')) or 0, default={}),
        sessions=lines(SESSIONS),
        evaluations=tabulate(measured),
        warnings=lines(WARNINGS),
        faults=lines(FAULTS),
        removals=read_lines(run / REMOVALS, lambda line: line, notes),
        entries=_entries(run, known, notes),
        audit=_audit(run, known, notes),
        files=tuple(_digests(run, known)),
        notes=tuple(notes),
    )


def _until(line: dict[str, Any], step: int) -> bool:
    at_step = as_count(line.get('step'))
    return at_step is None or at_step <= step


def _entries(run: Path, known: Known, notes: list[str]) -> list[Entry]:
    """Read the data manifest, if it is of the data that the checkpoint names; documents of a private training tell nothing of it."""
    if private(known):
        notes.append(f'{MANIFEST} is left out, and digests of what has digests of images: private training')
        return []
    if not (run / MANIFEST).is_file():
        return []
    try:
        entries = read_manifest(run / MANIFEST)
    except InputError as error:
        notes.append(f'{MANIFEST} is left out: {str(error).removeprefix(str(run))}')
        return []
    count = get(known.card, 'data.count')
    if len(entries) != count:
        notes.append(
            f'{MANIFEST} is left out: it lists {len(entries):,} images, and the training had {plain(count)}'
        )
        return []
    return entries


def _audit(run: Path, known: Known, notes: list[str]) -> dict[str, Any]:
    """Read what ``jaxgan audit`` wrote, if it is of these weights."""
    if not (run / AUDIT).is_file():
        return {}
    try:
        found = read_json(run / AUDIT)
    except InputError as error:
        notes.append(f'{AUDIT} is left out: {str(error).removeprefix(str(run))}')
        return {}
    if get(found, 'format_version') != 1 or get(found, 'model') != known.digest:
        notes.append(f'{AUDIT} is left out: it is of other weights, or of another format')
        return {}
    return found


def private(known: Known) -> bool:
    """Say whether a training was private: then documents, which go beside exports, tell nothing that only its images decide."""
    return isinstance(get(known.card, 'trained.privacy'), dict)


def _digests(run: Path, known: Known) -> list[tuple[str, str]]:
    names = (known.record, METRICS, SESSIONS, EVALUATIONS, WARNINGS, FAULTS, REMOVALS, MANIFEST, AUDIT)
    # who knows all images but one could try that one by a digest
    hidden = (known.record, MANIFEST) if private(known) else ()
    return [(name, hash_file(run / name)) for name in names if name not in hidden and (run / name).is_file()]
