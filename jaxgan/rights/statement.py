"""What was said of an image: the forms that all readers of this package return."""

from collections.abc import Iterable
from typing import NamedTuple

LONGEST = 500  # characters of a text that is kept
DIRECTIVES = ('noai', 'noimageai')


class OptOut(NamedTuple):
    """A statement that an image must not be used for training."""

    kind: str
    """plus, cawg, c2pa, tdmrep, ai.txt, robots.txt, noai or flag."""
    where: str
    """XMP, C2PA, or the name of the file that says so."""
    words: str
    """What it says."""

    def __str__(self) -> str:
        return f'{self.kind}: {self.words} ({self.where})'


class Statement(NamedTuple):
    """What one file says of an image; '': nothing."""

    licence: str = ''
    creator: str = ''
    source: str = ''
    opt_outs: tuple[OptOut, ...] = ()
    unread: tuple[str, ...] = ()
    """What stands there and could not be read, so that it counts as nothing said."""


SILENT = Statement()


def short(text: str) -> str:
    """Make one line of a text from a file, not too long.

    >>> short(' two\\n lines ')
    'two lines'
    """
    line = ' '.join(text[: 4 * LONGEST].split())
    line = ''.join(c if c.isprintable() else '\ufffd' for c in line)
    return line if len(line) <= LONGEST else f'{line[: LONGEST - 3]}...'


def directives(text: str, exact: bool = False) -> list[str]:
    """Find ``noai`` and ``noimageai`` among the words of a text.

    Args:
        text: of a header or a field.
        exact: in lower case only, as free text has names that look alike.

    >>> directives('noindex, NoAI'), directives('Noai, a village', exact=True), directives('googlebot: noimageai')
    (['noai'], [], ['noimageai'])
    """
    words = (text if exact else text.lower())[: 8 * LONGEST]
    for separator in ',;:#|':
        words = words.replace(separator, ' ')
    found = set(words.split())
    return [name for name in DIRECTIVES if name in found]


def reserved(value: object) -> bool:
    """Say whether a value of ``tdm-reservation`` reserves the rights: 1 does, 0 does not, others are errors of the protocol.

    >>> reserved(1), reserved('1'), reserved(0), reserved('yes')
    (True, True, False, False)
    """
    return value is not True and str(value).strip() == '1'


def mining(value: str) -> bool | None:
    """Say whether a value of PLUS Data Mining prohibits training; None: it is no such value.

    Values are URIs of the vocabulary http://ns.useplus.org/ldf/vocab/, their last parts, or the words that tools print for them. All
    that begin with DMI-PROHIBITED do: for AI or ML, for generative AI or ML, but for search engines, by a constraint that is told
    elsewhere, and altogether.

    >>> mining('http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-AIMLTRAINING'), mining('DMI-ALLOWED'), mining('?')
    (True, False, None)
    """
    code = value.strip().rsplit('/', 1)[-1].rsplit('#', 1)[-1].upper()
    if code.removeprefix('DMI-').startswith('PROHIBITED'):
        return True
    return False if code.removeprefix('DMI-').startswith(('ALLOWED', 'UNSPECIFIED')) else None


def plus(values: Iterable[str], where: str) -> Statement:
    """Judge values of PLUS Data Mining."""
    said, unread = [], []
    for value in values:
        verdict = mining(value)
        if verdict:
            said.append(OptOut('plus', where, short(value.strip().rsplit('/', 1)[-1])))
        elif verdict is None:
            unread.append(short(f'{where}: the value {value!r} of plus:DataMining is unknown'))
    return Statement(opt_outs=tuple(said), unread=tuple(unread))


def united(statements: Iterable[Statement]) -> Statement:
    """Unite statements: of licence, creator and source the first, of opt-outs and of what could not be read all."""
    all_ = [one for one in statements if one != SILENT]
    if not all_:
        return SILENT
    first = {
        name: next((text for one in all_ if (text := getattr(one, name))), '')
        for name in ('licence', 'creator', 'source')
    }
    return Statement(
        **first,
        opt_outs=tuple(dict.fromkeys(said for one in all_ for said in one.opt_outs)),
        unread=tuple(dict.fromkeys(said for one in all_ for said in one.unread)),
    )
