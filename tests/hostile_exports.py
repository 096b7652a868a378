"""Hostile exports: the card, the tensors, and files of weights for measures."""

import hashlib
import io
import json
import pickle
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from hostile_case import Case
from hostile_data import Canary
from hostile_files import export
from weight_files import state, tensor, torch_zip

CARD, TENSORS = 'generator.json', 'generator.safetensors'
DEEP = '{"a":' * 50_000 + '1' + '}' * 50_000


def card(
    name: str, edit: Callable[[dict], object] | str | bytes, *words: str, command: str = 'sample'
) -> Case:
    """An export whose card is edited, or replaced."""

    def make(folder: Path) -> list[str]:
        path = export(folder / 'made') / CARD
        if callable(edit):
            values = json.loads(path.read_text())
            made = edit(values)
            path.write_text(json.dumps(values if made is None else made))
        else:
            path.write_bytes(edit.encode() if isinstance(edit, str) else edit)
        return [command, 'made', '--n', '2']

    return Case(f'card: {name}', make, words)


def field(name: str, path: str, value: Any, *words: str) -> Case:
    """A card of which one value is another; ``path`` is dotted."""

    def edit(values: dict) -> None:
        *parents, last = path.split('.')
        for parent in parents:
            values = values[parent]
        values[last] = value

    return card(name, edit, *words)


def tensors(name: str, edit: Callable[[bytes], bytes], *words: str, signed: bool = True) -> Case:
    """An export of other bytes of tensors; ``signed``: the card has their digest."""

    def make(folder: Path) -> list[str]:
        path = export(folder / 'made')
        data = edit((path / TENSORS).read_bytes())
        (path / TENSORS).write_bytes(data)
        if signed:
            values = json.loads((path / CARD).read_text())
            values['sha256'] = hashlib.sha256(data).hexdigest()
            (path / CARD).write_text(json.dumps(values))
        return ['sample', 'made', '--n', '2']

    return Case(f'tensors: {name}', make, words)


def arrays(name: str, edit: Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]], *words: str) -> Case:
    """An export of other arrays, of which the card says all that it should."""

    def make(folder: Path) -> list[str]:
        path = export(folder / 'made')
        found = edit(safetensors.numpy.load((path / TENSORS).read_bytes()))
        data = safetensors.numpy.save(found)
        (path / TENSORS).write_bytes(data)
        values = json.loads((path / CARD).read_text())
        values['sha256'] = hashlib.sha256(data).hexdigest()
        values['tensors'] = {
            k: {'shape': list(v.shape), 'dtype': v.dtype.name} for k, v in sorted(found.items())
        }
        (path / CARD).write_text(json.dumps(values))
        return ['sample', 'made', '--n', '2']

    return Case(f'tensors: {name}', make, words)


def header(values: Any, data: bytes = b'') -> bytes:
    """Safetensors of this header."""
    made = values if isinstance(values, bytes) else json.dumps(values).encode()
    return struct.pack('<Q', len(made)) + made + data


def measured_by(folder: Path, path: str) -> list[str]:
    """A command that measures some images by weights of a path."""
    images = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)
    np.savez(folder / 'made.npz', images=images)
    return ['evaluate', 'made.npz', '--data', 'npz:made.npz', '--extractor', 'vgg16', '--weights', path]


def weights(name: str, data: bytes | Callable[[], bytes], *words: str, code: int = 2) -> Case:
    """A file of weights for an extractor."""

    def make(folder: Path) -> list[str]:
        (folder / 'w.pth').write_bytes(data() if callable(data) else data)
        return measured_by(folder, 'w.pth')

    return Case(f'weights: {name}', make, ('w.pth', *words), code)


def one(shape: list, start: int, stop: int, kind: str = 'F32') -> dict:
    return {'params/a': {'dtype': kind, 'shape': shape, 'data_offsets': [start, stop]}}


def opcodes(name: str, data: bytes, *words: str) -> Case:
    return weights(name, torch_zip(data_pkl=data), *words)


def _bomb_of_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('archive/data.pkl', bytes(50_000_000))
    return buffer.getvalue()


def _memo_bomb() -> bytes:
    """Lists of lists of lists: 2^60 leaves in 400 bytes."""
    return b'\x80\x02]q\x00' + b''.join(b']q%c(h%ch%ce' % (i + 1, i, i) for i in range(60)) + b'.'


