"""Names of licences: the many ways to write one, made an SPDX identifier where it is known."""

import fnmatch
import re
from collections.abc import Iterable

from jaxgan.rights.statement import short

NOT_STATED = 'not stated'
_CC = re.compile(
    r'\b(?:cc|creative\s*commons)[-_ ]*(?:attribution|by)'
    r'(?P<parts>(?:[-_ ]*(?:non-?\s*commercial|no-?\s*deriv(?:ative)?s?|share-?\s*alike|nc|nd|sa)\b)*)'
    r'(?:[-_ ]*(?:license|licence))?[-_ ]*v?(?P<version>[1-4]\.[05])?',
    re.IGNORECASE,
)
_CC_URL = re.compile(
    r'creativecommons\.org/licen[sc]es/(?P<parts>by(?:-(?:nc|nd|sa))*|(?:nc|sa)[a-z-]*)/(?P<version>\d\.\d)',
    re.IGNORECASE,
)
_CC0 = re.compile(
    r'\bcc[-_ ]?0\b|\bcc[-_ ]?zero\b|creativecommons\.org/publicdomain/zero|^[-_ ]*cc0[-_ ]*1\.0',
    re.IGNORECASE,
)
_PDM = re.compile(
    r'creativecommons\.org/publicdomain/mark|\bpublic domain mark\b|^cc-pdm-1\.0$', re.IGNORECASE
)
# Texts, and how licences' files begin -> SPDX; the first that is found counts.
_NAMED = tuple(
    (re.compile(pattern, re.IGNORECASE), name)
    for pattern, name in (
        (r'\bapache[-_ ]*(?:software )?(?:licen[sc]e)?[-, _]*(?:version )?2(?:\.0)?\b', 'Apache-2.0'),
        (r'apache\.org/licenses/license-2\.0', 'Apache-2.0'),
        (r'^(?:the )?(?:mit|expat)(?: licen[sc]e)?\b|opensource\.org/licenses?/mit\b', 'MIT'),
        (r'\bbsd[-_ ]?3\b|\b3-clause bsd\b', 'BSD-3-Clause'),
        (r'\bbsd[-_ ]?2\b|\b2-clause bsd\b', 'BSD-2-Clause'),
        (r'\bunlicense\b', 'Unlicense'),
        (r'\b(?:sil )?open font licen[sc]e\b|^ofl-1\.1', 'OFL-1.1'),
        (r'^public[-_ ]domain$|^pd$', 'public domain'),
        (r'\ball rights reserved\b', 'all rights reserved'),
    )
)
_TAG = re.compile(r'SPDX-License-Identifier:\s*([\w.+-]{1,60})')
_PARTS = (('nc', r'nc|non-?\s*commercial'), ('nd', r'nd|no-?\s*deriv'), ('sa', r'sa|share-?\s*alike'))


def normal(text: str) -> str:
    """Name a licence by its SPDX identifier where it is known, else as it is written, in one line.

    >>> normal('https://creativecommons.org/licenses/by-nc-sa/4.0/'), normal('CC BY 4.0'), normal('CC0 1.0 Universal')
    ('CC-BY-NC-SA-4.0', 'CC-BY-4.0', 'CC0-1.0')
    >>> normal('Creative Commons Attribution-ShareAlike 2.0'), normal('The MIT License'), normal('ask me')
    ('CC-BY-SA-2.0', 'MIT', 'ask me')
    """
    line = short(text)
    return known(line) or line


def known(text: str) -> str:
    """Name a licence by its SPDX identifier; '': none that is known here."""
    line = short(text)
    if found := _TAG.search(line):
        return found[1]
    if _CC0.search(line):
        return 'CC0-1.0'
    if _PDM.search(line):
        return 'CC-PDM-1.0'
    if found := _CC_URL.search(line) or _CC.search(line):
        return _creative(found['parts'], found['version'])
    return next((name for pattern, name in _NAMED if pattern.search(line)), '')


def _creative(parts: str, version: str | None) -> str:
    words = [
        name for name, pattern in _PARTS if re.search(rf'(?:^|[-_ ])(?:{pattern})', parts, re.IGNORECASE)
    ]
    return '-'.join(['CC', 'BY', *(word.upper() for word in words), *([version] if version else [])])


def allowed(licence: str, wanted: Iterable[str]) -> bool:
    """Say whether a licence is one of those wanted: names in any known way of writing, or with ``*`` for any letters.

    >>> allowed('CC-BY-4.0', ['MIT', 'cc by 4.0']), allowed('CC-BY-NC-4.0', ['CC-BY-?.?', 'CC0*']), allowed('', ['*'])
    (True, False, False)
    """
    name = normal(licence)
    if not name or name == NOT_STATED:
        return False
    return any(
        fnmatch.fnmatchcase(name.lower(), one.lower())
        if '*' in one or '?' in one
        else name.lower() == normal(one).lower()
        for one in wanted
    )
