"""``audit.json`` and ``audit.html``: the numbers of an audit, and the pictures by which a person judges it."""

import base64
import functools
import io
import json
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
from markupsafe import Markup

from jaxgan.files import replacing, unwritable
from jaxgan.making.pictures import to_bytes, to_image
from jaxgan.metrics.descriptors import VIEWS, undone
from jaxgan.opened import Generator
from jaxgan.provenance.options.audit import REPORT
from jaxgan.report.page import asset, make_template, number, source_hash

JSON, PAGE = REPORT, 'audit.html'
PACKAGE = 'jaxgan.provenance'  # whose assets the page is made of


class Beside(NamedTuple):
    """A generated image, and training images beside it."""

    made: str
    """As all pictures here, a data URI."""
    seed: int
    others: tuple[tuple[str, str], ...]
    """Each with what is said of it."""
    copy: bool
    about: str


def write_audit(
    folder: Path, report: dict[str, Any], shown: dict[str, np.ndarray], found: Generator
) -> list[Path]:
    """Write both files, each whole or not at all.

    Raises:
        InputError, MachineError: one cannot be written.
    """
    page = render(report, shown, found)
    text = json.dumps(report, indent=1, allow_nan=False) + '\n'
    written = []
    for name, content in ((JSON, text), (PAGE, page)):
        path = folder / name
        try:
            with replacing(path) as temporary:
                temporary.write_bytes(content.encode('utf-8', 'replace'))
        except OSError as error:
            raise unwritable(path, error) from error
        written.append(path)
    return written


def render(report: dict[str, Any], shown: dict[str, np.ndarray], found: Generator) -> str:
    """Make the page: HTML that needs no other file and no network, and lets nothing be loaded or run."""
    style = asset('style.css') + asset('audit.css', PACKAGE)
    return _template().render(
        report=report,
        worst=_worst(report, shown, found),
        sheet=_sheet(report, shown, found),
        style=Markup(style),
        policy=f"default-src 'none'; img-src data:; style-src '{source_hash(style)}'",
    )


def _worst(report: dict[str, Any], shown: dict[str, np.ndarray], found: Generator) -> list[Beside]:
    pairs = []
    for one, made, real in zip(report['worst'], shown['worst'], shown['worst_nearest'], strict=True):
        view = VIEWS[one['view']['number']]
        told = f'ratio {one["ratio"]:.3f}' + ('' if one['p_value'] is None else f', p {one["p_value"]:.2g}')
        others = ((of_real(undone(real, view)), f'image {one["index"]:,}'),)
        about = f'{told}; {view.describe()}'
        pairs.append(
            Beside(of_generated(made, found, one['seed']), one['seed'], others, bool(one['copy']), about)
        )
    return pairs


def _sheet(report: dict[str, Any], shown: dict[str, np.ndarray], found: Generator) -> list[Beside]:
    rows = []
    for one, made, reals in zip(report['sheet'], shown['sheet'], shown['sheet_nearest'], strict=True):
        others = tuple((of_real(real), f'{ratio:.2f}') for real, ratio in zip(reals, one['ratios']))
        rows.append(Beside(of_generated(made, found, one['seed']), one['seed'], others, False, ''))
    return rows


def of_generated(pixels: np.ndarray, found: Generator, seed: int) -> str:
    """Make a data URI of a generated image: the only place where the page gets any, so that all are marked alike."""
    return _uri(to_bytes(pixels, 'PNG', found.credit(str(seed))))


def of_real(pixels: np.ndarray) -> str:
    """Make a data URI of a training image."""
    buffer = io.BytesIO()
    to_image(pixels).save(buffer, 'PNG')
    return _uri(buffer.getvalue())


def _uri(png: bytes) -> str:
    return f'data:image/png;base64,{base64.b64encode(png).decode()}'


@functools.cache
def _template() -> jinja2.Template:
    return make_template(asset('audit.html', PACKAGE), number=number)
