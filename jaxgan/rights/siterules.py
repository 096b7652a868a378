"""Rules that a site's files give for the files below them: tdmrep.json, ai.txt, and what robots.txt says of AI.

References:
    W3C TDM Reservation Protocol (2024), TDM file on the origin server; RFC 9309 (robots.txt): groups, the longest rule wins; Spawning's
    ai.txt, which has the same grammar; Content Signals (``Content-Signal: ai-train=no``) and IETF aipref (``Content-Usage: train-ai=n``).
"""

import re
import urllib.parse
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxgan.rights.statement import OptOut, directives, reserved, short

MOST = 1 << 20  # bytes of such a file
RULES = 2_000  # of such a file
COLLECTORS = frozenset(
    (
        'ai2bot',
        'anthropic-ai',
        'applebot-extended',
        'bytespider',
        'ccbot',
        'claudebot',
        'cohere-training-data-crawler',
        'diffbot',
        'google-extended',
        'gptbot',
        'img2dataset',
        'laion-huggingface-processor',
        'meta-externalagent',
        'omgili',
        'omgilibot',
        'pangubot',
        'webzio-extended',
    )
)
"""Robots that collect what models are trained on. A rule of robots.txt for all robots is about fetching, and does not count."""

Judge = Callable[[str], OptOut | None]
"""(path below the folder of the file, '/' first) -> what is said of it."""


class Rule(NamedTuple):
    """A pattern of paths, and whether it reserves them."""

    pattern: str
    reserves: bool


def covers(pattern: str, path: str) -> bool:
    """Say whether a pattern covers a path: its beginning, ``*`` being any characters and ``$`` the end.

    In time proportional to both lengths, whatever the pattern.

    >>> covers('/art/', '/art/a.png'), covers('*.jpg$', '/b/c.jpg'), covers('/art$', '/art/a.png')
    (True, True, False)
    """
    ends = pattern.endswith('$')
    first, *rest = pattern.removesuffix('$').split('*')
    if not path.startswith(first):
        return False
    at = len(first)
    if not rest:
        return not ends or at == len(path)
    *middle, last = rest
    for part in middle:
        found = path.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    return path.endswith(last) and len(path) - len(last) >= at if ends else path.find(last, at) >= 0


def read_tdmrep(values: Any, where: str) -> Judge:
    """Read what is in a tdmrep.json: a list of rules, of which the first that covers a path counts; 1 reserves.

    Raises:
        ValueError: it is no list of rules.
    """
    listed = [values] if isinstance(values, dict) else values
    if not isinstance(listed, list) or not all(isinstance(rule, dict) for rule in listed):
        raise ValueError('it is no list of rules')
    if len(listed) > RULES:
        raise ValueError(f'it has more than {RULES:,} rules')
    rules = []
    for rule in listed:
        location, value = rule.get('location', '/'), rule.get('tdm-reservation')
        if not isinstance(location, str):
            raise ValueError(f'the location {location!r} is no text')
        if reserved(value) or str(value).strip() == '0':  # others are errors of the protocol: unset
            rules.append(Rule(_rooted(urllib.parse.unquote(location)), reserved(value)))

    def judge(path: str) -> OptOut | None:
        rule = next((rule for rule in rules if covers(rule.pattern, path)), None)
        if rule is None or not rule.reserves:
            return None
        return OptOut('tdmrep', where, short(f'tdm-reservation 1 for {rule.pattern}'))

    return judge


def _rooted(pattern: str) -> str:
    """Let a pattern begin where paths do, as people write ``*.jpg`` or ``images/`` as well."""
    return pattern if pattern.startswith(('/', '*')) else f'/{pattern}'


def read_ai_txt(text: str, where: str) -> Judge:
    """Read an ai.txt: what it disallows to any robot, or to one that collects for training; or a line ``Training: deny``."""
    rules = _rules(text, lambda agent: agent == '*' or agent in COLLECTORS)
    denies = re.search(r'^\s*training\s*:\s*(deny|disallow|no)\b', text, re.IGNORECASE | re.MULTILINE)
    return _judge(rules, [short(denies[0])] if denies else [], 'ai.txt', where)


def read_robots_txt(text: str, where: str) -> Judge:
    """Read a robots.txt: what it disallows to robots that collect for training, and its signals about training."""
    signals = []
    for line in text.splitlines():
        name, _, value = line.partition('#')[0].partition(':')
        name, value = name.strip().lower(), value.strip()
        plain = value.lower().replace(' ', '')
        if name == 'content-signal' and re.search(r'\bai-train=no\b', plain):
            signals.append(short(f'Content-Signal: {value}'))
        elif name == 'content-usage' and re.search(r'\btrain-(?:gen)?ai=n\b', plain):
            signals.append(short(f'Content-Usage: {value}'))
        elif name not in ('user-agent', 'allow', 'disallow', 'sitemap') and directives(line):
            signals.append(short(line))
    return _judge(_rules(text, COLLECTORS.__contains__), signals, 'robots.txt', where)


def _rules(text: str, concerns: Callable[[str], bool]) -> list[Rule]:
    """List the rules of the groups that concern us."""
    rules: list[Rule] = []
    concerned, heading = False, False
    for line in text.splitlines():
        name, _, value = line.partition('#')[0].partition(':')
        name, value = name.strip().lower(), value.strip()
        if name == 'user-agent':
            concerned = (heading and concerned) or concerns(value.lower())
            heading = True
        elif name in ('allow', 'disallow'):
            heading = False
            if concerned and value and len(rules) < RULES:
                rules.append(Rule(_rooted(urllib.parse.unquote(value)), name == 'disallow'))
    return rules


def _judge(rules: list[Rule], signals: list[str], kind: str, where: str) -> Judge:
    """Let the longest rule decide, as RFC 9309 has it; of equal ones the one that allows."""
    ordered = sorted(rules, key=lambda rule: (-len(rule.pattern), rule.reserves))

    def judge(path: str) -> OptOut | None:
        rule = next((rule for rule in ordered if covers(rule.pattern, path)), None)
        if rule is not None and rule.reserves:
            return OptOut(kind, where, short(f'Disallow: {rule.pattern}'))
        if signals and rule is None:
            return OptOut(kind, where, signals[0])
        return None

    return judge
