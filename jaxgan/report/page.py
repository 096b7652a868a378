"""Turns ``ReportData`` into one HTML text, from the template, style and scripts in ``assets``.

Whatever comes from files passes Jinja's escaping. Beyond that, the page's own policy lets only scripts run whose hash it names,
and lets nothing be loaded: a mistake in escaping would still run no script and ask no server.
"""

import base64
import dataclasses
import functools
import hashlib
import re
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from jaxgan.report.evaluations import differing
from jaxgan.report.types import Chart, ReportData


def render(data: ReportData) -> str:
    """Make the page.

    Returns:
        HTML that needs no other file and no network.
    """
    script, style = asset('charts.js') + asset('page.js'), asset('style.css')
    return _template().render(
        data=data,
        charts=[_payload(chart) for chart in data.charts],
        evaluation_charts=[_payload(chart) for chart in data.evaluations.charts],
        script=Markup(script),
        style=Markup(style),
        policy=f"default-src 'none'; img-src data:; style-src '{source_hash(style)}'; script-src '{source_hash(script)}'",
    )


def _payload(chart: Chart) -> dict[str, Any]:
    return dataclasses.asdict(chart)


def asset(name: str, package: str = 'jaxgan.report') -> str:
    """Read one of a page's parts: template, style or script."""
    return files(package).joinpath('assets', name).read_text('utf-8')


def make_template(text: str, **filters: Any) -> jinja2.Template:
    """Make a template that escapes what it is given, refuses names that it is not, and may extend ``base.html``: what all pages begin with."""
    environment = jinja2.Environment(
        loader=jinja2.DictLoader({'base.html': asset('base.html')}),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= filters
    return environment.from_string(text)


def source_hash(text: str) -> str:
    """Name a style or a script in a page's policy by its hash."""
    return f'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'


@functools.cache
def _template() -> jinja2.Template:
    return make_template(
        asset('page.html'), number=number, short=short, plain=plain, protocol_keys=protocol_keys
    )


def number(value: Any) -> str:
    """Write a value of a metric with five significant digits.

    >>> number(12.345678), number(0.000012345), number(1234567.0), number('nan'), number(None)
    ('12.346', '1.2345e-05', '1,234,567', 'nan', '—')
    """
    if not isinstance(value, int | float):
        return '—' if value is None else str(value)
    return f'{value:,.0f}' if 100_000 <= abs(value) < 1e12 else f'{value:.5g}'


def plain(value: Any) -> str:
    """Write a value of a protocol; of a digest its beginning.

    >>> plain(50000), plain(True), plain(None), plain('box'), plain('0123456789abcdef' * 4)
    ('50,000', 'yes', 'none', 'box', '0123456789…')
    """
    if isinstance(value, str) and re.fullmatch('[0-9a-f]{32,}', value):
        return f'{value[:10]}…'
    if isinstance(value, bool) or value is None:
        return {True: 'yes', False: 'no', None: 'none'}[value]
    return f'{value:,}' if isinstance(value, int) else str(value)


def short(value: Any) -> str:
    """Write a distance below a small picture.

    >>> short(0.12), short(123.4), short('inf')
    ('0.120', '123', 'inf')
    """
    return value if isinstance(value, str) else f'{value:#.3g}'.rstrip('.')


def protocol_keys(protocols: dict[str, dict[str, Any]]) -> list[tuple[str, bool]]:
    """List the keys of all protocols, and whether they differ there."""
    keys = dict.fromkeys(key for protocol in protocols.values() for key in protocol)
    apart = differing(list(protocols.values()))
    return [(key, key in apart) for key in keys]
