"""Charts of ``metrics.jsonl``: which curves stand together, and which points are drawn."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

from jaxgan.report.lines import as_count, as_value
from jaxgan.report.types import Chart, Number, Series, Value

POINTS = 600  # of a curve: two for each pixel of a chart that is 300 wide
MEANS = 120  # of a thinned curve: its extremes alone would hide where it goes
MOST_CURVES = 48  # a page with more is no overview, and its size must have a bound

Line = dict[str, Any]
Names = tuple[tuple[str, str], ...]

HEAD = ('step', 'images_seen', 'seconds')
GROUPS: tuple[tuple[str, str, Names], ...] = (
    ('Losses', 'mean, without penalties', (('d/loss', 'discriminator'), ('g/loss', 'generator'))),
    ('Logits of D', 'mean', (('d/real', 'D(real)'), ('d/fake', 'D(fake)'))),
    ('Signs of the logits', 'mean', (('d/real_sign', 'on real'), ('d/fake_sign', 'on fake'))),
    ('Gradient norms', 'global norm', (('d/grad_norm', 'discriminator'), ('g/grad_norm', 'generator'))),
)
SPEED = ('Speed', 'images/s', (('images_per_second', 'images per second'),))


def metric_line(line: Line) -> Line | None:
    """Keep the numbers of a line; ``None``: it does not say when it was written."""
    head = {name: as_count(line.get(name)) for name in HEAD}
    if None in (head['step'], head['images_seen']):
        return None
    seconds = as_value(line.get('seconds'))
    values = {name: as_value(value) for name, value in line.items() if name not in HEAD}
    numbers = {name: value for name, value in values.items() if value is not None}
    return numbers | head | {'seconds': seconds if isinstance(seconds, float) else 0.0}


def metric_charts(lines: Sequence[Line], penalties: Iterable[str]) -> tuple[Chart, ...]:
    """Make the charts of a training.

    Args:
        lines: what ``metric_line`` returned.
        penalties: which metrics are penalties, such as 'd/r1': they share a chart.
    """
    lines = sorted(lines, key=lambda line: line['images_seen'])
    known = list(dict.fromkeys(name for line in lines for name in line if name not in HEAD))[:MOST_CURVES]
    weighted: Names = tuple((name, name.replace('d/', '', 1)) for name in penalties if name in known)
    groups = (*GROUPS, ('Penalties', 'mean, times weight', weighted), SPEED)
    grouped = {name for _, _, names in groups for name, _ in names}
    others = tuple((name, '', ((name, name),)) for name in sorted(set(known) - grouped))
    charts = []
    for title, unit, names in groups + others:
        present = tuple((label, _points(lines, name)) for name, label in names if name in known)
        if present:
            charts.append(make_chart(title, unit, present))
    return tuple(charts)


def _points(lines: Sequence[Line], name: str) -> tuple[list, list]:
    found = [(line['images_seen'], line[name]) for line in lines if name in line]
    return [x for x, _ in found], [y for _, y in found]


def make_chart(title: str, unit: str, curves: Iterable[tuple[str, tuple[list, list]]]) -> Chart:
    """Put curves, ``(label, (x, y))``, on one chart, thinned."""
    series, bad, longest = [], 0, 0
    for label, (x, y) in curves:
        kept = thin(y, POINTS)
        bad += sum(isinstance(value, str) for value in y)
        longest = max(longest, len(y))
        means = stretch_means(x, y, MEANS) if len(y) > POINTS else ((), ())
        series.append(Series(label, tuple(x[i] for i in kept), tuple(_short(y[i]) for i in kept), *means))
    drawn = f'means and extremes of {longest:,} points' if longest > POINTS else ''
    return Chart(title, unit, tuple(series), bad, drawn)


def thin(y: Sequence[Value], most: int) -> list[int]:
    """Choose which points of a curve are drawn: ends, and the lowest and highest of each stretch, so that no peak is lost.

    Of values that are not finite each stretch keeps its first, so there may be half as many again.

    Args:
        y: the values.
        most: fewer are all kept.

    Returns:
        Indices, ascending.

    >>> thin([0.0, 1.0, 9.0, 1.0, 0.0, 0.0, -9.0, 0.0], 4)
    [0, 2, 4, 6, 7]
    """
    if len(y) <= most:
        return list(range(len(y)))
    kept = {0, len(y) - 1}
    for start, end in _stretches(len(y), most // 2):
        numbers = [i for i in range(start, end) if not isinstance(y[i], str)]
        if numbers:
            kept |= {min(numbers, key=y.__getitem__), max(numbers, key=y.__getitem__)}
        kept.update([i for i in range(start, end) if isinstance(y[i], str)][:1])
    return sorted(kept)


def stretch_means(x: Sequence[Number], y: Sequence[Value], count: int) -> tuple[tuple, tuple]:
    """Average a curve over so many stretches of it; a value that is not finite stands for its stretch.

    >>> stretch_means([0, 1, 2, 3, 4, 5], [1.0, 3.0, 5.0, 'nan', 0.0, 1.0], 3)
    ((1, 3, 5), (2.0, 'nan', 0.5))
    """
    middles, means = [], []
    for start, end in _stretches(len(y), count):
        numbers = [value for value in y[start:end] if not isinstance(value, str)]
        bad = next((value for value in y[start:end] if isinstance(value, str)), None)
        middles.append(x[(start + end) // 2])
        means.append(bad if bad is not None else _short(sum(numbers) / len(numbers)))
    return tuple(middles), tuple(means)


def _stretches(length: int, count: int) -> Iterable[tuple[int, int]]:
    return itertools.pairwise(length * i // max(1, count) for i in range(max(1, count) + 1))


def _short(value: Value) -> Value:
    return value if isinstance(value, str) else float(f'{value:.6g}')
