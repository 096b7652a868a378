"""Damage of every byte of a checkpoint is seen; the newest that is whole takes a damaged one's place, and nothing is lost."""

import hashlib
import json
import shutil

import numpy as np
import pytest
from test_checkpoint import bits, copy_of, data_file, make_state, one_line

from jaxgan.checkpoints.checkpoint import Checkpoints
from jaxgan.checkpoints.filetable import TABLE, check_files, write_table
from jaxgan.checkpoints.manifest import make_record, read_record
from jaxgan.checkpoints.restore import load_record, read_meta, restore_average, restore_state
from jaxgan.errors import DamagedError, InputError


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    """A folder with checkpoints 1, 2 and 3 of one state; tests do not change it."""
    folder = tmp_path_factory.mktemp('run') / 'checkpoints'
    with Checkpoints(folder, keep=3) as checkpoints:
        for step in (1, 2, 3):
            checkpoints.save(step, make_state(seed=step), {'position': step})
    return folder


def flip(path, bit):
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def files_of(checkpoint):
    return sorted(path for path in checkpoint.rglob('*') if path.is_file())


def found(checkpoint):
    """What a restore finds wrong before it reads arrays."""
    try:
        load_record(checkpoint, 'it')
        check_files(checkpoint, 'it')
    except DamagedError as error:
        return str(error)
    return ''


def damage_everywhere(checkpoint, times, seed):
    """Flip single bits, truncate, and delete, places uniform over all bytes; yield what was hit and what was found."""
    random, files = np.random.default_rng(seed), files_of(checkpoint)
    sizes = np.array([path.stat().st_size for path in files])
    ends = np.cumsum(sizes)
    for kind in ('flipped', 'truncated'):
        for place in random.integers(0, ends[-1], times):
            index = int(np.searchsorted(ends, place, 'right'))
            path, offset = files[index], int(place - ends[index] + sizes[index])
            before = path.read_bytes()
            flip(path, 8 * offset + int(random.integers(8))) if kind == 'flipped' else path.write_bytes(
                before[:offset]
            )
            yield kind, path, found(checkpoint)
            path.write_bytes(before)
    for path in files:
        before = path.read_bytes()
        path.unlink()
        yield 'deleted', path, found(checkpoint)
        path.write_bytes(before)


def check_all_seen(checkpoint, times, seed=0):
    assert found(checkpoint) == ''
    hit = set()
    for kind, path, message in damage_everywhere(checkpoint, times, seed):
        assert path.relative_to(checkpoint).as_posix() in message or path.name in message, (
            kind,
            path,
            message,
        )
        hit.add(path)
    assert found(checkpoint) == ''
    return hit


def test_damage_of_any_byte_is_seen_and_its_file_named(saved, tmp_path):
    folder = copy_of(saved, tmp_path)
    hit = check_all_seen(folder / '3', 30)
    assert hit == set(files_of(folder / '3'))  # each was deleted once


@pytest.mark.slow
def test_a_thousand_flipped_bits_and_a_thousand_truncations_are_seen(saved, tmp_path):
    check_all_seen(copy_of(saved, tmp_path) / '3', 1000, seed=1)


@pytest.mark.slow
def test_each_byte_of_the_record_and_of_the_table_counts(tmp_path):
    """Also those of white space, of the schema and of the digests: none turns damage into a checkpoint of the future."""
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(1, make_state(width=4), {})
    for name in ('meta/record.json', TABLE):
        path = tmp_path / '1' / name
        before = path.read_bytes()
        for bit in range(0, 8 * len(before), 5):
            flip(path, bit)
            assert path.name in found(tmp_path / '1'), bit
            path.write_bytes(before)


