"""Redraw the charts and rewrite the tables of docs/performance.md from docs/performance/*.json.

python -m jaxgan bench all --torch PYTHON --out-dir docs/performance
python docs/scripts/performance.py                      (needs the extra jaxgan[charts])
"""

import json
import re
from pathlib import Path

import matplotlib

matplotlib.use('Agg')
import matplotlib.pyplot as plt
from matplotlib.ticker import FixedLocator, NullLocator, StrMethodFormatter

from jaxgan.bench.table import cells, title

DOCS = Path(__file__).parent.parent
LABELS = {
    'batch': 'images in a batch',
    'resolution': 'pixels a side',
    'channels': 'features of the first convolution',
    'devices': 'virtual devices on the same cores',
}
OURS, PEER, MEMORY = '#1f5fbf', '#d1701f', '#3a7d44'


def main() -> None:
    """Draw the charts, then rewrite the tables."""
    documents = {path.stem: json.loads(path.read_text()) for path in (DOCS / 'performance').glob('*.json')}
    if 'scale' in documents:
        for axis in LABELS:
            rows = [row for row in documents['scale']['rows'] if row.get('axis') == axis]
            if rows:
                draw(axis, rows)
    page = DOCS / 'performance.md'
    text = page.read_text()
    for name, document in documents.items():
        block = f'<!-- table: {name} -->\n{markdown(document)}\n<!-- end -->'
        text = re.sub(
            rf'<!-- table: {name} -->.*?<!-- end -->', lambda _, block=block: block, text, flags=re.DOTALL
        )
    page.write_text(text)


def markdown(document: dict) -> str:
    """Write a document as a table in Markdown, with what was said below it."""
    headings, lines = cells(document)
    table = [headings, ['---', *['--:'] * (len(headings) - 1)], *lines]
    notes = [f'- {note}' for note in document['notes']]
    charts = []
    if document['suite'] == 'scale':
        drawn = [axis for axis in LABELS if any(row['axis'] == axis for row in document['rows'])]
        charts = [*(f'![by {LABELS[axis]}](images/performance_{axis}.png)' for axis in drawn), '']
    body = [f'| {" | ".join(line)} |' for line in table]
    return '\n'.join([*charts, title(document), '', *body, *([''] if notes else []), *notes])


def draw(axis: str, rows: list[dict]) -> None:
    """Draw time and memory of a step along one axis, both logarithmic: a straight line is a power."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout='constrained')
    values = [row['value'] for row in rows]
    medians = [row['ours']['median'] for row in rows]
    spread = [row['ours']['iqr'] / 2 for row in rows]
    ours = left.errorbar(values, medians, yerr=spread, color=OURS, marker='o', capsize=3, label='jaxgan')
    compared = [row for row in rows if 'peers' in row]
    if compared:
        peer = [row['peers'][row['best_peer']]['median'] for row in compared]
        (theirs,) = left.plot(
            [row['value'] for row in compared], peer, color=PEER, marker='s', label='PyTorch'
        )
        left.legend(handles=[ours, theirs], frameon=False)
    right.plot(values, [row['memory_mib'] for row in rows], color=MEMORY, marker='o')
    for panel, heading in ((left, 'time of a step, ms'), (right, 'memory of a step, MiB')):
        panel.set_xscale('log')
        panel.set_yscale('log')
        panel.set_title(heading, fontsize=10, loc='left')
        panel.set_xlabel(LABELS[axis])
        panel.xaxis.set_major_locator(FixedLocator(values))
        panel.xaxis.set_minor_locator(NullLocator())
        panel.xaxis.set_major_formatter(StrMethodFormatter('{x:g}'))
        whole_numbers(panel)
        panel.grid(color='#dddddd', linewidth=0.7)
        panel.spines[['top', 'right']].set_visible(False)
    figure.savefig(DOCS / 'images' / f'performance_{axis}.png', dpi=120)
    plt.close(figure)


def whole_numbers(panel: plt.Axes) -> None:
    """Mark round numbers in plain digits, closer where the axis spans less than a power of ten."""
    low, high = panel.get_ylim()
    low, high = (low / 1.2, high * 1.2) if high < 3 * low else (low, high)
    steps = (1, 1.5, 2, 3, 4, 5, 7) if high < 10 * low else (1, 2, 5)
    marks = [step * 10.0**e for e in range(-4, 8) for step in steps if low <= step * 10.0**e <= high]
    panel.set_ylim(low, high)
    panel.yaxis.set_major_locator(FixedLocator(marks))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.yaxis.set_major_formatter(StrMethodFormatter('{x:,g}'))


if __name__ == '__main__':
    main()
