"""Text from files that somebody else may have written, as Markdown, YAML and JSON can hold it without its being taken for more than text."""

import json
import re
from collections.abc import Iterable
from typing import Any

from jaxgan.rights.licences import NOT_STATED

LONGEST = 400  # characters of a value
SPECIAL = re.compile(r'([\\`*{}\[\]#|~!$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9]))')  # within a word _ is text
FOLDERS = re.compile(r'(?<![\w:/\\.])(?:[A-Za-z]:)?[\\/](?:[^\\/\s;,:<>"|?*]+[\\/])+')
FENCE = re.compile(r' {0,3}(```|~~~)')
HEADING = re.compile(r'( {0,3})(#{1,4}\s)')


def plain(value: Any) -> str:
    """Write a JSON value as one line of printable text, without the folders of somebody's machine.

    >>> plain(12500), plain(0.30024144), plain(['a', 2]), plain(None), plain('see /home/ann/x.png')
    ('12,500', '0.30024', 'a, 2', 'not stated', 'see x.png')
    """
    if value is None or value == '':
        return NOT_STATED
    if value in ([], {}):
        return 'none'
    if isinstance(value, bool):
        return 'yes' if value else 'no'
    if isinstance(value, int):
        return clean(f'{value:,}')
    if isinstance(value, float):
        return f'{value:.5g}'
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list) and not any(isinstance(one, list | dict) for one in value):
        return clean(', '.join(map(plain, value)))
    return _nested(value)


def _nested(value: Any) -> str:
    try:
        return clean(json.dumps(value, ensure_ascii=False))
    except RecursionError:
        return '…'


def span(value: Any) -> str:
    """Write a setting that may change in the course of a training, (start, final).

    >>> span([0.3, 0.1]), span([2000.0, 2000.0]), span(0.5)
    ('0.3 to 0.1', '2000', '0.5')
    """
    if isinstance(value, list) and len(value) == 2:
        return plain(value[0]) if value[0] == value[1] else f'{plain(value[0])} to {plain(value[1])}'
    return plain(value)


def several(count: Any, noun: str) -> str:
    """Write how many there are of something.

    >>> several(1, 'group'), several(1200, 'image')
    ('1 group', '1,200 images')
    """
    return f'{plain(count)} {noun}{"" if count == 1 else "s"}'


def clean(text: str) -> str:
    """Make text one line that can be printed, of at most ``LONGEST`` characters, and take absolute folders out of it."""
    line = ' '.join(text[: 4 * LONGEST].split())
    line = FOLDERS.sub('', ''.join(one if one.isprintable() else '\ufffd' for one in line))
    return line if len(line) <= LONGEST else f'{line[: LONGEST - 1]}…'


def escape(text: str) -> str:
    r"""Escape text for Markdown, also within a table: no markup of its own, no HTML, no link but by its plain address.

    >>> escape('<b>*x*</b> | [a](b)')
    '&lt;b&gt;\\*x\\*&lt;/b&gt; \\| \\[a\\](b)'
    """
    text = clean(text).replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')
    return SPECIAL.sub(r'\\\1', text)


def scalar(text: str) -> str:
    """Quote text for YAML; JSON's strings of printable characters are YAML's as well.

    >>> scalar('a: "b"')
    '"a: \\\\"b\\\\""'
    """
    return json.dumps(clean(text), ensure_ascii=False)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Lay out a table; its cells are escaped here."""
    names = list(head)
    lines = [names, ['---'] * len(names), *([escape(cell) for cell in row] for row in rows)]
    return [f'| {" | ".join(line)} |' for line in lines]


def below(text: str, depth: int = 2) -> list[str]:
    """Take somebody's Markdown as it is, with its headings so many levels deeper and without characters that cannot be seen.

    >>> below('# Use\\n```\\n# no heading\\n```')
    ['### Use', '```', '# no heading', '```']
    """
    lines, fenced = [], False
    for line in text.splitlines():
        line = ''.join(one for one in line if one.isprintable() or one == '\t')
        fenced ^= bool(FENCE.match(line))
        lines.append(
            line
            if fenced
            else HEADING.sub(rf'\1{"#" * depth}\2', line, count=1)
            if HEADING.match(line)
            else line
        )
    return lines
