"""An export is whole or absent, verified when read, and readable by anyone."""

import hashlib
import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.errors import InputError
from jaxgan.export import flatten, load_export, save_export, unflatten
from jaxgan.version import __version__

PARAMS = {
    'dense': {
        'kernel': np.arange(6, dtype=np.float32).reshape(2, 3),
        'bias': jnp.ones((3,), jnp.bfloat16) / 3,
    },
    'scale': jnp.float32(2.5),
}
AUX = {'batch_stats': {'norm': {'count': np.int32([7])}}}
CARD = {'latent_dim': 64, 'classes': ['cat', 'dog'], 'trained': {'images_seen': 1000}}


@pytest.fixture
def folder(tmp_path):
    return save_export(tmp_path / 'export', PARAMS, AUX, CARD)


def assert_same(a, b):
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b)):
        assert (x.dtype, x.shape, np.asarray(x).tobytes()) == (y.dtype, y.shape, np.asarray(y).tobytes())


def edit_card(folder, **changes):
    path = folder / 'generator.json'
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


class TestRoundTrip:
    def test_trees_come_back_bit_for_bit(self, folder):
        export = load_export(folder)
        assert_same(export.params, PARAMS)
        assert_same(export.aux, AUX)

    def test_the_card_holds_what_was_given_and_what_a_reader_verifies(self, folder):
        card = load_export(folder).card
        assert {name: card[name] for name in CARD} == CARD
        assert card['format_version'] == 1
        assert card['jaxgan'] == __version__
        assert card['sha256'] == hashlib.sha256((folder / 'generator.safetensors').read_bytes()).hexdigest()
        assert card['tensors'] == {
            'aux/batch_stats/norm/count': {'shape': [1], 'dtype': 'int32'},
            'params/dense/bias': {'shape': [3], 'dtype': 'bfloat16'},
            'params/dense/kernel': {'shape': [2, 3], 'dtype': 'float32'},
            'params/scale': {'shape': [], 'dtype': 'float32'},
        }

    def test_no_aux(self, tmp_path):
        assert load_export(save_export(tmp_path / 'e', {'w': np.zeros(2)}, {}, {})).aux == {}

    def test_transposed_arrays_keep_their_order(self, tmp_path):
        w = np.arange(6.0).reshape(2, 3).T
        assert not w.flags.c_contiguous
        assert load_export(save_export(tmp_path / 'e', {'w': w}, {}, {})).params['w'].tolist() == w.tolist()

    def test_an_export_of_an_export_is_the_same(self, folder, tmp_path):
        first = load_export(folder)
        second = load_export(save_export(tmp_path / 'again', *first))
        assert second.card == first.card
        assert_same(second.params, first.params)

    def test_it_is_readable_without_jaxgan_and_without_pickle(self, folder):
        reader = """
import json, sys
from safetensors import safe_open
folder = sys.argv[1]
card = json.load(open(folder + '/generator.json'))
with safe_open(folder + '/generator.safetensors', 'numpy') as file:
    assert sorted(file.keys()) == sorted(card['tensors'])
    print(card['latent_dim'], file.get_tensor('params/dense/kernel').sum())
assert not {'jax', 'jaxgan', 'pickle5', 'torch'} & set(sys.modules)
"""
        environment = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
        done = subprocess.run(
            [sys.executable, '-c', reader, folder], capture_output=True, text=True, cwd='/', env=environment
        )
        assert (done.stdout, done.stderr) == ('64 15.0\n', '')

    def test_parents_are_made_and_files_have_usual_permissions(self, tmp_path):
        folder = save_export(tmp_path / 'a' / 'b', PARAMS, AUX, CARD)
        umask = os.umask(0)
        os.umask(umask)
        assert (folder / 'generator.json').stat().st_mode & 0o777 == 0o666 & ~umask
        assert folder.stat().st_mode & 0o777 == 0o777 & ~umask


