"""``audit.json`` and ``audit.html``: the numbers of an audit, and the pictures by which a person judges it."""

import base64
import functools
import io
import json
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
from markupsafe import Markup
from PIL import Image

from jaxgan.credentials import Credit
from jaxgan.files import replacing, unwritable
from jaxgan.making.pictures import to_bytes
from jaxgan.metrics.descriptors import VIEWS, View, undone
from jaxgan.opened import Generator
from jaxgan.report.page import asset, number, source_hash

JSON, PAGE = 'audit.json', 'audit.html'


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
    style = asset('style.css') + _asset('audit.css')
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
        about = f'{told}; {describe(view)}'
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


def describe(view: View) -> str:
    """Say in words what a view supposes was done to the training image.

    >>> describe(VIEWS[0]._replace(flip=True, scale=0.9, dy=0, dx=0))
    'cropped to 0.9, mirrored'
    """
    words = [f'cropped to {view.scale:g}'] if view.scale < 1 else []
    words += ['shifted'] if view.dy or view.dx else []
    words += ['mirrored'] if view.flip else []
    return ', '.join(words) or 'as it is'


def of_generated(pixels: np.ndarray, found: Generator, seed: int) -> str:
    """Make a data URI of a generated image: the only place where the page gets any, so that all are marked alike."""
    return _uri(to_bytes(pixels, 'PNG', _credit(found, seed)))


def _credit(found: Generator, seed: int) -> Credit:
    return found.credit(str(seed))


def of_real(pixels: np.ndarray) -> str:
    """Make a data URI of a training image."""
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, 'PNG')
    return _uri(buffer.getvalue())


def _uri(png: bytes) -> str:
    return f'data:image/png;base64,{base64.b64encode(png).decode()}'


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {'number': number}
    return environment.from_string(_asset('audit.html'))


def _asset(name: str) -> str:
    return files('jaxgan.provenance').joinpath('assets', name).read_text('utf-8')
