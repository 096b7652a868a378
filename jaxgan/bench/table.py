"""A suite's document as a table."""

from typing import Any

from rich.table import Table
from rich.text import Text

# entry of a row -> (heading, format); a column stands only where a row has the entry
COLUMNS = {
    'images_per_s': ('images/s', '{:,.0f}'),
    's_per_kimg': ('s/kimg', '{:.3g}'),
    'gflops_per_s': ('GFLOP/s', '{:,.0f}'),
    'peer_gflops_per_s': ('PyTorch GFLOP/s', '{:,.0f}'),
    'share_of_peak': ('of matrix peak', '{:.0%}'),
    'memory_mib': ('MiB', '{:,.0f}'),
    'device_peak_mib': ('device peak MiB', '{:,.0f}'),
    'of_first': ('speed', '{:.2f}'),
    'modes': ('modes', '{}'),
    'kl': ('KL', '{:.4f}'),
    'diverged_at': ('diverged at step', '{}'),
    'train_seconds': ('seconds', '{:,.0f}'),
    'note': ('', '{}'),
}


def cells(document: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Lay out a document: headings, and a line of text for each row."""
    rows = document['rows']
    extra = [name for name in COLUMNS if any(name in row for row in rows)]
    compared = any('peers' in row for row in rows)
    peers = ['PyTorch ms', 'ratio', 'range', 'best PyTorch'] if compared else []
    times = ['ms', 'min', 'IQR'] if not rows or any('ours' in row for row in rows) else []
    headings = ['case', *times, *peers, *(COLUMNS[name][0] for name in extra)]
    return headings, [_line(row, compared, extra) for row in rows]


def described(row: dict[str, Any]) -> str:
    """Write a row's entries besides its times in one line.

    >>> described({'name': 'a', 'modes': 99, 'kl': 0.25})
    'modes 99, KL 0.2500'
    """
    return ', '.join(
        f'{COLUMNS[name][0]} {COLUMNS[name][1].format(row[name])}' for name in COLUMNS if name in row
    )


def _line(row: dict[str, Any], compared: bool, extra: list[str]) -> list[str]:
    times = (number(row['ours'][name]) for name in ('median', 'min', 'iqr')) if 'ours' in row else ()
    line = [row['name'], *times]
    if compared:
        peer = row['peers'][row['best_peer']] if 'peers' in row else None
        low, high = row.get('ratio_range', (0, 0))
        found = (
            [number(peer['median']), f'{row["ratio"]:.2f}', f'{low:.2f}-{high:.2f}', row['best_peer']]
            if peer
            else []
        )
        line += found or [''] * 4
    return line + [COLUMNS[name][1].format(row[name]) if name in row else '' for name in extra]


def number(value: float) -> str:
    """Write milliseconds with three digits, or as a whole number.

    >>> number(0.01234), number(12.34), number(1234.5)
    ('0.0123', '12.3', '1,234')
    """
    return f'{value:,.0f}' if value >= 100 else f'{value:#.3g}'


def title(document: dict[str, Any]) -> str:
    """Say what was measured where."""
    versions = ', '.join(f'{name} {version}' for name, version in document['versions'].items())
    quick = ', quick' if document['settings']['quick'] else ''
    where = f'{document["device"]}, {document["cpu"]}, {document["cores"]} cores'
    return f'{document["suite"]}{quick}: {where}; {versions}; {document["date"]}'


def table(document: dict[str, Any]) -> Table:
    """Make the table that is printed; the ratio is PyTorch's time by ours: above 1, jaxgan is faster."""
    headings, lines = cells(document)
    result = Table(title=Text(title(document)), title_justify='left')
    for i, heading in enumerate(headings):
        result.add_column(heading, justify='right' if i else 'left')
    for line in lines:
        result.add_row(*map(Text, line))
    return result
