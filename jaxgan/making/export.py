"""``jaxgan export``: a generator for other programs."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

from jaxgan.commands import count
from jaxgan.credentials import without_folders
from jaxgan.documents.writing import for_export
from jaxgan.errors import InputError
from jaxgan.export import COPY_INDEX, WITHOUT_DATA_CARD, check_target, save_export, save_files
from jaxgan.generatorfolder import kind_of
from jaxgan.making.asking import check_psi
from jaxgan.making.copies import indexed
from jaxgan.making.programs import describe_marking
from jaxgan.marks.asked import read_marks
from jaxgan.opened import Generator, open_generator
from jaxgan.unused import refuse


def export_command(
    source: str,
    out: str,
    format: str,
    psi: float | None,
    step: int | None,
    best: bool,
    unmarked: str | None = None,
    mark_key: str | None = None,
) -> int:
    """Export an averaged generator; programs mark the images that they make."""
    if psi is not None and format == 'safetensors':
        raise InputError(
            f'psi {psi:g} is a part of programs, and --format safetensors writes none: take jax or onnx'
        )
    check_psi(psi)
    if format == 'safetensors':
        refuse('with --format safetensors: weights are no pictures', unmarked=unmarked, mark_key=mark_key)
    marks = read_marks(unmarked, mark_key)
    if format == 'safetensors' and kind_of(Path(source)) == 'export':
        raise InputError(f'{source} is an export already; --format jax or onnx makes another of it')
    check_target(out)  # before the long part
    found = open_generator(Path(source), step, best, marks)
    private = 'privacy' in found.card['trained']  # and then no thumbnails of its training images go along
    index = indexed(found, Path(source)) if format != 'onnx' and not private else {}
    found, documents = for_export(exported(found), Path(source))
    writers = {'safetensors': _as_weights, 'jax': _as_programs, 'onnx': _as_onnx}
    path, told = writers[format](found, Path(out), psi, Beside(index, documents))
    told += '; with the index of its training images' if index else ''
    if private and (Path(source) / COPY_INDEX).exists():
        told += f'; without {COPY_INDEX}, whose thumbnails of training images are not private'
    trained = f'{count(found.params):,} parameters, {found.card["trained"]["images_seen"]:,} images seen'
    print(f'wrote {path}: {trained}{told}{"" if documents else f"; {WITHOUT_DATA_CARD}"}')
    return 0


class Beside(NamedTuple):
    """What an export has besides its generator."""

    index: dict[str, bytes]
    documents: dict[str, bytes]


def exported(found: Generator) -> Generator:
    """Name the data as others may read them: an export leaves the machine on which they lie."""
    data = found.card['data'] | {'name': found.data}
    if found.data != found.card['data']['name'] or Path(str(data.get('origin'))).is_absolute():
        data['origin'] = without_folders(f'folder:{data["origin"]}').removeprefix('folder:')
    if data.get('config'):
        data['config'] = data['config'] | {'name': without_folders(data['config']['name'])}
    return dataclasses.replace(found, card=found.card | {'data': data})


def _as_weights(found: Generator, out: Path, psi: float | None, beside: Beside) -> tuple[Path, str]:
    del psi
    return save_export(out, found.params, found.aux, found.card, *beside), ''


def _as_programs(found: Generator, out: Path, psi: float | None, beside: Beside) -> tuple[Path, str]:
    from jaxgan.making.jaxfile import check_programs, to_programs

    files = to_programs(found, psi)
    difference = check_programs(found, files, psi)
    card = found.card | {'programs': {'psi': psi}, 'watermark': describe_marking(found)}
    same = 'the same bytes as here' if not difference else f'{difference} level of 255 from those here'
    path = save_export(out, found.params, found.aux, card, {**files, **beside.index}, beside.documents)
    return path, f'; its images are {same}'


def _as_onnx(found: Generator, out: Path, psi: float | None, beside: Beside) -> tuple[Path, str]:
    # no jaxgan reads what the index would stand beside
    from jaxgan.making.onnxfile import OPSET, check_onnx, to_onnx

    files = to_onnx(found, psi)
    errors = check_onnx(found, files, psi)
    card: dict[str, Any] = {name: value for name, value in found.card.items() if name != 'tensors'}
    licence = found.card['data'].get('licence')
    card |= {
        'data': {'name': found.data, 'licence': licence},  # no path of this machine
        'sha256': found.digest,  # of the weights, as in the other formats: what images name as their model
        'onnx': {'opset': OPSET, 'dtype': 'float32', 'psi': psi, 'errors': errors},
        'watermark': describe_marking(found),
    }
    return save_files(out, card, beside.documents, files), f'; {max(errors.values()):.0e} from JAX at most'
