"""The table of metrics: a number belongs to its protocol, and numbers of different protocols are never put together."""

import json
from collections.abc import Sequence
from typing import Any

from jaxgan.metrics.protocol import INFORMATIVE
from jaxgan.report.curves import make_chart
from jaxgan.report.lines import as_count, as_value
from jaxgan.report.types import Chart, Clash, Evaluation, Evaluations, Result

MISSING = object()  # a protocol that does not say something differs from one that says null


def evaluation_line(line: dict[str, Any]) -> Evaluation | None:
    """Read a line of ``evaluations.jsonl``; ``None``: it is no evaluation."""
    step, seen, value = (
        as_count(line.get('step')),
        as_count(line.get('images_seen')),
        as_value(line.get('value')),
    )
    metric, protocol = line.get('metric'), line.get('protocol')
    if step is None or seen is None or value is None:
        return None
    if not isinstance(metric, str) or not isinstance(protocol, dict):
        return None
    return Evaluation(step, seen, metric, value, as_value(line.get('std')), protocol)


def tabulate(found: Sequence[Evaluation]) -> Evaluations:
    """Group evaluations by metric and protocol, and name in what protocols of one metric differ.

    Of two evaluations of one step under one protocol the later line counts.
    """
    names: dict[str, str] = {}
    protocols: dict[str, dict[str, Any]] = {}
    groups: dict[tuple[str, str], dict[int, Evaluation]] = {}
    for one in found:
        deciding = {key: value for key, value in one.protocol.items() if key not in INFORMATIVE}
        name = names.setdefault(_text(deciding), f'P{len(names) + 1}')
        protocols.setdefault(name, one.protocol)
        groups.setdefault((one.metric, name), {})[one.step] = one
    ordered = {
        key: sorted(group.values(), key=lambda one: one.images_seen)
        for key, group in sorted(groups.items(), key=lambda item: (item[0][0], int(item[0][1][1:])))
    }
    return Evaluations(
        results=tuple(_result(metric, name, group) for (metric, name), group in ordered.items()),
        protocols=protocols,
        clashes=_clashes(ordered, protocols),
        charts=tuple(
            _chart(metric, name, group) for (metric, name), group in ordered.items() if len(group) > 1
        ),
    )


def differing(protocols: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Name the keys in which protocols differ, in the order in which they appear.

    >>> differing([{'real': 50000, 'flips': None}, {'real': 10000, 'flips': None, 'seed': 0}])
    ('real', 'seed')
    """
    keys = dict.fromkeys(key for protocol in protocols for key in protocol)
    return tuple(
        key for key in keys if len({_text(protocol.get(key, MISSING)) for protocol in protocols}) > 1
    )


def _text(value: Any) -> str:
    return '' if value is MISSING else json.dumps(value, sort_keys=True)


def _result(metric: str, name: str, group: list[Evaluation]) -> Result:
    numbers = [one.value for one in group if not isinstance(one.value, str)]
    low, high = (min(numbers), max(numbers)) if numbers else (None, None)
    return Result(metric, name, group[-1], len(group), low, high)


def _clashes(
    groups: dict[tuple[str, str], list[Evaluation]], protocols: dict[str, dict[str, Any]]
) -> tuple[Clash, ...]:
    by_metric: dict[str, list[str]] = {}
    for metric, name in groups:
        by_metric.setdefault(metric, []).append(name)
    return tuple(
        Clash(metric, tuple(names), differing([protocols[name] for name in names]))
        for metric, names in by_metric.items()
        if len(names) > 1
    )


def _chart(metric: str, name: str, group: list[Evaluation]) -> Chart:
    points = [one.images_seen for one in group], [one.value for one in group]
    return make_chart(metric, f'protocol {name}', [(metric, points)])
