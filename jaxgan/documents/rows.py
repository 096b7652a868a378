"""The tables of a model card: rows of what, value and source, of a generator and its run's files."""

import collections
from collections.abc import Iterable
from typing import Any

from jaxgan.checkpoints.manifest import RECORD
from jaxgan.credentials import without_folders
from jaxgan.datamanifest.entries import NAME as MANIFEST
from jaxgan.datamanifest.entries import Entry
from jaxgan.datamanifest.gather import counted
from jaxgan.documents.known import (
    AUDIT,
    FAULTS,
    METRICS,
    REMOVALS,
    SESSIONS,
    WARNINGS,
    Found,
    Known,
    Row,
    at,
    get,
    row,
)
from jaxgan.documents.markdown import plain, several, span
from jaxgan.rights.licences import NOT_STATED

SHOWN = 10  # of licences, creators, faults; of classes twice as many


def generator_rows(known: Known) -> list[Row]:
    """Say what the generator is."""
    size = plain(get(known.card, 'architecture.size'))
    labels = list(map(plain, known.card['labels']))
    names = ', '.join(labels[: 2 * SHOWN]) + (', …' if len(labels) > 2 * SHOWN else '')
    whole = f'{RECORD}: leaves' if known.folder else f'{known.record}: tensors'
    rows = [
        _of_card(known, 'architecture', 'architecture.kind'),
        Row('image size', f'{size}×{size}', at(known, 'architecture.size')),
        _of_card(known, 'channels', 'architecture.channels'),
        _of_card(known, 'classes', 'architecture.classes'),
        _of_card(known, 'latent values', 'architecture.latent_dim'),
        Row('parameters', plain(known.parameters), f'{whole}, sizes added up'),
    ]
    if labels:
        place = at(known, 'data.classes') if known.folder else f'{known.record}: labels'
        rows.append(Row('names of the classes', names, place))
    half = span(get(known.config, 'ema.half_life'))
    return [
        *rows,
        Row('half-life of the average of weights, images', half, at(known, 'config.ema.half_life')),
    ]


def data_rows(known: Known, found: Found) -> list[Row]:
    """Say what it was trained on."""
    name, origin = get(known.card, 'data.name'), get(known.card, 'data.origin')
    page = isinstance(origin, str) and origin.startswith(('http://', 'https://'))
    ignored = get(known.card, 'data.opt_outs_ignored')
    rows = [
        Row('data', plain(without_folders(str(name))), at(known, 'data.name')),
        _of_card(known, 'split', 'data.split'),
        _of_card(known, 'images', 'data.count'),
        _of_card(known, 'licence of the set', 'data.licence'),
        Row('where it is from', plain(origin if page else None), at(known, 'data.origin')),
        *_of_images(known, found.entries),
        _of_card(known, 'left out, for they opt out', 'data.opted_out'),
        _of_card(known, 'used although they opt out', 'data.opt_outs_ignored'),
    ]
    if ignored:
        rows.append(_of_card(known, 'the reason given for that', 'data.opt_out_reason'))
    skipped, excluded = get(known.meta, 'data.skipped'), get(known.config, 'data.exclude')
    if isinstance(skipped, list):
        rows.append(Row('files left out', plain(len(skipped)), f'{at(known, "data.skipped")}, counted'))
    if isinstance(excluded, list):
        rows.append(
            Row('images excluded', plain(len(excluded)), f'{at(known, "config.data.exclude")}, counted')
        )
    removals = [_removal(line, i) for i, line in enumerate(found.removals, 1)]
    prepared = [('only some of the split: data.subset', 'data.subset')]
    prepared += [(f'prepared: {name}', f'data.{name}') for name in ('size', 'crop', 'resize', 'flip')]
    return [*rows, *removals[:SHOWN], *(one for one in _recipe(known, prepared) if one.value != NOT_STATED)]


