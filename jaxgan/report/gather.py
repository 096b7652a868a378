"""Reads a run's folder into ``ReportData``. What is absent is left out, what cannot be read is noted, and nothing is written."""

import datetime
import math
from pathlib import Path
from typing import Any

from jaxgan.report import facts
from jaxgan.report.curves import Line, metric_charts, metric_line
from jaxgan.report.evaluations import evaluation_line, tabulate
from jaxgan.report.lines import as_count, read_lines
from jaxgan.report.pictures import gallery, neighbours
from jaxgan.report.types import ReportData, Row, Trouble
from jaxgan.run.runlog import LINES, duration
from jaxgan.version import __version__


def gather(run: Path) -> ReportData:
    """Read everything that the page shows.

    Args:
        run: a run's folder; a training may be writing into it.

    Raises:
        InputError: it is no run, or its configuration cannot be read.
    """
    notes: list[str] = []
    config = facts.read_config(run)
    lines = read_lines(run / LINES, metric_line, notes)
    last = max(lines, key=lambda line: line['images_seen'], default=None)
    step, meta, parameters = facts.read_checkpoint(run, notes)
    finished, state = _state(config, last, meta)
    data = _data(config, meta)
    return ReportData(
        name=run.resolve().name,
        made=f'{datetime.datetime.now(datetime.UTC):%Y-%m-%d %H:%M} UTC by jaxgan {__version__}',
        state=state,
        finished=finished,
        statement=_statement(config, data),
        origin=str(data.get('origin', '')),
        facts=(*_training_facts(last, step), *_data_facts(data), *_model_facts(config, meta, parameters)),
        gallery=gallery(run / 'samples', notes),
        charts=metric_charts(lines, _penalties(config)),
        lines=len(lines),
        evaluations=tabulate(read_lines(run / 'evaluations.jsonl', evaluation_line, notes)),
        neighbours=neighbours(run / 'nearest.npz', notes),
        troubles=_troubles(read_lines(run / 'warnings.jsonl', _warning_line, notes)),
        settings=facts.changed_settings(config),
        config=facts.pretty(config),
        environment=facts.environment(meta),
        files=facts.list_files(run),
        notes=tuple(notes),
    )


def _state(config: dict[str, Any], last: Line | None, meta: dict[str, Any]) -> tuple[bool, str]:
    """Say how far the training is; it ends with the first step that reaches ``images``."""
    total = as_count(config.get('images'))
    seen = max(last['images_seen'] if last else 0, as_count(meta.get('images_seen')) or 0)
    if not total:
        return False, f'{seen:,} images seen'
    if seen >= total:
        return True, f'finished: {seen:,} images seen'
    share = math.floor(100 * seen / total)
    return False, f'not finished: {seen:,} of {total:,} images seen ({share}%)'


def _data(config: dict[str, Any], meta: dict[str, Any]) -> dict[str, Any]:
    """Describe the data by a checkpoint's record, or where there is none by what was asked for."""
    known = meta.get('data')
    return known if isinstance(known, dict) else _record(config, 'data')


def _record(config: dict[str, Any], name: str) -> dict[str, Any]:
    value = config.get(name)
    return value if isinstance(value, dict) else {}


def _statement(config: dict[str, Any], data: dict[str, Any]) -> str:
    kind = _record(config, 'model').get('kind', 'of a family that is not named')
    name, count, split = data.get('name', 'data that are not named'), data.get('count'), data.get('split')
    amount = f', {count:,} images of the split {split}' if isinstance(count, int) else ''
    licence = str(data.get('licence', 'not stated'))
    terms = (
        'The licence of the data is not stated'
        if licence == 'not stated'
        else f'Licence of the data: {licence}'
    )
    return (
        f'All pictures on this page are generated, except those marked as real: by a generator ({kind}) that jaxgan trained '
        f'on {name}{amount}. Nothing in them was photographed or drawn. {terms}.'
    )


def _training_facts(last: Line | None, step: int | None) -> tuple[Row, ...]:
    rows: list[Row] = []
    if last:
        rows += [('Images seen', f'{last["images_seen"]:,}'), ('Steps', f'{last["step"]:,}')]
        rows += [('Training time', duration(last['seconds']))]
    if step is not None:
        rows += [('Newest checkpoint', f'step {step:,}')]
    return tuple(rows)


def _data_facts(data: dict[str, Any]) -> tuple[Row, ...]:
    rows: list[Row] = [('Data', str(data.get('name', 'not named')))]
    size, channels = data.get('size'), data.get('channels')
    if isinstance(size, int) and isinstance(channels, int):
        rows.append(('Image size', f'{size}×{size}, {channels} channel{"s" * (channels != 1)}'))
    classes = data.get('classes')
    if isinstance(classes, list) and classes:
        rows.append(
            ('Classes', f'{len(classes):,}: {", ".join(map(str, classes[:10]))}{", …" * (len(classes) > 10)}')
        )
    return tuple(rows)


def _model_facts(
    config: dict[str, Any], meta: dict[str, Any], parameters: tuple[Row, ...]
) -> tuple[Row, ...]:
    rows: list[Row] = [('Model', str(_record(config, 'model').get('kind', 'not named')))]
    rows += [(player.capitalize(), f'{count} parameters') for player, count in parameters]
    rows.append(('Loss', str(config.get('loss', 'not named'))))
    names = [name for _, name in _penalty_names(config)]
    rows += [('Penalties', ', '.join(names))] if names else []
    version = meta.get('jaxgan')
    return (*rows, ('Trained by', f'jaxgan {version}' if version else 'jaxgan, version not stored yet'))


def _penalty_names(config: dict[str, Any]) -> list[tuple[str, str]]:
    """List the penalties as (player, name)."""
    found = []
    for player, key in (('d', 'penalties'), ('g', 'g_penalties')):
        entries = config.get(key)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and 'name' in entry:
                found.append((player, str(entry['name'])))
    return found


def _penalties(config: dict[str, Any]) -> list[str]:
    return [f'{player}/{name}' for player, name in _penalty_names(config)]


def _warning_line(line: dict[str, Any]) -> tuple[int, str, str] | None:
    seen, signal, message = as_count(line.get('images_seen')), line.get('signal'), line.get('message')
    if seen is None or not isinstance(signal, str) or not isinstance(message, str):
        return None
    return seen, signal, message


def _troubles(found: list[tuple[int, str, str]]) -> tuple[Trouble, ...]:
    """Put warnings of one kind together: a long trouble is one line, not hundreds."""
    groups: dict[str, list[tuple[int, str]]] = {}
    for seen, signal, message in sorted(found, key=lambda warning: warning[0]):
        groups.setdefault(signal, []).append((seen, message))
    return tuple(
        Trouble(signal, len(group), group[0][0], group[-1][0], group[-1][1])
        for signal, group in groups.items()
    )
