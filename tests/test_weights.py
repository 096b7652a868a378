"""Files of weights: what is in them comes out, and a damaged or hostile one is one clear error that runs nothing."""

import os
import pickle
import time
import zipfile

import ml_dtypes
import numpy as np
import pytest
import safetensors.numpy
import weight_files as make
from weight_files import text

from jaxgan.errors import InputError
from jaxgan.metrics.weights import check, read_weights

ARRAYS = {
    'a.weight': np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    'a.bias': np.linspace(-1, 1, 5).astype(np.float16),
    'steps': np.array(7),
}
NESTED = {'net': {'kernel': ARRAYS['a.weight'], 'turned': np.asfortranarray(np.arange(6.0).reshape(2, 3))}}
FILES = {
    'zip': make.torch_zip(ARRAYS),
    'legacy': make.torch_legacy(ARRAYS),
    'safetensors': safetensors.numpy.save(ARRAYS),
    'numpy': make.numpy_pickle(NESTED),
}


@pytest.fixture
def write(tmp_path):
    def _write(data):
        path = tmp_path / 'weights.bin'
        path.write_bytes(data)
        return path

    return _write


@pytest.mark.parametrize('kind', ['zip', 'legacy', 'safetensors'])
def test_what_is_in_a_file_comes_out(kind, write):
    found = read_weights(write(FILES[kind])).tensors
    assert set(found) == set(ARRAYS)
    for name, value in ARRAYS.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)


def test_pickles_of_arrays_keep_their_paths_and_order(write):
    found = read_weights(write(FILES['numpy'])).tensors
    assert set(found) == {'net/kernel', 'net/turned'}
    np.testing.assert_array_equal(found['net/turned'], NESTED['net']['turned'])


def test_views_with_offsets_and_strides(write):
    data = np.arange(12, dtype=np.float32).tobytes()
    entries = {
        'turned': make.tensor('0', 12, 0, (4, 3), (1, 4)),
        'late': make.tensor('0', 12, 10, (2,), (1,)),
        'empty': make.tensor('0', 12, 12, (0, 5), (5, 1)),
        'scalar': make.tensor('0', 12, 3, (), ()),
    }
    found = read_weights(write(make.torch_zip(data_pkl=make.state(entries), parts=[data]))).tensors
    np.testing.assert_array_equal(found['turned'], np.arange(12).reshape(3, 4).T)
    assert found['late'].tolist() == [10, 11]
    assert found['empty'].shape == (0, 5)
    assert found['scalar'] == 3


def test_bfloat16_and_parameters(write):
    value = np.array([1.5, -2.0], ml_dtypes.bfloat16)
    inner = make.tensor('0', 2, 0, (2,), (1,), 'BFloat16Storage')
    wrapped = b'ctorch._utils\n_rebuild_parameter\n(' + inner + b'\x88ccollections\nOrderedDict\n)RtR'
    found = read_weights(write(make.torch_zip(data_pkl=make.state({'p': wrapped}), parts=[value.tobytes()])))
    assert found.tensors['p'].astype(np.float32).tolist() == [1.5, -2.0]


def test_the_digest_is_that_of_the_file(write):
    import hashlib

    assert read_weights(write(FILES['zip'])).digest == hashlib.sha256(FILES['zip']).hexdigest()


