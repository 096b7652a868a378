"""Hostile runs: checkpoints, and the files that reports and comparisons read."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hostile_case import Case
from hostile_data import Canary, bomb, member, npy, objects
from hostile_files import STEP, arrays, encoded, npz_bytes, run, trainer

from jaxgan.checkpoints.checkpoint import Checkpoints

DEEP = '[' * 100_000 + ']' * 100_000
RECORD = 'record.json'


def checkpoint(
    name: str, edit: Callable[[Path], object], *words: str, resumed: bool = True, step: int | None = None
) -> list[Case]:
    """A run whose checkpoint was edited: a training that continues it, and samples from it."""

    def edited(folder: Path) -> Path:
        path = run(folder / 'run') / 'checkpoints'
        edit(path / str(STEP))
        return path

    def restored(folder: Path) -> Callable:
        path = edited(folder)

        def restore() -> None:
            with Checkpoints(path) as checkpoints:
                checkpoints.restore(trainer().abstract, step)

        return restore

    at = () if step is None else ('--step', str(step))
    drawn = Case(
        f'checkpoint: {name}', lambda folder: [edited(folder), ['sample', 'run', '--n', '2', *at]][1], words
    )
    return [drawn, Case(f'resumed: {name}', restored, words)] if resumed else [drawn]


def record(
    name: str,
    edit: Callable[[dict], object] | str | bytes,
    *words: str,
    signed: bool = True,
    resumed: bool = True,
) -> list[Case]:
    """A checkpoint whose record is edited, or replaced; ``signed``: its digests and the table of files say so, too."""

    def change(path: Path) -> None:
        file = path / 'meta' / RECORD
        if not callable(edit):
            file.write_bytes(edit.encode() if isinstance(edit, str) else edit)
        else:
            values = json.loads(file.read_text())
            edit(values)
            if signed:
                content = {key: value for key, value in values.items() if key != 'sha256'}
                text = json.dumps(content, sort_keys=True).encode()
                values['sha256'] = hashlib.sha256(text).hexdigest()
            file.write_text(json.dumps(values))
        if signed:
            sign(path)

    return checkpoint(f'record: {name}', change, *words, resumed=resumed)


def sign(path: Path) -> None:
    """Bring the table of a checkpoint's files up to date, as someone hostile would."""
    table = path / 'files.json'
    values = json.loads(table.read_text())
    files = values.get('files', values)
    for name in list(files):
        if isinstance(files[name], list) and (path / name).is_file():
            data = (path / name).read_bytes()
            files[name] = [len(data), hashlib.sha256(data).hexdigest()]
    if 'sha256' in values:
        content = {key: value for key, value in values.items() if key != 'sha256'}
        values['sha256'] = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    table.write_text(json.dumps(values))


def of_meta(name: str, field: str, value: Any, *words: str) -> list[Case]:
    """A record whose meta says something else, with the right digest: read by sampling."""

    def edit(values: dict) -> None:
        *parents, last = field.split('.')
        node = values['meta']
        for parent in parents:
            node = node[parent]
        node[last] = value

    return record(name, edit, *words, resumed=False)


def _leaves(edit: Callable[[dict], object]) -> Callable[[dict], None]:
    return lambda values: edit(values['leaves']) and None


def _all(edit: Callable[[Any], Any]) -> Callable[[dict], None]:
    def change(values: dict) -> None:
        values['leaves'] = {name: edit(entry) for name, entry in values['leaves'].items()}

    return change


def _state_files(path: Path) -> list[Path]:
    return sorted(file for file in (path / 'state').rglob('*') if file.is_file())


