"""Hostile requests to the commands that make images, and hostile folders that these commands hand to each other."""

import functools
import hashlib
import io
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from hostile_case import Case
from hostile_files import encoded, export

from jaxgan.directions import Directions
from jaxgan.making.direction_files import FILES as DIRECTIONS
from jaxgan.making.direction_files import save_directions
from jaxgan.making.finding import Found
from jaxgan.making.projections import FILES as PLACES
from jaxgan.making.projections import Places, save_places
from jaxgan.marks.record import RECORD
from jaxgan.opened import open_generator

DIGITS = '9' * 5_000
MADE = {'edit': ['3', '--directions', 'd', '--direction', 'hat', '--amount', '1']}


@functools.cache
def _made() -> Path:
    """A folder with an export (made), projections of it (p), directions (d), and two pictures."""
    folder = Path(tempfile.mkdtemp(dir=_scratch().name)) / 'good'
    generator = open_generator(export(folder / 'made'))
    codes = np.eye(2, 4, dtype=np.float32)
    origins = ({'seed': 1}, {'file': 'b.png', 'source': 'ab', 'rights': 'mine'})
    save_places(folder / 'p', Places('z', codes, ('a', 'b'), None, generator.digest, origins))
    vectors = Directions('z', codes, np.ones(2), np.zeros(4), ('hat', 'beard'))
    save_directions(folder / 'd', Found(vectors, 'sefa', ({}, {}), {}), generator.digest)
    (folder / 'cut.png').write_bytes(encoded()[:300])
    (folder / 'none.png').write_bytes(b'')
    (folder / 'twice.csv').write_text('seed,hat\n1,x\n1,y\n')
    (folder / 'digits.csv').write_text(f'seed,hat\n{DIGITS},x\n2,y\n')
    (folder / 'film.gif').mkdir()
    (folder / 'picture.png').mkdir()
    return folder


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix='jaxgan-makers-')


def asked(text: str, *words: str, code: int = 2) -> Case:
    """A request as it is typed."""

    def make(folder: Path) -> list[str]:
        shutil.copytree(_made(), folder, dirs_exist_ok=True)
        command, *rest = text.split()
        return [command, 'made', *rest]

    return Case(f'making: {text[:120]}', make, words, code)


def damaged(
    name: str,
    files: tuple[str, str],
    edit: Callable[[dict[str, Any], dict[str, np.ndarray]], object],
    command: str,
    *words: str,
) -> Case:
    """A folder of which record and tensors are others, with their right SHA-256."""

    def make(folder: Path) -> list[str]:
        shutil.copytree(_made(), folder, dirs_exist_ok=True)
        record, tensors = (folder / command.split()[1].partition('#')[0] / file for file in files)
        values, arrays = json.loads(record.read_text()), safetensors.numpy.load(tensors.read_bytes())
        edit(values, arrays)
        data = safetensors.numpy.save(arrays)
        tensors.write_bytes(data)
        values['sha256'] = hashlib.sha256(data).hexdigest()
        record.write_text(json.dumps(values).replace('"HUGE"', '1e400'))
        first, place, *rest = command.split()
        start = ['3', '--directions', place] if first == 'edit' else [place]
        return [first, 'made', *start, *rest]

    return Case(f'making: {name} for {command}', make, words)


def places(name: str, edit: Callable, *words: str, command: str = 'vary p#0 --n 2') -> Case:
    """Damaged projections."""
    return damaged(name, PLACES, edit, command, *words)


def directions(name: str, edit: Callable, *words: str) -> Case:
    """Damaged directions."""
    return damaged(name, DIRECTIONS, edit, 'edit d --direction 0 --amount 1', *words)


