"""``MODEL_CARD.md``: what a run's own files say of its generator, each value with the file and field that it comes from.

What no file says is "not stated". Nothing is computed that cannot be found again: the rest is counted or added up, and says so.
"""

import re
from collections.abc import Iterable
from typing import Any

from jaxgan.credentials import without_folders
from jaxgan.documents import privacyrows, rows
from jaxgan.documents.known import Found, Known, Row, get
from jaxgan.documents.markdown import below, escape, plain, scalar, table
from jaxgan.metrics.protocol import EVALUATIONS
from jaxgan.report.evaluations import differing
from jaxgan.report.types import Evaluations
from jaxgan.rights.licences import NOT_STATED

HUB = re.compile(r'[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?', re.ASCII)
LICENCE = re.compile(r'license: *([A-Za-z0-9.-]{1,40})[ \t]*(?:\r?\n|$)')
COMMANDS = """```
jaxgan sample FOLDER --out images.png      # FOLDER holds this file
jaxgan export FOLDER --out EXPORT --format onnx
jaxgan verify images.png
```"""


def write_card(known: Known, found: Found, notes: str = '') -> str:
    """Write the card.

    Args:
        known: the generator.
        found: what the run's other files say.
        notes: Markdown of the maker's on intended use and limitations; its first line may be ``license: IDENTIFIER``.

    Returns:
        Markdown with a front matter in YAML; the same for the same files.
    """
    licence, notes = take_licence(notes)
    kind, data = (escape(plain(one)) for one in (get(known.card, 'architecture.kind'), _data(known)))
    lines = [
        *_front(known, licence),
        f'# A generator ({kind}) trained on {data}',
        '',
        _summary(known),
        '',
        f'Each value below stands beside the file and the field from which jaxgan took it; "{NOT_STATED}" is what no file says.',
        *_section('What it is', rows.generator_rows(known)),
        *_heading('How to use it'),
        COMMANDS,
        *_section('Data', rows.data_rows(known, found)),
        *_section('Training', rows.training_rows(known, found)),
        *_privacy(known),
        *_heading('Evaluation'),
        *_evaluation(found.evaluations),
        *_section(
            'Copying',
            rows.audit_rows(found),
            f'Whether it copies training images is {NOT_STATED}: `jaxgan audit` was not run on these weights.',
        ),
        *_section('Marks', rows.mark_rows(known)),
        '',
        'Images that jaxgan writes name the weights by this SHA-256 in their metadata and, where they are large enough, have a watermark whose '
        'key is made of it, unless `--unmarked` was given or somebody took these out again; `jaxgan verify` looks for them.',
        *_section('Faults and alarms', rows.trouble_rows(found), 'None: neither warnings.jsonl nor faults.jsonl has a line.' if known.folder else f'{NOT_STATED.capitalize()}.'),
        *_files(found),
        *_heading('Intended use and limitations'),
        *([f'Licence of the weights: {escape(licence)}', ''] if licence else []),
        *(below(notes) if notes.strip() else [f'{NOT_STATED.capitalize()} by its maker.']),
    ]  # fmt: skip
    return '\n'.join(lines).rstrip() + '\n'


def take_licence(notes: str) -> tuple[str, str]:
    """Split notes into the licence of the weights, if the first line names one, and the rest.

    >>> take_licence('license: mit\\nFor fun.'), take_licence('For fun.')
    (('mit', 'For fun.'), ('', 'For fun.'))
    """
    found = LICENCE.match(notes)
    return (found[1], notes[found.end() :]) if found else ('', notes)


def _data(known: Known) -> str:
    return without_folders(str(get(known.card, 'data.name')))


def _summary(known: Known) -> str:
    """Say the most important in three sentences."""
    size, images, seen = (
        plain(get(known.card, field)) for field in ('architecture.size', 'data.count', 'trained.images_seen')
    )
    licence = escape(plain(get(known.card, 'data.licence')))
    return (
        f'A generator of images of {escape(size)}×{escape(size)} pixels, which nobody photographed or drew. jaxgan trained it on {escape(images)} '
        f'images of {escape(_data(known))}, until it had been shown {escape(seen)}. The licence of these data: {licence}.'
    )