class TestFallback:
    @pytest.mark.parametrize(
        'how', ['flipped', *(pytest.param(h, marks=pytest.mark.slow) for h in ('truncated', 'removed'))]
    )
    def test_the_newest_that_is_whole_takes_its_place(self, saved, tmp_path, how, capfd):
        folder = copy_of(saved, tmp_path)
        path = data_file(folder, 3)
        data = bytearray(path.read_bytes())
        middle = slice(len(data) // 2, len(data) // 2 + 64)
        data[middle] = bytes(byte ^ 0xFF for byte in data[middle])
        path.unlink() if how == 'removed' else path.write_bytes(
            data if how == 'flipped' else data[: len(data) // 2]
        )
        with Checkpoints(folder) as checkpoints:
            with pytest.raises(DamagedError, match=f'checkpoint {folder}/3 is damaged') as info:
                checkpoints.restore(make_state(), step=3)
            one_line(info)
            state, meta = checkpoints.restore(make_state())
            assert (bits(state), meta['position']) == (bits(make_state(seed=2)), 2)
            assert checkpoints.steps() == [1, 2]
            checkpoints.save(3, make_state(seed=3), {})  # the name is free again
        out, err = capfd.readouterr()
        assert out == ''
        assert err.startswith(
            f'warning: checkpoint {folder}/3 is damaged: its {path.relative_to(folder / "3")} '
        )
        assert err.endswith('; continuing from 2\n') and err.count('\n') == 1
        assert sorted(path.name for path in folder.iterdir()) == ['1', '2', '3', '3.damaged']

    def test_leaves_that_suffer_are_named(self, saved, tmp_path):
        """Where the arrays can be read in spite of the damage: a file that is not what was written, with other values."""
        folder = copy_of(saved, tmp_path)
        shutil.rmtree(folder / '3' / 'state')
        shutil.copytree(folder / '2' / 'state', folder / '3' / 'state')
        with pytest.raises(DamagedError, match=r'\(leaf \S+ and \d+ more\)'):
            restore_state(folder / '3', make_state())

    def test_two_damaged_ones_are_both_passed_over(self, saved, tmp_path, capfd):
        folder = copy_of(saved, tmp_path)
        (folder / '3' / 'meta' / 'record.json').unlink()
        flip(folder / '2' / 'meta' / 'record.json', 8 * 100)
        with Checkpoints(folder) as checkpoints:
            assert bits(checkpoints.restore(make_state())[0]) == bits(make_state(seed=1))
        assert capfd.readouterr().err.count('continuing from 1') == 2
        assert sorted(path.name for path in folder.iterdir()) == ['1', '2.damaged', '3.damaged']

    def test_where_all_are_damaged_nothing_is_touched(self, saved, tmp_path):
        folder = copy_of(saved, tmp_path)
        for step in (1, 2, 3):
            flip(data_file(folder, step), 80_000)
        before = {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()}
        with (
            Checkpoints(folder) as checkpoints,
            pytest.raises(DamagedError, match='so are the 2 older ones') as info,
        ):
            checkpoints.restore(make_state())
        one_line(info)
        assert {path: path.read_bytes() for path in folder.rglob('*') if path.is_file()} == before

    def test_readers_take_the_newest_whole_one_and_rename_nothing(self, saved, tmp_path, capfd):
        folder = copy_of(saved, tmp_path)
        flip(folder / '3' / 'meta' / 'record.json', 8 * 300)
        assert restore_average(folder)[2] == 2
        assert read_meta(folder)[0] == 2
        assert (
            capfd.readouterr().err.count('/3 is damaged: its record.json is not what was saved; taking 2\n')
            == 2
        )
        assert sorted(path.name for path in folder.iterdir()) == ['1', '2', '3']
        with pytest.raises(DamagedError, match=r'record\.json'):
            restore_average(folder, step=3)

    def test_a_checkpoint_of_another_form_is_no_damage(self, saved, tmp_path):
        """It is refused, and no older one is taken instead."""
        folder = copy_of(saved, tmp_path)
        with Checkpoints(folder) as checkpoints, pytest.raises(InputError, match='does not fit') as info:
            checkpoints.restore(make_state(width=9))
        assert not isinstance(info.value, DamagedError)
        assert sorted(path.name for path in folder.iterdir()) == ['1', '2', '3']


class TestRecord:
    def test_a_leaf_whose_digest_is_another_is_named(self, saved, tmp_path):
        """The last line of defence: digests and table are consistent, and the arrays are not those of the record."""
        folder = copy_of(saved, tmp_path)
        path = folder / '3' / 'meta' / 'record.json'
        record = json.loads(path.read_text())
        record['leaves']['g_ema/params/dense/w'][2] = '0' * 64
        rewrite(folder / '3', record)
        message = f'checkpoint {folder}/3 is damaged: the bytes of g_ema/params/dense/w do not match'
        with Checkpoints(folder) as checkpoints, pytest.raises(DamagedError, match=message):
            checkpoints.restore(make_state(), step=3)
        with pytest.raises(DamagedError, match=message):
            restore_average(folder, step=3)

    @pytest.mark.parametrize('text', ['', '{"meta": {}}', '[]', '[' * 100_000, '{"sha256": 1}'])
    def test_a_broken_record_is_damage(self, saved, tmp_path, text):
        folder = copy_of(saved, tmp_path)
        (folder / '3' / 'meta' / 'record.json').write_text(text)
        with pytest.raises(DamagedError, match=r'/3 is damaged: its record.json') as info:
            restore_state(folder / '3', make_state())
        one_line(info)

    @pytest.mark.slow
    def test_a_removed_folder_of_arrays_is_damage(self, saved, tmp_path, capfd):
        folder = copy_of(saved, tmp_path)
        (folder / '3' / 'state').rename(tmp_path / 'away')
        with pytest.raises(DamagedError, match='damaged or incomplete') as info:
            restore_average(folder, step=3)
        one_line(info)
        with pytest.raises(DamagedError, match='state/_METADATA is missing'):
            restore_state(folder / '3', make_state())
        assert capfd.readouterr() == ('', '')

    def test_one_of_a_later_schema_says_who_wrote_it(self, saved, tmp_path):
        folder = copy_of(saved, tmp_path)
        record = json.loads((folder / '3' / 'meta' / 'record.json').read_text())
        rewrite(folder / '3', record | {'schema': 7, 'jaxgan': '9.9', 'leaves': 'another form'})
        message = r'/3 was written by jaxgan 9\.9 in schema 7; this jaxgan \S+ reads up to 1$'
        with Checkpoints(folder) as checkpoints, pytest.raises(InputError, match=message) as info:
            checkpoints.restore(make_state())
        assert not isinstance(info.value, DamagedError)  # no older one takes its place
        assert checkpoints.steps() == [1, 2, 3]

    def test_one_without_a_schema_is_still_read(self, saved, tmp_path):
        """As jaxgan wrote them before: no table of files, and a digest of the meta data alone."""
        folder = copy_of(saved, tmp_path)
        record = json.loads((folder / '3' / 'meta' / 'record.json').read_text())
        digest = read_digest(record['meta'])
        old = {'meta': record['meta'], 'meta_sha256': digest, 'leaves': record['leaves']}
        (folder / '3' / 'meta' / 'record.json').write_text(json.dumps(old))
        (folder / '3' / TABLE).unlink()
        state, meta = restore_state(folder / '3', make_state())
        assert (bits(state), meta) == (bits(make_state(seed=3)), {'position': 3})

    def test_links_and_paths_that_lead_elsewhere_are_refused(self, saved, tmp_path):
        folder = copy_of(saved, tmp_path)
        path = folder / '3' / 'state' / '_METADATA'
        path.rename(tmp_path / 'elsewhere')
        path.symlink_to(tmp_path / 'elsewhere')
        assert found(folder / '3').endswith('its state/_METADATA is no file')
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr('jaxgan.checkpoints.filetable._read_table', lambda *_: {'../x': [0, '']})
            assert found(folder / '3').endswith('../x lies outside the checkpoint')


def read_digest(meta):
    """The digest of records, written down anew."""
    return hashlib.sha256(json.dumps(meta, sort_keys=True).encode()).hexdigest()


def rewrite(checkpoint, record):
    """Write a record whose digest is right, and the table after it."""
    content = {key: value for key, value in record.items() if key != 'sha256'}
    record = content | {'sha256': read_digest(content)}
    (checkpoint / 'meta' / 'record.json').write_text(json.dumps(record))
    (checkpoint / TABLE).unlink()
    write_table(checkpoint)


def test_a_record_comes_back():
    leaves = {'w': (['float32', [2]], np.zeros(2, np.float32))}
    record = read_record(json.dumps(make_record(leaves, {'a': [1]})), 'it')
    assert (record.schema, record.meta, record.leaves['w'][:2]) == (1, {'a': [1]}, ['float32', [2]])