def _of_images(known: Known, entries: list[Entry]) -> list[Row]:
    """Count licences, creators and near-duplicates of single images."""
    if not entries:
        said = get(known.card, 'data.licences')
        text = ', '.join(f'{plain(one[0])} ({plain(one[1])})' for one in _pairs(said)[:SHOWN])
        return [Row('licences of single images', text or NOT_STATED, at(known, 'data.licences'))]
    groups = [entry.group for entry in entries if entry.group is not None]
    twins = f'{several(len(groups), "image")} in {several(len(set(groups)), "group")}' if groups else 'none'
    return [
        Row('licences of single images', top(counted(entries, 'licence')), f'{MANIFEST}: licence, counted'),
        Row('creators', top(counted(entries, 'creator')), f'{MANIFEST}: creator, counted'),
        Row('near-duplicates', twins, f'{MANIFEST}: group, counted'),
    ]


def top(counts: list[tuple[str, int]]) -> str:
    """List the most usual values with their counts; nothing but unknown ones is not stated.

    >>> top([('CC0-1.0', 3), ('MIT', 1)]), top([('not stated', 4)])
    ('CC0-1.0 (3), MIT (1)', 'not stated')
    """
    if [name for name, _ in counts] == [NOT_STATED]:
        return NOT_STATED
    more = f', and {plain(len(counts) - SHOWN)} more' if len(counts) > SHOWN else ''
    return ', '.join(f'{plain(name)[:80]} ({plain(count)})' for name, count in counts[:SHOWN]) + more


def _pairs(value: Any) -> list[list[Any]]:
    return (
        [one for one in value if isinstance(one, list) and len(one) == 2] if isinstance(value, list) else []
    )


def _removal(line: dict[str, Any], number: int) -> Row:
    images = line.get('images')
    count = several(len(images), 'image') if isinstance(images, list) else 'images'
    return Row(
        'removed',
        f'{count}: {plain(line.get("reason"))}',
        f'{REMOVALS}: images, reason of line {number}',
    )


def training_rows(known: Known, found: Found) -> list[Row]:
    """Say how it was trained."""
    settings = (
        ('training', 'training'),
        ('loss', 'loss'),
        ('batch size', 'batch_size'),
        ('steps of the discriminator for one of the generator', 'd_steps'),
        ('augmentation', 'augment'),
        ('seed', 'seed'),
    )
    return [
        *_recipe(known, settings),
        *(
            _penalties(known, player, field)
            for player, field in (('discriminator', 'penalties'), ('generator', 'g_penalties'))
        ),
        *(row_ for player in ('g_optimizer', 'd_optimizer') for row_ in _optimizer(known, player)),
        _of_card(known, 'steps', 'trained.step') if known.folder is None else _step(known),
        _of_card(known, 'images seen', 'trained.images_seen'),
        row('seconds of training', found.metrics, 'seconds', f'{METRICS}: seconds, newest line'),
        *_sessions(found.sessions),
        *(_of_card(known, name, f'trained.{name}') for name in ('jaxgan', 'jax')),
        *(
            row(name, known.meta, f'environment.{name}', at(known, f'environment.{name}'))
            for name in ('backend', 'device', 'devices', 'processes', 'cores', 'system', 'python')
            if get(known.meta, f'environment.{name}') is not None
        ),
    ]


def _step(known: Known) -> Row:
    return Row('steps', plain(known.step), f'{RECORD}: its folder')


def _penalties(known: Known, player: str, field: str) -> Row:
    entries = get(known.config, field)
    said = [
        f'{plain(get(one, "name"))}, weight {span(get(one, "weight"))}, {_rhythm(get(one, "every"))}'
        for one in (entries if isinstance(entries, list) else [])
    ]
    none = 'none' if entries == [] else NOT_STATED
    return Row(f'penalties of the {player}', '; '.join(said) or none, at(known, f'config.{field}'))


def _rhythm(every: Any) -> str:
    return 'each step' if every == 1 else f'every {plain(every)} steps'


def _optimizer(known: Known, player: str) -> Iterable[Row]:
    values = get(known.config, player)
    if isinstance(values, dict):
        parts = [f'{name} {span(values.get(name))}' for name in ('learning_rate', 'beta1', 'beta2')]
        who = {'g': 'generator', 'd': 'discriminator'}[player[0]]
        text = ', '.join([plain(values.get('name')), *parts]).replace('_', ' ')
        yield Row(f'optimizer of the {who}', text, at(known, f'config.{player}'))