def _replaced(found: dict, name: str, value: np.ndarray) -> dict:
    return {**found, name: value}


def _first(found: dict) -> str:
    return next(name for name in sorted(found) if name.startswith('params/'))


def _without_first(found: dict) -> dict:
    return {name: value for name, value in found.items() if name != _first(found)}


CARDS = [
    card('empty', '', CARD, 'cannot be read'),
    card('random bytes', bytes(range(256)), CARD, 'cannot be read'),
    card('not utf-8', b'{"a": "\xff"}', CARD, 'utf-8'),
    card('nested deeply', DEEP, CARD, 'nested'),
    card('a list', '[]', 'format_version', 'None'),
    card('null', 'null', 'format_version', 'None'),
    card('a key twice', '{"format_version": 1, "format_version": 1}', CARD, 'format_version', 'twice'),
    card('NaN', '{"format_version": NaN}', CARD, 'NaN'),
    card('a number of 100,000 digits', '{"format_version": ' + '9' * 100_000 + '}', CARD, 'digits'),
    card('100 MB', lambda values: values.update(more='x' * 100_000_000), CARD, 'larger than'),
    card('cut off', '{"format_version": 1, "sha', CARD, 'cannot be read'),
    field('a format to come', 'format_version', 2, 'format_version', '2'),
    field('a format as text', 'format_version', '1', 'format_version', "'1'"),
    field('true for a format', 'format_version', True, 'format_version', 'True'),
    field('another digest', 'sha256', '0' * 64, TENSORS, 'SHA-256'),
    field('a digest that is none', 'sha256', None, TENSORS, 'SHA-256'),
    field('no tensors', 'tensors', {}, CARD, TENSORS),
    field('tensors as a list', 'tensors', [], CARD, TENSORS),
    card('evaluated', lambda values: values['architecture'].update(width=10**9), 'width', '1000000000', command='evaluate'),
    field('no architecture', 'architecture', None, 'architecture', 'None'),
    field('an architecture as a text', 'architecture', 'dcgan', 'architecture', "'dcgan'"),
    field('an empty architecture', 'architecture', {}, 'architecture', 'None'),
    field('another architecture', 'architecture.kind', 'dcgna', "'dcgna'", "did you mean 'dcgan'?"),
    field('an architecture that is a list', 'architecture.kind', ['dcgan'], 'architecture', 'dcgan'),
    field('an architecture that is a path', 'architecture.kind', '../../x', "'../../x'"),
    field('the architecture of others', 'architecture.kind', 'mlp', "'max_width'"),
    field('a width of 10^9', 'architecture.width', 10**9, 'width', '1000000000', '65536'),
    field('a width of 60,000', 'architecture.width', 60_000, 'does not fit', 'params/'),
    field('a width below 0', 'architecture.width', -4, 'width', '-4'),
    field('a width of 0', 'architecture.width', 0, 'width', '0'),
    field('a width as a text', 'architecture.width', '4', 'width', "'4'"),
    field('a width as a fraction', 'architecture.width', 4.5, 'width', '4.5'),
    field('a width of true', 'architecture.width', True, 'width', 'True'),
    field('a width of 10^400', 'architecture.width', 10**400, 'width', '65536'),
    field('another width', 'architecture.width', 8, 'does not fit', 'params/', 'there', 'here'),
    field('latents of 10^12', 'architecture.latent_dim', 10**12, 'latent_dim', '1000000000000'),
    field('latents of -1', 'architecture.latent_dim', -1, 'latent_dim', '-1'),
    field('latents of another number', 'architecture.latent_dim', 5, 'does not fit', 'params/'),
    field('a size of 10^9', 'architecture.size', 10**9, 'size', '1000000000'),
    field('a size of 65,536', 'architecture.size', 65_536, 'does not fit'),
    field('a size of 0', 'architecture.size', 0, 'size', '0'),
    field('a size of 24', 'architecture.size', 24, '24'),
    field('a size as a text', 'architecture.size', '16', 'size', "'16'"),
    field('a size that is not there', 'architecture.size', None, 'size', 'None'),
    field('10^9 channels', 'architecture.channels', 10**9, 'channels', '1000000000'),
    field('-3 channels', 'architecture.channels', -3, 'channels', '-3'),
    field('10^9 classes', 'architecture.classes', 10**9, 'classes', '1000000000'),
    field('-1 classes', 'architecture.classes', -1, 'classes', '-1'),
    field('classes without names', 'architecture.classes', 3, '0 labels', '3 classes'),
    field('names without classes', 'labels', ['a', 'b'], '2 labels', '0 classes'),
    field('labels as a text', 'labels', 'ab', 'labels', "'ab'"),
    field('labels as numbers', 'labels', [1, 2], 'labels', '[1, 2]'),
    field('no labels', 'labels', None, 'labels', 'None'),
    field('another dtype', 'architecture.dtype', 'float23', "'float23'", "did you mean 'float32'?"),
    field('a dtype of objects', 'architecture.dtype', 'object', "'object'"),
    field('a dtype as a list', 'architecture.dtype', ['f4'], 'dtype', 'f4'),
    field('another normalization', 'architecture.spectral_norm', 'bth', "'bth'", "did you mean 'both'?"),
    field('a key that there is not', 'architecture.widht', 4, "'widht'", "did you mean 'width'?"),
    field('a method of the module', 'architecture.__call__', 'x', "'__call__'"),
    field('a parent of the module', 'architecture.parent', {}, "'parent'"),
    field('layers without an end', 'architecture', {'kind': 'stylegan2', 'latent_dim': 4, 'mapping_layers': 10**6, 'size': 16, 'channels': 3,
          'classes': 0, 'dtype': 'float32'}, 'mapping_layers', '1000000'),
    field('widths of 10^5 stages', 'architecture', {'kind': 'r3gan', 'latent_dim': 4, 'widths': [8] * 100_000, 'groups': [1] * 100_000, 'size': 16,
          'channels': 3, 'classes': 0, 'dtype': 'float32'}, 'widths', '100000'),
    field('heads that do not divide', 'architecture', {'kind': 'transformer', 'latent_dim': 4, 'width': 8, 'heads': 3, 'depth': 1, 'size': 16,
          'channels': 3, 'classes': 0, 'dtype': 'float32'}, 'heads'),
    field('no latents', 'architecture', {'kind': 'dcgan', 'size': 16, 'channels': 3, 'classes': 0, 'dtype': 'float32'}, 'latent_dim'),
    field('no data', 'data', None, 'data', 'None'),
    field('data without a name', 'data', {}, 'data.name', 'None'),
    field('data as a text', 'data', 'cifar10', 'data', "'cifar10'"),
    field('data prepared in another way', 'data.config', {'nmae': 'x'}, "'nmae'", "did you mean 'name'?"),
    field('data of another crop', 'data.config.crop', 'centre', "'centre'"),
    field('no training', 'trained', None, 'trained', 'None'),
    field('no step', 'trained', {}, 'trained.step', 'None'),
    field('a step below 0', 'trained.step', -1, 'trained.step', '-1'),
    field('a step as a text', 'trained.step', '7', 'trained.step', "'7'"),
    field('a step of 10^30', 'trained.step', 10**30, 'trained.step', '1000000'),
    Case('card: a folder of that name', lambda folder: [(folder / 'made' / CARD).mkdir(parents=True), ['sample', 'made']][1], (CARD,)),
    Case('card: alone', lambda folder: [(export(folder / 'made') / TENSORS).unlink(), ['sample', 'made']][1], (TENSORS, 'missing')),
    Case('card: of a run', lambda folder: [export(folder / 'made'), ['export', 'made', 'out']][1], ('made', 'export already')),
    Case('card: a checkpoint of an export', lambda folder: [export(folder / 'made'), ['sample', 'made', '--step', '3']][1], ('3', 'no checkpoint')),
    Case('card: a label of an export without classes',
         lambda folder: [export(folder / 'made'), ['sample', 'made', '--label', 'cat']][1], ("'cat'", 'unconditional')),
]  # fmt: skip
OF_TENSORS = [
    tensors('empty', lambda data: b'', 'cannot be read'),
    tensors('another digest', lambda data: data[:-1] + bytes([data[-1] ^ 1]), TENSORS, 'SHA-256', signed=False),
    tensors('a pickle', lambda data: pickle.dumps(Canary()), 'cannot be read'),
    tensors('an .npz of objects', lambda data: b'PK\3\4' + data, 'cannot be read'),
    tensors('random bytes', lambda data: bytes(range(256)) * 4, 'cannot be read'),
    tensors('without its end', lambda data: data[: len(data) // 2], 'cannot be read'),
    tensors('more after the end', lambda data: data + b'\0' * 8, 'cannot be read'),
    tensors('a header of 2^63 bytes', lambda data: struct.pack('<Q', 2**63) + data[8:], 'cannot be read'),
    tensors('a header of 2^40 bytes', lambda data: struct.pack('<Q', 2**40) + data[8:], 'cannot be read'),
    tensors('a header that is no JSON', lambda data: header(b'{' * 100), 'cannot be read'),
    tensors('a header that is a list', lambda data: header([]), 'cannot be read'),
    tensors('a header nested deeply', lambda data: header(DEEP.encode()), 'cannot be read'),
    tensors('offsets beyond the end', lambda data: header(one([2**20], 0, 2**22), bytes(8)), 'cannot be read'),
    tensors('offsets of 2^63', lambda data: header(one([2**61], 0, 2**63), bytes(8)), 'cannot be read'),
    tensors('offsets below 0', lambda data: header(one([2], -8, 0), bytes(8)), 'cannot be read'),
    tensors('offsets backwards', lambda data: header(one([2], 8, 0), bytes(8)), 'cannot be read'),
    tensors('offsets that overlap', lambda data: header(
        one([2], 0, 8) | {'params/b': {'dtype': 'F32', 'shape': [2], 'data_offsets': [4, 12]}}, bytes(12)), 'cannot be read'),
    tensors('a gap between offsets', lambda data: header(
        one([2], 0, 8) | {'params/b': {'dtype': 'F32', 'shape': [2], 'data_offsets': [12, 20]}}, bytes(20)), 'cannot be read'),
    tensors('shapes that do not fit offsets', lambda data: header(one([3], 0, 8), bytes(8)), 'cannot be read'),
    tensors('a shape whose product overflows', lambda data: header(one([2**32, 2**32, 2], 0, 8), bytes(8)), 'cannot be read'),
    tensors('a dtype that there is not', lambda data: header(one([2], 0, 8, 'F31'), bytes(8)), 'cannot be read'),
    tensors('a dtype that we do not know', lambda data: header(one([8], 0, 8, 'F8_E4M3'), bytes(8)), 'F8_E4M3'),
    tensors('other tensors', lambda data: header(one([2], 0, 8), bytes(8)), CARD, 'other tensors'),
    tensors('no tensors', lambda data: header({}), CARD, 'other tensors'),
    arrays('one missing', _without_first, 'does not fit', 'params/', 'missing there'),
    arrays('one too many', lambda found: _replaced(found, 'params/spare', np.zeros(2, np.float32)), 'params/spare', 'missing here'),
    arrays('a name above the folder', lambda found: _replaced(found, '../../escaped', np.zeros(2, np.float32)), '../../escaped'),
    arrays('a name at the root', lambda found: _replaced(found, '/etc/passwd', np.zeros(2, np.float32)), 'etc'),
    arrays('a name of nothing', lambda found: _replaced(found, '', np.zeros(2, np.float32)), 'made'),
    arrays('a name within another', lambda found: _replaced(found, f'{_first(found)}/more', np.zeros(2, np.float32)), 'folder of tensors'),
    arrays('a name of 10,000 parts', lambda found: _replaced(found, '/'.join(['a'] * 10_000), np.zeros(2, np.float32)), 'a/a'),
    arrays('a name of 10,000 parts of params',
           lambda found: _replaced(found, 'params' + '/a' * 10_000, np.zeros(2, np.float32)), 'a/a'),
    arrays('another dtype', lambda found: {n: v.astype(np.float64) for n, v in found.items()}, 'float64', 'float32'),
    arrays('half the precision', lambda found: {n: v.astype(np.float16) for n, v in found.items()}, 'float16', 'float32'),
    arrays('whole numbers', lambda found: {n: v.astype(np.int32) for n, v in found.items()}, 'int32', 'float32'),
    arrays('another shape', lambda found: {n: v[None] for n, v in found.items()}, 'does not fit', 'params/'),
    arrays('NaN', lambda found: {n: v * np.float32(np.nan) for n, v in found.items()}, 'params/', 'not finite'),
    arrays('infinity', lambda found: {n: v + np.float32(np.inf) for n, v in found.items()}, 'params/', 'not finite'),
]  # fmt: skip
WEIGHTS = [
    weights('empty', b'', 'neither safetensors'),
    weights('random bytes', bytes(range(256)), 'neither safetensors'),
    weights('a pickle that makes a file', lambda: pickle.dumps(Canary()), 'open', 'nothing of it was run'),
    weights('the same in protocol 0', lambda: b'\x80\x00' + pickle.dumps(Canary(), 0), 'open', 'nothing of it was run'),
    weights('the same within a zip', lambda: torch_zip(data_pkl=pickle.dumps(Canary(), 2)), 'open', 'nothing of it was run'),
    opcodes('os.system', b'\x80\x02cposix\nsystem\n(Vtouch canary\ntR.', 'posix.system'),
    opcodes('an attribute of a name that is allowed', b'\x80\x02ccollections\nOrderedDict.__init__.__globals__\n.', 'OrderedDict.__init__'),
    opcodes('an instance', b'\x80\x02(Vtouch canary\niposix\nsystem\n.', 'INST'),
    opcodes('an object by NEWOBJ', b'\x80\x02ccollections\nOrderedDict\n)\x81.', 'NEWOBJ'),
    opcodes('an extension', b'\x80\x02\x82\x01.', 'EXT1'),
    opcodes('lists within lists', b'\x80\x02' + b'(' * 100_000 + b'l' * 100_000 + b'.', 'list'),
    opcodes('tuples within tuples', b'\x80\x02)' + b'\x85' * 100_000 + b'.', 'tuple'),
    opcodes('a list of itself', b'\x80\x02]q\x00h\x00a.', 'list'),
    opcodes('a memo that doubles', _memo_bomb(), 'list'),
    opcodes('a number of 2^31 bytes', b'\x80\x02\x8b\xff\xff\xff\x7f.', 'malformed'),
    opcodes('a text of 2^63 bytes', b'\x80\x04\x8d' + struct.pack('<Q', 2**63 - 1) + b'.', 'malformed'),
    opcodes('a number of 10,000 digits', b'\x80\x02I' + b'9' * 10_000 + b'\n.', 'malformed'),
    opcodes('a stack that is empty', b'\x80\x02.', 'malformed'),
    opcodes('nothing after the start', b'\x80\x02', 'malformed'),
    opcodes('a run of 2^40 numbers', state({'a': tensor('0', 2**40, 0, [2**40], [1])}), '0'),
    opcodes('a run of -1 numbers', state({'a': tensor('0', -1, 0, [1], [1])}), 'storage'),
    weights('a tensor beyond its numbers', torch_zip(data_pkl=state({'a': tensor('0', 4, 0, [2**20, 2**20], [0, 0])}),
            parts=[bytes(16)]), 'reaches beyond'),
    weights('a tensor before its numbers', torch_zip(data_pkl=state({'a': tensor('0', 4, -4, [4], [1])}), parts=[bytes(16)]), 'malformed'),
    weights('strides below 0', torch_zip(data_pkl=state({'a': tensor('0', 4, 3, [4], [-1])}), parts=[bytes(16)]), 'malformed'),
    weights('a zip that unpacks to 50 MB', _bomb_of_zip, 'larger than the file'),
    weights('a zip of others', lambda: torch_zip(more=[('../../escaped', b'x')], data_pkl=b'\x80\x02}.'), 'no tensors'),
    weights('safetensors of a header of 2^62 bytes', struct.pack('<Q', 2**62) + b'{' + bytes(50), 'w.pth'),
    weights('other tensors', torch_zip({'spare': np.zeros(2, np.float32)}), "'spare'"),
    weights('a tar', bytes(257) + b'ustar' + bytes(300), 'tar archive'),
    Case('weights: of a device without an end', lambda folder: _device(folder), ('/dev/zero',)),
    Case('weights: of no extractor', lambda folder: [*_device(folder)[:4], '--weights', 'w.pth'], ('w.pth', '--extractor')),
]  # fmt: skip


def _device(folder: Path) -> list[str]:
    return measured_by(folder, '/dev/zero')


CASES = [*CARDS, *OF_TENSORS, *WEIGHTS]