def _front(known: Known, licence: str) -> list[str]:
    """Write what Hugging Face reads; the licence of the weights is the maker's to choose, and not that of the data."""
    kind = plain(get(known.card, 'architecture.kind'))
    lines = ['---', *([f'license: {scalar(licence)}'] if licence else []), 'library_name: jaxgan']
    if not known.card['labels']:
        lines.append('pipeline_tag: unconditional-image-generation')
    tags = ('gan', 'jax', 'jaxgan', *([kind] if HUB.fullmatch(kind) else []))
    lines += ['tags:', *(f'- {scalar(tag)}' for tag in tags)]
    if HUB.fullmatch(_data(known)):
        lines += ['datasets:', f'- {scalar(_data(known))}']
    return [*lines, '---', '']


def _heading(title: str) -> list[str]:
    return ['', f'## {title}', '']


def _section(title: str, rows: Iterable[Row], otherwise: str = '') -> list[str]:
    found = list(rows)
    return [*_heading(title), *(_table(found) if found else [otherwise])]


def _privacy(known: Known) -> list[str]:
    rows = privacyrows.privacy_rows(known)
    return [*_section('Privacy', rows, privacyrows.NONE), *(['', privacyrows.MEANING] if rows else [])]


def _table(rows: list[Row]) -> list[str]:
    """Lay out rows; where a value is from is text of this program's own."""
    return [
        *table(('what', 'value', 'from'), []),
        *(f'| {escape(what)} | {escape(value)} | `{source}` |' for what, value, source in rows),
    ]


def _evaluation(found: Evaluations) -> list[str]:
    """List the newest number of each measure and protocol, and the protocols: a number says nothing without its own."""
    if not found.results:
        return [f'{NOT_STATED.capitalize()}: `jaxgan evaluate` measures, and no number of it is here.']
    rows = []
    for one in found.results:
        newest = one.latest
        deviation = '' if newest.std is None else plain(newest.std)
        rows.append(
            (
                one.metric,
                plain(newest.value),
                deviation,
                plain(newest.step),
                plain(newest.images_seen),
                one.protocol,
            )
        )
    used = {one.protocol for one in found.results}
    return [
        *table(('measure', 'value', 'deviation', 'step', 'images seen', 'protocol'), rows),
        '',
        f'From {EVALUATIONS}: metric, value, std, step, images_seen. Numbers compare with numbers of the same protocol only:',
        '',
        *_protocols({name: values for name, values in found.protocols.items() if name in used}),
    ]  # fmt: skip


def _protocols(found: dict[str, dict[str, Any]]) -> list[str]:
    """List what protocols have in common once, and of each the rest."""
    apart = differing(list(found.values())) if len(found) > 1 else ()
    first = next(iter(found.values()))
    common = {name: value for name, value in first.items() if name not in apart} if len(found) > 1 else {}
    lines = [f'- all: {_protocol(common)}'] if common else []
    for name, values in found.items():
        lines.append(
            f'- {name}: {_protocol({key: value for key, value in values.items() if key not in common})}'
        )
    return lines


def _protocol(values: dict[str, Any]) -> str:
    known = {
        name: without_folders(value) if isinstance(value, str) else value for name, value in values.items()
    }
    return '; '.join(
        f'{escape(plain(name))} {escape(plain(value))}'
        for name, value in known.items()
        if value not in ('', None)
    )


def _files(found: Found) -> list[str]:
    """List what was read, so that anybody can see whether it is still the same."""
    if not found.files and not found.notes:
        return []
    return [
        *_heading('Files that were read'),
        *table(('file', 'SHA-256'), found.files),
        *(line for note in found.notes for line in ('', f'Not read: {escape(note)}')),
    ]
