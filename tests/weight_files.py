"""Files of weights for tests, made byte by byte: what torch.save writes, and what someone hostile would."""

import io
import pickle
import struct
import zipfile

import numpy as np

from jaxgan.metrics.extractors import inception
from jaxgan.metrics.torchfiles import LEGACY


def text(word):
    return b'V' + word.encode() + b'\n'


def number(value):
    return b'I%d\n' % value


def numbers(values):
    return b'(' + b''.join(map(number, values)) + b't'


def tensor(key, count, offset, shape, strides, storage='FloatStorage'):
    """The opcodes of a tensor in a storage."""
    pid = (
        b'('
        + text('storage')
        + f'ctorch\n{storage}\n'.encode()
        + text(key)
        + text('cpu')
        + number(count)
        + b'tQ'
    )
    rest = number(offset) + numbers(shape) + numbers(strides) + b'\x89' + b'ccollections\nOrderedDict\n)R'
    return b'ctorch._utils\n_rebuild_tensor_v2\n(' + pid + rest + b'tR'


def state(entries):
    """The pickle of a state dict from the opcodes of its tensors, with an attribute as torch's has."""
    items = b''.join(text(name) + opcodes for name, opcodes in entries.items())
    metadata = b'}' + text('_metadata') + b'ccollections\nOrderedDict\n)Rs'
    return b'\x80\x02ccollections\nOrderedDict\n)R(' + items + b'u' + metadata + b'b.'


def contiguous(shape):
    return [int(np.prod(shape[i + 1 :])) for i in range(len(shape))]


def entries_of(arrays):
    kinds = {'float32': 'FloatStorage', 'float16': 'HalfStorage', 'int64': 'LongStorage'}
    return {
        name: tensor(str(i), a.size, 0, a.shape, contiguous(a.shape), kinds[str(a.dtype)])
        for i, (name, a) in enumerate(arrays.items())
    }


def torch_zip(arrays=None, *, data_pkl=None, parts=None, compression=zipfile.ZIP_STORED, more=()):
    """A file in torch's zip format; ``data_pkl`` and ``parts`` replace what the arrays would give."""
    arrays = arrays or {}
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w', compression) as archive:
        archive.writestr('archive/data.pkl', state(entries_of(arrays)) if data_pkl is None else data_pkl)
        found = [a.tobytes() for a in arrays.values()] if parts is None else parts
        for i, data in enumerate(found):
            archive.writestr(f'archive/data/{i}', data)
        for name, data in more:
            archive.writestr(name, data)
    return file.getvalue()


def torch_legacy(arrays, *, little=True, counts=None, keys=None):
    """A file in torch's older format."""
    head = (
        LEGACY
        + b'\x80\x02I1001\n.'
        + b'\x80\x02}'
        + text('little_endian')
        + (b'\x88' if little else b'\x89')
        + b's.'
    )
    keys = [str(i) for i in range(len(arrays))] if keys is None else keys
    listed = b'\x80\x02](' + b''.join(map(text, keys)) + b'e.'
    body = b''
    for i, a in enumerate(arrays.values()):
        body += struct.pack('<q', a.size if counts is None else counts[i]) + a.tobytes()
    return head + state(entries_of(arrays)) + listed + body


def numpy_pickle(tree):
    return pickle.dumps(tree, protocol=3)


def inception_state(seed):
    """Weights of Inception-v3 under which activations neither vanish nor grow: kernels of He's gain, busy statistics."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, (kh, kw, inputs, outputs) in inception.layer_shapes().items():
        spread = np.float32((2 / (kh * kw * inputs)) ** 0.5)
        found[f'{name}.conv.weight'] = spread * rng.standard_normal((outputs, inputs, kh, kw), np.float32)
        found[f'{name}.bn.weight'] = rng.uniform(0.7, 1.3, outputs).astype(np.float32)
        found[f'{name}.bn.bias'] = rng.normal(0, 0.3, outputs).astype(np.float32)
        found[f'{name}.bn.running_mean'] = rng.normal(0, 0.3, outputs).astype(np.float32)
        found[f'{name}.bn.running_var'] = rng.uniform(0.6, 1.6, outputs).astype(np.float32)
    found['fc.weight'] = rng.normal(0, 0.03, (1008, 2048)).astype(np.float32)
    found['fc.bias'] = rng.normal(0, 0.3, 1008).astype(np.float32)
    return found


def random_like(shapes, seed=0):
    """Kernels of He's gain by a table of shapes, in Flax's layout; biases around zero; heads not negative."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, shape in shapes.items():
        values = rng.standard_normal(shape, np.float32)
        spread = 0.1 if len(shape) == 1 else (2 / np.prod(shape[:-1])) ** 0.5
        found[name] = np.float32(spread) * (np.abs(values) if name.startswith('NetLin') else values)
    return found