def _sessions(lines: list[dict[str, Any]]) -> list[Row]:
    """Add up where the time of all starts went."""
    if not lines:
        return []
    totals = {kind: sum(_number(line.get(kind)) for line in lines) for kind in ('wall', 'steps')}
    share = f', {totals["steps"] / totals["wall"]:.1%} of the wall time' if totals['wall'] > 0 else ''
    return [
        Row('starts', plain(len(lines)), f'{SESSIONS}: lines, counted'),
        Row('wall time, seconds', plain(totals['wall']), f'{SESSIONS}: wall, added up'),
        Row('of these in steps', f'{plain(totals["steps"])}{share}', f'{SESSIONS}: steps, added up'),
    ]


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and 0 <= value < 1e12 else 0.0


AUDITED = (
    ('copies found', 'copy_rate.copies'),
    ('of generated images', 'copy_rate.images'),
    ('rate of copies', 'copy_rate.raw'),
    ('its interval', 'copy_rate.interval'),
    ('false positive rate', 'copy_rate.fpr'),
    ('rate less false positives', 'copy_rate.corrected'),
    ('its interval', 'copy_rate.corrected_interval'),
    ('held-out images', 'held_out_data.images'),
    ('C_T', 'copying.value'),
    ('authentic, of generated images', 'authenticity.generated'),
    ('authentic, of held-out images', 'authenticity.held_out'),
    ('training images that repeat another exactly', 'duplicates.exact'),
    ('exactly or nearly', 'duplicates.near'),
    ('audit passed', 'verdict.passed'),
    ('why', 'verdict.reason'),
    ('compared by', 'protocol.features'),
    ('first seed', 'protocol.seed'),
)


def audit_rows(found: Found) -> list[Row]:
    """Say what ``jaxgan audit`` found; nothing, if it was not run on these weights."""
    if not found.audit:
        return []
    return [row(what, found.audit, field, f'{AUDIT}: {field}') for what, field in AUDITED]


def mark_rows(known: Known) -> list[Row]:
    """Say by what the generator and its images are known again."""
    own = 'computed of the weights' if known.folder else f'{known.record}: sha256'
    rows = [Row('SHA-256 of the weights', known.digest, own)]
    marking = known.card.get('watermark')
    if isinstance(marking, dict):
        rows += [
            row(f'watermark of its programs: {name}', marking, name, f'{known.record}: watermark.{name}')
            for name in ('method', 'unmarked')
            if name in marking
        ]
    if 'fingerprint' in known.config:  # the path of its key is nobody else's business
        trained = 'trained into the weights' if known.config['fingerprint'] else 'none'
        rows.append(Row('fingerprint', trained, at(known, 'config.fingerprint')))
    return rows


def trouble_rows(found: Found) -> list[Row]:
    """List signs of trouble by kind, and steps that failed."""
    kinds: dict[str, list[dict[str, Any]]] = collections.defaultdict(list)
    for line in found.warnings:
        kinds[plain(line.get('signal'))].append(line)
    rows = [
        Row(kind, f'{several(len(lines), "time")}; the last at step {plain(lines[-1].get("step"))}: {plain(lines[-1].get("message"))}',
            f'{WARNINGS}: signal, step, message')
        for kind, lines in list(kinds.items())[: 2 * SHOWN]
    ]  # fmt: skip
    if len(found.faults) > SHOWN:
        rows.append(Row('failed steps', plain(len(found.faults)), f'{FAULTS}: lines, counted'))
    return rows + [
        Row('failed step', f'step {plain(line.get("step"))}, {plain(line.get("phase"))}: {plain(line.get("found"))}; '
            f'went back to step {plain(line.get("restored"))}', f'{FAULTS}: step, phase, found, restored')
        for line in found.faults[-SHOWN:]
    ]  # fmt: skip


def _of_card(known: Known, what: str, field: str) -> Row:
    return row(what, known.card, field, at(known, field))


def _recipe(known: Known, fields: Iterable[tuple[str, str]]) -> list[Row]:
    """Take fields of the recipe; an export has that of its data alone."""
    own = get(known.card, 'data.config')
    config = known.config or {'data': own}
    return [row(what, config, field, _place(known, field)) for what, field in fields]


def _place(known: Known, field: str) -> str:
    """Name where a field of the recipe stands."""
    name, _, rest = field.partition('.')
    return at(known, f'data.config.{rest}' if name == 'data' and not known.config else f'config.{field}')
