"""``jaxgan studio``: gather, write, serve."""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

from jaxgan.documents.writing import for_export
from jaxgan.errors import InputError
from jaxgan.export import NO_FILES
from jaxgan.making.onnxfile import check_onnx, simplify, to_onnx
from jaxgan.marks.asked import read_marks
from jaxgan.opened import Generator, open_generator
from jaxgan.report.facts import size_text
from jaxgan.runtime import keep_programs
from jaxgan.studio.describe import check_pictures, describe, quantiles
from jaxgan.studio.folder import check_target, write_folder
from jaxgan.studio.runtime import LICENCE, PACKAGE, VERSION, find_runtime
from jaxgan.studio.server import check_port
from jaxgan.studio.server import serve as serve_folder

MOST = 400  # images of the wall at a time
LOOK = ('jaxgan.report', 'assets/style.css')  # the page of a run and this one are of one house


def studio_command(
    source: str,
    out: str,
    serve: bool,
    port: int,
    open: bool,
    count: int,
    runtime: str | None,
    step: int | None,
    best: bool,
    unmarked: str | None = None,
    mark_key: str | None = None,
) -> int:
    """Write a generator's studio, and serve it where that is asked for."""
    target = Path(out)
    if not 1 <= count <= MOST:
        raise InputError(f'count {count} must be in 1..{MOST}')
    check_port(port)
    check_target(target)
    marks = read_marks(unmarked, mark_key)
    keep_programs()
    generator = open_generator(Path(source), step, best, marks)
    check_pictures(generator)
    generator, documents = for_export(generator, Path(source))
    write_studio(target, generator, count, find_runtime(runtime), documents)
    print(f'wrote {target}: {size_text(_size(target))}; it fetches nothing from elsewhere')
    if serve or open:
        serve_folder(target, port, open)
    else:
        print(f'see it by: jaxgan studio {source} --out {out} --serve, or by any web server of that folder')
    return 0


def write_studio(
    target: Path,
    generator: Generator,
    count: int,
    runtime: dict[str, bytes],
    documents: Mapping[str, bytes] = NO_FILES,
) -> None:
    """Write a generator's studio, whole or not at all.

    Args:
        target: the folder; an older studio there is replaced.
        generator: of pictures.
        count: how many images its wall shows at a time.
        runtime: the files of onnxruntime-web.
        documents: its model and data card, if it has any.

    Raises:
        UnverifiedError: a graph does not compute what JAX does.
    """
    graphs = {name: simplify(data) for name, data in to_onnx(generator).items()}
    check_onnx(generator, graphs)
    if 'synthesis.onnx' in graphs:  # z to images in one piece is what the page never asks for then
        del graphs['generator.onnx']
    about = describe(generator, count) | {'documents': sorted(documents)}
    described = json.dumps(about, allow_nan=False)
    notice = f'{PACKAGE} {VERSION}\n\n{LICENCE}\n'
    write_folder(
        target,
        page_files()
        | dict(documents)
        | {'base.css': files(LOOK[0]).joinpath(LOOK[1]).read_bytes()}
        | graphs
        | {'model.json': described.encode(), 'quantiles.bin': quantiles()}
        | {f'runtime/{name}': data for name, data in runtime.items()}
        | {'runtime/LICENCE.txt': notice.encode()},
    )


def page_files() -> dict[str, bytes]:
    """Read the page's own files, by name."""
    folder = files('jaxgan.studio').joinpath('page')
    return {entry.name: entry.read_bytes() for entry in folder.iterdir() if entry.is_file()}


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob('*') if path.is_file())