def _each(edit: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def change(path: Path) -> None:
        for file in _state_files(path):
            file.write_bytes(edit(file.read_bytes()))

    return change


def _replace_by(name: str) -> Callable[[Path], None]:
    """Put a link, a file or nothing where a folder of a checkpoint was."""

    def change(path: Path) -> None:
        path = path if name in ('link', 'file') else path / 'state'
        path.rename(path.parent.parent / 'elsewhere')
        if name == 'file':
            path.write_text('')
        elif name == 'a link to itself':
            path.symlink_to(path.name)

    return change


def _renamed(name: str) -> Callable[[Path], None]:
    return lambda path: path.rename(path.parent / name) and None


def report(name: str, files: dict[str, bytes | str | Callable[[], bytes]], *words: str) -> Case:
    """A run with these files, of which a page is made all the same."""

    def make(folder: Path) -> list[str]:
        path = run(folder / 'run')
        for file, data in files.items():
            made = data() if callable(data) else data
            (path / file).parent.mkdir(exist_ok=True)
            (path / file).write_bytes(made.encode() if isinstance(made, str) else made)
        return ['report', 'run']

    return Case(f'report: {name}', make, ('wrote', *words), 0)


def compare(name: str, text: str | bytes, *words: str) -> Case:
    """Two files of measurements, the second as it should be."""

    def make(folder: Path) -> list[str]:
        (folder / 'a.jsonl').write_bytes(text.encode() if isinstance(text, str) else text)
        (folder / 'b.jsonl').write_text(LINE + '\n')
        return ['compare', 'a.jsonl', 'b.jsonl']

    return Case(f'compare: {name}', make, ('a.jsonl', *words))


PROTOCOL = {'extractor': 'vgg16', 'weights': 'ab', 'resize': 'none', 'data': 'x', 'split': 'train', 'fingerprint': 'cd', 'pixels': 32,
            'real': 10, 'flip': False, 'fake': 10, 'generator': 'average', 'labels': 'none', 'seed': 0, 'settings': '',
            'revision': 1, 'jaxgan': '0'}  # fmt: skip
ONE = {'step': 1, 'images_seen': 8, 'metric': 'FD', 'value': 1.0, 'std': None, 'protocol': PROTOCOL}
LINE = json.dumps(ONE)
LINES = '\n'.join(
    ['', '{', '[]', 'null', '1e400', 'NaN', DEEP, '9' * 10_000, '{"step": {}}', '{"step": "x", "images_seen": []}',
     '{"step": 1e400, "images_seen": 1e400, "seconds": 1e400}', '{"step": -1, "images_seen": -1}', '\x00', '"\ud800"',
     '{"step": true, "images_seen": true}', json.dumps({**ONE, 'value': 10**400}), json.dumps({**ONE, 'metric': ['x']}),
     json.dumps({'step': 1, 'images_seen': 8, 'signal': '<script>', 'message': '</script>' * 9}),
     json.dumps({'step': 1, 'images_seen': 8, 'seconds': 'nan', 'd/loss': '<b>', 'x' * 1000: 1.0})]
).encode('utf-8', 'surrogatepass') + b'\n\xff\xfe\n'  # fmt: skip
HOSTILE_NAME = '<img src=x onerror=alert(1)>'


def nearest(**changes: np.ndarray) -> bytes:
    """The arrays of nearest.npz, some of them others."""
    pixels = arrays()['x_train']
    found = {
        'generated': pixels[:2],
        'real': pixels[:6].reshape(2, 3, 16, 16, 3),
        'distances': np.ones((2, 3), np.float32),
    }
    return npz_bytes({**found, 'about': np.array('{}'), **changes})


def _ckpt_cases() -> list[Case]:
    groups = [
        checkpoint('random bytes', _each(lambda data: os.urandom(len(data))), '8', 'damaged'),
        checkpoint('zeros', _each(lambda data: bytes(len(data))), '8', 'damaged'),
        checkpoint('files of 0 bytes', _each(lambda data: b''), '8', 'damaged'),
        checkpoint('files without their ends', _each(lambda data: data[: len(data) // 2]), '8', 'damaged'),
        checkpoint('no table of files', lambda path: (path / 'files.json').unlink(), '8', 'files.json')[1:],
        checkpoint('a table of files that is none', lambda path: (path / 'files.json').write_text(DEEP), '8', 'files.json')[1:],
        checkpoint('a table of files above the folder', lambda path: (path / 'files.json').write_text(
            json.dumps({'../../../../etc/passwd': [1, '0' * 64]})), '8', 'files.json')[1:],
        checkpoint('no record', lambda path: (path / 'meta' / RECORD).unlink(), '8', RECORD, 'missing'),
        checkpoint('no state', _replace_by('nothing'), '8', 'damaged'),
        checkpoint('a state that is a link to itself', _replace_by('a link to itself'), '8', 'damaged'),
        checkpoint('a file for a folder', _replace_by('file'), 'no checkpoint', resumed=False),
        checkpoint('a folder that is called -1', _renamed('-1'), 'no checkpoint', resumed=False),
        checkpoint('a folder that is called 1e9', _renamed('1e9'), 'no checkpoint', resumed=False),
        checkpoint('a folder that is called 8.0', _renamed('8.0'), 'no checkpoint', resumed=False),
        checkpoint('a folder that is called ²', _renamed('²'), 'no checkpoint', resumed=False),
        checkpoint('a folder of another step', lambda path: None, 'no checkpoint 9', step=9),
        checkpoint('a step below 0', lambda path: None, 'no checkpoint -1', step=-1),
        record('empty', '', '8', RECORD),
        record('random bytes', bytes(range(256)), '8', RECORD),
        record('nested deeply', DEEP, '8', RECORD),
        record('a list', '[]', '8', RECORD),
        record('null', 'null', '8', RECORD),
        record('a number', '1e400', '8', RECORD),
        record('cut off', '{"meta": {"a', '8', RECORD),
        record('a digit of 100,000', '{"schema": ' + '9' * 100_000 + '}', '8', RECORD),
        record('another digest', lambda values: values.update(sha256='0' * 64), '8', RECORD, signed=False),
        record('no leaves', lambda values: values.pop('leaves'), '8', RECORD),
        record('leaves as a list', lambda values: values.update(leaves=[]), '8', RECORD),
        record('leaves of nothing', lambda values: values.update(leaves={}), '8'),
        record('entries as texts', _all(lambda entry: 'x'), '8', RECORD),
        record('entries of two', _all(lambda entry: entry[:2]), '8', RECORD),
        record('entries of numbers', _all(lambda entry: [1, 2, 3]), '8'),
        record('shapes as texts', _all(lambda entry: [entry[0], 'x', entry[2]]), '8'),
        record('shapes of 2^60', _all(lambda entry: [entry[0], [2**60], entry[2]]), '8', '1152921504606846976'),
        record('dtypes of objects', _all(lambda entry: ['object', *entry[1:]]), '8', 'object'),
        record('digests that are others', _all(lambda entry: [*entry[:2], '0' * 64]), '8', 'damaged'),
        record('a schema to come', lambda values: values.update(schema=99), '8', '99'),
        record('a schema as a text', lambda values: values.update(schema='1'), '8', RECORD),
        record('meta as a list', lambda values: values.update(meta=[]), '8', RECORD),
        record('meta of nothing', lambda values: values.update(meta={}), '8', 'meta', resumed=False),
        of_meta('no architecture', 'architecture', None, '8', 'meta'),
        of_meta('a width of 10^9', 'architecture.width', 10**9, '8', 'width', '1000000000'),
        of_meta('another width', 'architecture.width', 8, '8', 'does not fit'),
        of_meta('another architecture', 'architecture.kind', 'dcgna', "'dcgna'"),
        of_meta('latents as a text', 'architecture.latent_dim', 'x', 'latent_dim', "'x'"),
        of_meta('images as a text', 'images_seen', 'x', 'images_seen', "'x'"),
        of_meta('data as a list', 'data', [], '8', 'meta'),
        of_meta('classes as a text', 'architecture.classes', 'x', '8', 'classes', "'x'"),
        of_meta('a configuration as a text', 'config', 'x', '8', 'meta'),
    ]  # fmt: skip
    return [case for group in groups for case in group]


REPORTS = [
    report('lines of all kinds', {name: LINES for name in ('metrics.jsonl', 'evaluations.jsonl', 'warnings.jsonl')}),
    report('random bytes', {name: bytes(range(256)) * 9 for name in ('metrics.jsonl', 'evaluations.jsonl', 'warnings.jsonl')}),
    report('one line of 10 MB', {'metrics.jsonl': b'{' + b'x' * 10_000_000}),
    report('nearest.npz of a pickle', {'nearest.npz': objects()}),
    report('nearest.npz of a header that does not end', {'nearest.npz': member('generated.npy', npy("{'descr': (\n"))}),
    report('nearest.npz that is none', {'nearest.npz': b'no'}),
    report('nearest.npz of 300 MB', {'nearest.npz': bomb}),
    report('nearest.npz of other shapes', {'nearest.npz': nearest(real=np.zeros((2, 3, 8, 8, 3), np.uint8))}),
    report('nearest.npz of NaN', {'nearest.npz': nearest(distances=np.full((2, 3), np.nan))}),
    report('nearest.npz of objects', {'nearest.npz': nearest(about=np.array(Canary()))}),
    report('nearest.npz nested deeply', {'nearest.npz': nearest(about=np.array(DEEP))}),
    report('nearest.npz of five channels', {'nearest.npz': nearest(generated=np.zeros((2, 4, 4, 5), np.uint8),
                                                                  real=np.zeros((2, 3, 4, 4, 5), np.uint8))}),
    report('samples that are none', {'samples/000000001.png': b'<svg/>', 'samples/000000002.png': b''}),
    report('samples of other names', {f'samples/{HOSTILE_NAME}.png': encoded(), 'samples/²³.png': encoded(), f'samples/{"9" * 200}.png': encoded()}),
    report('files of other names', {HOSTILE_NAME: 'x', 'a\nb\x1b': 'y'}),
    report('a damaged checkpoint', {f'checkpoints/{STEP}/meta/{RECORD}': DEEP}),
]  # fmt: skip
COMPARES = [
    compare('random bytes', bytes(range(256)), 'UnicodeDecodeError'),
    compare('no JSON', '{', 'line 1'),
    compare('nested deeply', DEEP, 'line 1', 'nested'),
    compare('a list', '[]', 'line 1', 'measurement'),
    compare('null', 'null', 'line 1', 'measurement'),
    compare('another protocol', json.dumps({**ONE, 'protocol': {'a': 1}}), 'line 1', "'a'"),
    compare('a protocol that is a list', json.dumps({**ONE, 'protocol': []}), 'line 1', 'measurement'),
    compare('a value that is a list', json.dumps({**ONE, 'value': []}), 'line 1', 'measurement'),
    compare('a value as a text', json.dumps({**ONE, 'value': 'many'}), 'line 1', 'many'),
    compare('a value beyond all floats', json.dumps({**ONE, 'value': 10**400}), 'line 1', 'too large'),
    compare('a name that is a record', json.dumps({**ONE, 'metric': {}}), 'line 1', 'metric'),
    compare('a step that is a text', json.dumps({**ONE, 'step': 'x'}), 'line 1', 'step'),
    compare('a second line of another kind', LINE + '\n7\n', 'line 2', 'measurement'),
    compare('a key twice', LINE[:-1] + ', "step": 2}', 'line 1', 'step', 'twice'),
    compare('nothing', '', 'do not compare'),
    compare('numbers of another protocol', json.dumps({**ONE, 'protocol': {**PROTOCOL, 'fake': 7}}), 'fake', '7'),
    compare('another measure', json.dumps({**ONE, 'metric': 'a\x1b[31m'}), 'a\\x1b[31m'),
    Case('compare: a pipe', lambda folder: [os.mkfifo('a.jsonl'), ['compare', 'a.jsonl', 'a.jsonl']][1], ('a.jsonl', 'no file')),
]  # fmt: skip
CASES = [*_ckpt_cases(), *REPORTS, *COMPARES]