class Runs:
    """What a pickle can make its reader do."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


@pytest.mark.parametrize('protocol', [2, 3, 4, 5])
@pytest.mark.parametrize('where', ['plain', 'zip', 'legacy'])
def test_a_pickle_that_calls_a_function_is_refused_and_runs_nothing(protocol, where, write, tmp_path):
    marker = tmp_path / 'was_here'
    hostile = pickle.dumps({'a': Runs(marker)}, protocol=protocol)
    data = {
        'plain': hostile,
        'zip': make.torch_zip(data_pkl=hostile),
        'legacy': make.torch_legacy({})[: len(make.LEGACY)] + hostile,
    }[where]
    with pytest.raises(InputError, match=r'names (posix|nt|os)\.mkdir.*nothing of it was run') as caught:
        read_weights(write(data))
    assert '\n' not in str(caught.value)
    assert not marker.exists()
    pickle.loads(hostile)
    assert marker.exists()  # it would have worked


@pytest.mark.parametrize(
    ('opcodes', 'message'),
    [
        (b'\x80\x02(cos\nsystem\nVx\no.', 'os.system'),
        (b'\x80\x02(Vx\nios\nsystem\n.', 'opcode INST'),
        (b'\x80\x02cnumpy\nndarray\n)\x81.', 'opcode NEWOBJ'),
        (b'\x80\x02\x82\x01.', 'opcode EXT1'),
        (b'\x80\x02cnumpy\nndarray\n)R.', 'malformed'),
        (b'\x80\x02}q\x00Vx\nh\x00s.', 'dict at x/x/'),
        (b'\x80\x02(((.', 'needed'),
        (b'\x80\x02t.', 'malformed'),
        (b'\x80\x02.', 'malformed'),
        (b'\x80\x02}.', 'holds no tensors'),
        (b'\x80\x02]q\x00.', 'list at the top'),
        (b'\x80\x02}(]Vx\nu.', 'malformed'),
        (b'\x80\x02U', 'malformed'),
        (b'\x80\x02' + b'N' * 100, 'malformed'),
    ],
)
def test_opcodes_that_no_weights_need(opcodes, message, write):
    with pytest.raises(InputError, match=message):
        read_weights(write(opcodes))


# A tuple of two tuples of two ... sixty levels deep: a few hundred bytes that take for ever to hash, to compare or to print.
TUPLES = b'N' + b''.join(b'q%cj%s\x86' % (i, i.to_bytes(4, 'little')) for i in range(60))
DICTS = b'}' + b''.join(b'q%c}(Va\nj%sVb\nj%su' % (i, *[i.to_bytes(4, 'little')] * 2) for i in range(60))


@pytest.mark.parametrize(
    'opcodes',
    [
        b'}' + TUPLES + b'Ns.',
        b'}(Va\n' + TUPLES + b'u.',
        TUPLES + b'Vx\n\x93.',
        TUPLES + b')R.',
        TUPLES + b'Q.',
        b'(' + text('storage') + b'ctorch\nFloatStorage\n' + TUPLES + b'NNtQ.',
        b'ctorch._utils\n_rebuild_tensor_v2\n(NI0\n' + TUPLES + TUPLES + b'tR.',
        b'}Va\nctorch._utils\n_rebuild_parameter\n(' + TUPLES + b'tRs.',
        DICTS + b'.',
    ],
)
def test_what_grows_without_bound_is_refused_at_once(opcodes, write):
    begun = time.process_time()
    for data in (b'\x80\x02' + opcodes, make.torch_zip(data_pkl=b'\x80\x02' + opcodes)):
        with pytest.raises(InputError):
            read_weights(write(data))
    for key in (b'VNone\n', TUPLES):
        head = make.LEGACY + b'\x80\x02I1001\n.\x80\x02}Vlittle_endian\n\x88s.'
        with pytest.raises(InputError):
            read_weights(write(head + make.state({}) + b'\x80\x02](' + key + b'e.'))
        with pytest.raises(InputError):
            read_weights(write(make.LEGACY + b'\x80\x02' + key + b'.\x80\x02}.'))
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(
    ('opcodes', 'message'),
    [
        (make.tensor('0', 4, 0, (5,), (1,)), 'reaches beyond'),
        (make.tensor('0', 4, 1, (4,), (1,)), 'reaches beyond'),
        (make.tensor('0', 4, 0, (2, 2), (4, 1)), 'reaches beyond'),
        (make.tensor('0', 4, 0, (10**9, 10**9), (0, 0)), 'reaches beyond'),
        (make.tensor('0', 4, -1, (2,), (1,)), 'malformed'),
        (make.tensor('0', 4, 0, (2,), (-1,)), 'malformed'),
        (make.tensor('0', 4, 0, (2,), (1, 1)), 'malformed'),
        (make.tensor('0', 4, 0, (1,) * 40, (1,) * 40), 'malformed'),
        (make.tensor('0', 10**12, 0, (10**12,), (1,)), 'were announced'),
        (make.tensor('1', 4, 0, (4,), (1,)), 'is missing'),
        (make.tensor('../data.pkl', 4, 0, (4,), (1,)), 'is missing'),
        (make.tensor('0', 4, 0, (4,), (1,), 'QUInt8Storage'), 'QUInt8Storage'),
        (b'Vtext\n', 'str at x'),
    ],
)
def test_tensors_lie_within_their_numbers(opcodes, message, write):
    data = make.torch_zip(data_pkl=make.state({'x': opcodes}), parts=[np.zeros(4, np.float32).tobytes()])
    with pytest.raises(InputError, match=message):
        read_weights(write(data))


@pytest.mark.parametrize(
    ('data', 'message'),
    [
        (make.torch_zip(ARRAYS, compression=zipfile.ZIP_DEFLATED), 'compressed'),
        (make.torch_zip(ARRAYS, more=[('archive/byteorder', b'big')]), 'little-endian'),
        (FILES['zip'].replace(b'data.pkl', b'date.pkl'), 'without data.pkl'),
        (make.torch_legacy(ARRAYS, little=False), 'little-endian'),
        (make.torch_legacy(ARRAYS, counts=[24, 4, 1]), 'were announced'),
        (make.torch_legacy(ARRAYS, keys=['0', '1', '5']), 'that no tensor uses'),
        (make.torch_legacy(ARRAYS, keys=['0', '1']), 'were announced'),
        (b'', 'neither safetensors'),
        (b'hello, this is a picture', 'neither safetensors'),
        (b'\0' * 257 + b'ustar' + b'\0' * 250, 'tar archive'),
        (make.numpy_pickle({'a': np.array(['text'])}), 'dtype'),
        (make.numpy_pickle({'a': np.array([None])}), 'dtype|plain array'),
    ],
)
def test_other_files_are_refused_with_the_reason(data, message, write):
    with pytest.raises(InputError, match=message) as caught:
        read_weights(write(data))
    assert '\n' not in str(caught.value)


def test_long_files_are_refused_unread(write):
    with pytest.raises(InputError, match='more than the 100'):
        read_weights(write(FILES['zip']), most_bytes=100)
    with pytest.raises(InputError, match='cannot be read'):
        read_weights('/no/such/file')


@pytest.mark.parametrize('kind', FILES)
def test_every_truncation_is_an_error(kind, write):
    data = FILES[kind]
    for length in range(0, len(data), 11):
        with pytest.raises(InputError) as caught:
            read_weights(write(data[:length]))
        assert '\n' not in str(caught.value)


@pytest.mark.parametrize('kind', FILES)
def test_no_damage_is_more_than_an_error(kind, write):
    rng = np.random.default_rng(0)
    for _ in range(150):
        data = bytearray(FILES[kind])
        for place in rng.integers(0, len(data), rng.integers(1, 4)):
            data[place] = rng.integers(256)
        try:
            found = read_weights(write(bytes(data))).tensors
        except InputError:
            continue
        assert sum(value.size for value in found.values()) <= 100


def test_checked_tensors_are_those_of_the_network():
    shapes = {'w': (2, 2), 'b': (2,)}
    good = {'w': np.ones((2, 2), np.float16), 'b': np.zeros(2), 'n.count': np.array(3)}
    found = check(good, shapes, 'f', spare=('.count',))
    assert {name: value.dtype for name, value in found.items()} == {'w': np.float32, 'b': np.float32}
    for change, message in (
        ({'w': np.ones((2, 3))}, r'w has the shape \(2, 3\)'),
        ({'w': np.full((2, 2), np.nan)}, 'not finite'),
        ({'w': np.ones((2, 2), np.int64)}, 'w is int64'),
        ({'ww': np.ones(1)}, "unknown tensor 'ww'; did you mean 'w'"),
    ):
        with pytest.raises(InputError, match=message):
            check(good | change, shapes, 'f', spare=('.count',))
    with pytest.raises(InputError, match='f lacks 1 tensors, such as b'):
        check({'w': np.ones((2, 2))}, shapes, 'f')