class TestReplacing:
    def test_an_export_is_replaced_and_nothing_is_left_beside_it(self, folder):
        save_export(folder, {'w': np.ones(1)}, {}, {'second': True})
        assert load_export(folder).card['second']
        assert list(load_export(folder).params) == ['w']
        assert [path.name for path in folder.parent.iterdir()] == ['export']

    def test_an_empty_folder_is_used(self, tmp_path):
        (tmp_path / 'empty').mkdir()
        assert load_export(save_export(tmp_path / 'empty', PARAMS, AUX, CARD)).aux

    @pytest.mark.parametrize('other', ['notes.txt', 'generator.json'])
    def test_a_folder_of_other_files_is_refused_and_left_alone(self, tmp_path, other):
        (tmp_path / other).write_text('mine')
        with pytest.raises(InputError, match='it holds other files'):
            save_export(tmp_path, PARAMS, AUX, CARD)
        assert [path.name for path in tmp_path.iterdir()] == [other]

    def test_an_export_with_other_files_beside_it_is_refused(self, folder):
        (folder / 'README.md').write_text('mine')
        with pytest.raises(InputError, match='it holds other files'):
            save_export(folder, PARAMS, AUX, CARD)

    def test_a_file_is_refused(self, tmp_path):
        (tmp_path / 'file').write_text('')
        with pytest.raises(InputError, match='it is a file'):
            save_export(tmp_path / 'file', PARAMS, AUX, CARD)
        with pytest.raises(InputError, match='cannot be written'):
            save_export(tmp_path / 'file' / 'below', PARAMS, AUX, CARD)

    @pytest.mark.parametrize('fails_at', [1, 2])
    def test_a_failed_replacement_keeps_the_old_one(self, folder, monkeypatch, fails_at):
        from pathlib import Path

        real, calls = Path.rename, []

        def rename(self, target):
            calls.append(target)
            if len(calls) == fails_at:
                raise OSError(28, 'No space left on device')
            return real(self, target)

        monkeypatch.setattr(Path, 'rename', rename)
        with pytest.raises(InputError, match='cannot be written: No space left on device'):
            save_export(folder, {'w': np.ones(1)}, {}, {})
        assert_same(load_export(folder).params, PARAMS)
        assert [path.name for path in folder.parent.iterdir()] == ['export']


class TestErrors:
    @pytest.mark.parametrize('name', ['generator.json', 'generator.safetensors'])
    def test_a_missing_file_is_named(self, folder, name):
        (folder / name).unlink()
        with pytest.raises(InputError, match=f'no exported generator: {name} is missing'):
            load_export(folder)

    @pytest.mark.parametrize('name', ['generator.json', 'generator.safetensors'])
    @pytest.mark.parametrize('part', [0, 0.5, 0.99])
    def test_truncated_files(self, folder, name, part):
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * part)])
        with pytest.raises(InputError) as info:
            load_export(folder)
        assert '\n' not in str(info.value)
        assert str(folder) in str(info.value)

    def test_every_flipped_byte_of_the_tensors_is_found(self, folder):
        path = folder / 'generator.safetensors'
        data = path.read_bytes()
        for i in range(0, len(data), 7):
            path.write_bytes(data[:i] + bytes([data[i] ^ 1]) + data[i + 1 :])
            with pytest.raises(InputError, match='does not match its SHA-256'):
                load_export(folder)

    @pytest.mark.parametrize('version', [2, None, '1', True, 1.5])
    def test_another_format_version(self, folder, version):
        edit_card(folder, format_version=version)
        with pytest.raises(InputError, match=r'format_version .*; this jaxgan reads 1'):
            load_export(folder)

    @pytest.mark.parametrize('text', ['[]', '3', '"x"', '{}'])
    def test_a_card_that_is_none(self, folder, text):
        (folder / 'generator.json').write_text(text)
        with pytest.raises(InputError, match='format_version None'):
            load_export(folder)

    def test_tensors_that_the_card_does_not_list(self, folder):
        edit_card(folder, tensors={})
        with pytest.raises(InputError, match='lists other tensors'):
            load_export(folder)

    def test_a_digest_that_fits_no_safetensors_file(self, folder):
        (folder / 'generator.safetensors').write_bytes(b'no tensors')
        edit_card(folder, sha256=hashlib.sha256(b'no tensors').hexdigest())
        with pytest.raises(InputError, match='cannot be read') as info:
            load_export(folder)
        assert '\n' not in str(info.value)

    @pytest.mark.parametrize(
        ('tree', 'where'),
        [
            ({'layers': [np.zeros(1)]}, 'params/layers'),
            ({'a/b': np.zeros(1)}, 'params/a/b'),
            ({'w': 'text'}, 'params/w'),
            ({'w': 1.5}, 'params/w'),
            ({'key': jax.random.key(0)}, 'params/key'),
            ({'w': np.array(['x'])}, 'params/w'),
        ],
    )
    def test_what_no_reader_could_name_is_refused(self, tmp_path, tree, where):
        with pytest.raises(InputError, match=f'cannot export {where}'):
            save_export(tmp_path / 'e', tree, {}, {})
        assert not (tmp_path / 'e').exists()

    def test_a_card_without_json_numbers_is_refused(self, tmp_path):
        with pytest.raises(ValueError, match='JSON'):
            save_export(tmp_path / 'e', PARAMS, {}, {'fid': float('nan')})
        assert not list(tmp_path.iterdir())


def test_unflatten_undoes_flatten():
    assert unflatten(flatten(tree := {'a': {'b': np.zeros(1), 'c': {'d': np.ones(2)}}})).keys() == tree.keys()
    with pytest.raises(ValueError, match='is a tensor and a folder'):
        unflatten({'a': 0, 'a/b': 1})
    with pytest.raises(ValueError, match='is a tensor and a folder'):
        unflatten({'a/b': 1, 'a': 0})