def raw(name: str, file: str, data: bytes, *words: str) -> Case:
    """A file of other bytes."""

    def make(folder: Path) -> list[str]:
        shutil.copytree(_made(), folder, dirs_exist_ok=True)
        (folder / file).write_bytes(data)
        return ['vary', 'made', 'p#0'] if file.startswith('p/') else ['edit', 'made', *MADE['edit']]

    return Case(f'making: {name} in {file}', make, words)


def stopped(name: str, text: str, *words: str) -> Case:
    """A folder of samples whose record is something else."""

    def make(folder: Path) -> list[str]:
        shutil.copytree(_made(), folder, dirs_exist_ok=True)
        (folder / 'f').mkdir()
        (folder / 'f' / 'samples.json').write_text(text)
        return ['sample', 'made', '--out', 'f', '--n', '2']

    return Case(f'making: {name} in samples.json', make, words)


def of_all(**value: Any) -> Callable:
    """Set fields of all images of projections."""
    return lambda record, tensors: [image.update(value) for image in record['images']]


def of_record(**value: Any) -> Callable:
    """Set fields of a record."""
    return lambda record, tensors: record.update(value)


def of_tensors(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable:
    """Change a tensor."""
    return lambda record, tensors: tensors.update({name: change(tensors[name])})


def none_left(record: dict, tensors: dict) -> None:
    """Take all images out."""
    record['images'], tensors['codes'] = [], tensors['codes'][:0]


def seen(name: str, files: dict[str, bytes | Callable[[], bytes]], *words: str) -> Case:
    """Files to verify, the first of them named."""

    def make(folder: Path) -> list[str]:
        for file, data in files.items():
            (folder / file).write_bytes(data() if callable(data) else data)
        named = ['--jsonl', RECORD] if RECORD in files else []  # one that merely lies there hinders nobody
        return ['verify', next(iter(files)), *named]

    return Case(f'making: verify {name}', make, words)


def zeros() -> bytes:
    """An .npz that unpacks to more than any is allowed to."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, 'w', zipfile.ZIP_DEFLATED) as archive,
        archive.open('images.npy', 'w') as member,
    ):
        for _ in range(260):
            member.write(bytes(2**20))
    return file.getvalue()


VERIFY = [
    seen('a picture cut short', {'cut.png': encoded()[:300]}, 'cut.png'),
    seen('a huge picture', {'huge.ppm': b'P6 60000 60000 255\n'}, 'huge.ppm', '3600000000 pixels'),
    seen('nothing', {'none.gif': b''}, 'none.gif'),
    seen('boxes without end', {'a.mp4': b'\0\0\0\x10ftypisom' + b'\0\0\0\x01uuid' + b'\xff' * 8}, 'a.mp4', 'damaged'),
    seen('much of nothing', {'a.npz': zeros}, 'a.npz', 'unpacks'),
    seen('a deep record', {'a.png': encoded(), 'provenance.jsonl': b'[' * 100_000 + b'\n'}, 'nested too deeply'),
    seen('a huge version', {'a.png': encoded(), 'provenance.jsonl': b'{"format_version": 1e400}\n'}, 'format_version'),
    seen('another record', {'a.png': encoded(), 'provenance.jsonl': b'{"format_version": 1}\n'}, 'provenance.jsonl'),
]  # fmt: skip
CASES = [
    asked('sample --n 1000000000000', 'n 1000000000000 must be at most'),
    asked('sample --n 1000000 --out a.webp', 'too large: a WEBP has at most', '16383 a side'),
    asked('sample --n 1000000 --scale 100', 'too large'),
    asked('sample --seed -1', 'seed -1'),
    asked('sample --seeds 5-2', "'5-2'"),
    asked('sample --label ²', "label '²'"),
    asked('sample --temperature 1e300', 'temperature 1e+300'),
    asked('sample --temperature nan', 'temperature nan'),
    asked('sample --psi 1e300', 'psi 1e+300'),
    asked('sample --near 5', '--near 5 has no meaning without --dedup near'),
    asked('sample --percentile 50', '--percentile 50 has no meaning without --reject drs'),
    asked('sample --steps 9', '--steps 9 has no meaning without --reject ddls'),
    asked('sample --out picture.png', 'picture.png: it is a folder'),
    asked('sample --out a.tiff', "'.tiff'"),
    asked('sample --percentile 80', '--percentile 80 has no meaning without --reject drs'),
    asked('vary 3 --strength 2', 'strength 2 must be in [0, 1]'),
    asked('vary 3 --strength nan', 'strength nan'),
    asked('vary 3 --n 1000000000000', 'n 1000000000000'),
    asked('vary 3 --seed -1', 'seed -1'),
    asked('vary 3 --space w', 'space w'),
    asked('vary 3 --out cut.png/a.png', 'cut.png is a file'),
    asked('vary 3 --mix seed:0-99999', '100,000 seeds'),
    asked('vary 3 --scale 1000000 --n 2', 'too large'),
    asked('vary 99999999999', 'cannot read seeds'),
    asked(f'vary p#{DIGITS}', 'File name too long'),
    asked('vary p#99999999999999', 'unknown place'),
    asked('vary p#²', 'unknown place'),
    asked('vary p#0 --out p', 'cannot write p: p#0 lies there'),
    asked('vary cut.png --source-rights mine', 'cut.png'),
    asked('vary none.png --source-rights mine', 'none.png'),
    asked('vary cut.png', '--source-rights'),
    asked('interpolate 3', 'a path needs two'),
    asked('interpolate 3 4 --steps 1000000000000', 'steps 1000000000000'),
    asked('interpolate 3 4 --out a.gif --seconds 0', 'too brief'),
    asked('interpolate 3 4 --out a.gif --seconds 1e30', 'too long'),
    asked('interpolate 3 4 --out a.gif --scale 100000', 'frames of 1600000x1600000'),
    asked('interpolate 3 4 --out film.gif', 'film.gif: it is a folder'),
    asked('directions --count 1000000000000', 'count 1000000000000'),
    asked('directions --samples 1000000000000', 'samples 1000000000000'),
    asked('directions --amounts 1e300', 'amount 1e+300'),
    asked('directions --feature x', "unknown feature 'x'"),
    asked('directions --method attributes --labels twice.csv', "'1' stands twice"),
    asked('directions --method attributes --labels digits.csv', 'is no seed'),
    asked('directions --out cut.png', 'cut.png: it is a file'),
    asked('edit 3 --directions d --direction hut --amount 1', "did you mean 'hat'?"),
    asked(f'edit 3 --directions d --direction {DIGITS} --amount 1', 'out of range'),
    asked('edit 3 --directions d --direction 0 --amount 1e300', 'amount 1e+300'),
    asked('edit 3 --directions d --direction 0 --amount nan', 'amount nan'),
    asked('edit seed:0-999999 --directions d --direction 0 --amount 1', '1,000,000 seeds'),
    asked('edit 3 --directions p --direction 0 --amount 1', 'p holds no directions'),
    asked('walk --seeds 1,2 --frames 0', 'frames 0'),
    asked('walk --seeds 1,2 --frames 100000', '100000 frames of 256x256'),
    asked('walk --seeds 1,2 --fps 60', 'too brief'),
    asked('walk --seeds 1,2 --scale 1000000', 'frames of 16000000x16000000'),
    asked('walk --seeds 1,2 --grid 1000000000000', 'frames of'),
    asked('walk --seeds 1,2 --psi 1e300', 'psi 1e+300'),
    asked('walk --seeds 0-999999', '1,000,000 seeds'),
    asked('walk --seeds 1,2 --out film.gif', 'film.gif: it is a folder'),
    asked('canvas --size 1000000x1000000', "'1000000x1000000'"),
    asked('canvas --size 20000', 'size 20000'),
    asked('canvas --size 64 --psi 1e300', 'psi 1e+300'),
    asked('canvas --size 64 --out picture.png', 'picture.png: it is a folder'),
    asked('export out --format jax --psi 1e300', 'psi 1e+300'),
    asked('export p --format jax', 'it holds other files'),
    asked('encoder --batch 1000000000', 'batch 1000000000'),
    asked('encoder --width 1000000000', 'width 1000000000'),
    asked('encoder --steps 1000000000000', 'steps 1000000000000'),
    asked('encoder --rate nan', 'rate nan'),
    asked('project --own 4000000000', 'own 4000000000'),
    places('codes of another size', of_tensors('codes', lambda x: x[:, :3]), 'codes of [3]'),
    places('codes with an axis more', of_tensors('codes', lambda x: x[..., None]), 'codes of [4, 1]'),
    places('codes without axes', of_tensors('codes', lambda x: x[0, :1].reshape(())), 'codes []'),
    places('codes that are NaN', of_tensors('codes', lambda x: x * np.float32('nan')), 'not all finite'),
    places('codes in doubles', of_tensors('codes', lambda x: x.astype(np.float64)), 'not all finite float32'),
    places('no codes', none_left, 'for 0 images'),
    places('no codes', none_left, 'for 0 images', command='walk p --frames 2'),
    places('styles', of_record(space='w'), 'space w'),
    places('labels', of_all(label=1), 'and this generator has 0 classes'),
    places('a huge label', of_all(label=2**40), 'damaged'),
    places('a name that leads out', of_all(name='../../a'), "'../../a'", command='vary p#0 --out o'),
    places('a name with a slash', of_all(name='a/b'), "'a/b'", command='vary p#0 --out o'),
    places('a hidden name', of_all(name='.a'), "'.a'"),
    places('no images', of_record(images=5), 'damaged'),
    places('another format', of_record(format_version=9), 'format_version 9'),
    places('another model', of_record(model='ab' * 32), 'another generator: of abababab'),
    places(
        'short noise',
        lambda record, tensors: tensors.update({'noise/x': np.zeros((1, 4, 4), np.float32)}),
        'for 2 images',
    ),
    places(
        'a foreign patch',
        lambda record, tensors: tensors.update({'patch/params/x': np.zeros(3, np.float32)}),
        'params/x',
    ),
    directions('short vectors', lambda r, t: t.update({n: t[n][..., :3].copy() for n in ('vectors', 'center')}), 'of 3 values'),
    directions('NaN', of_tensors('vectors', lambda x: x * np.float32('nan')), 'not all finite'),
    directions('huge scales', of_tensors('scales', lambda x: np.full_like(x, np.inf)), 'not all finite'),
    directions('styles', of_record(space='w'), 'space w'),
    directions('layers', of_record(layers=[99]), 'this generator has no styles'),
    directions('endless layers', of_record(layers=['HUGE']), 'damaged'),
    directions('no centre', of_tensors('center', lambda x: x[:1].reshape(())), 'damaged'),
    directions('no tensors', lambda record, tensors: tensors.clear(), 'damaged'),
    raw('nothing', 'p/projections.json', b'', 'cannot be read'),
    raw('depth', 'p/projections.json', b'[' * 100_000, 'nested too deeply'),
    raw('a list', 'p/projections.json', b'[]', 'damaged'),
    raw('no text', 'p/projections.json', b'\xff\xfe', 'cannot be read'),
    raw('other bytes', 'p/codes.safetensors', b'\xff' * 9, 'SHA-256'),
    raw('depth', 'd/directions.json', b'{"a":' * 100_000, 'nested too deeply'),
    raw('other bytes', 'd/directions.safetensors', b'', 'SHA-256'),
    *VERIFY,
    stopped('depth', '[' * 100_000, 'nested too deeply'),
    stopped('a huge version', '{"format_version": 1e400}', 'format_version inf'),
    stopped('a list', '[]', 'name a new folder'),
]  # fmt: skip
