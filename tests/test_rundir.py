"""A run's folder: whose it is, one training at a time, room on the disk, and what happens where a file cannot be written."""

import dataclasses
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from runs import make_data, run, tiny
from test_checkpoint import make_state

from jaxgan.checkpoints.checkpoint import Checkpoints
from jaxgan.checkpoints.verify import verify_command
from jaxgan.configjson import to_dict
from jaxgan.errors import InputError, MachineError
from jaxgan.files import Appender, append_lines, replacing
from jaxgan.run import credit, lock, loop, rundir, runlog
from jaxgan.run.lock import LOCK, check_free, hold
from jaxgan.run.rundir import check_room, check_start, checkpoint_bytes, open_run, write_config
from jaxgan.run.saving import Saver


def one_line(info):
    assert '\n' not in str(info.value)
    return str(info.value)


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """A finished run of 8 steps; tests work on copies."""
    folder = tmp_path_factory.mktemp('whole')
    config = tiny(make_data(folder), checkpoint_every=16)
    assert run(config, folder / 'run') == 0
    return config, folder / 'run'


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    """What such a run leaves, as far as its configuration goes."""
    folder = tmp_path_factory.mktemp('small')
    config = tiny(folder / 'data.npz')
    with Checkpoints(folder / 'run' / 'checkpoints') as checkpoints:
        checkpoints.save(1, make_state(width=4), {'config': to_dict(config)})
    write_config(folder / 'run', config, print)
    return config, folder / 'run'


def copy_of(workdir, tmp_path):
    subprocess.run(['cp', '-r', workdir, tmp_path / 'run'], check=True)
    return tmp_path / 'run'


class TestLock:
    HOLDER = 'import sys; from pathlib import Path; from jaxgan.run.lock import hold\nwith hold(Path(sys.argv[1]), print): print("held", flush=True); sys.stdin.read()'

    def held(self, workdir):
        child = subprocess.Popen(
            [sys.executable, '-c', self.HOLDER, workdir],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=os.environ | {'PYTHONPATH': str(Path(__file__).parent.parent)},
        )
        assert child.stdout.readline() == b'held\n'
        return child

    @pytest.mark.multiprocess
    def test_a_second_process_is_told_whose_the_run_is_and_a_dead_ones_lock_is_free(self, tmp_path):
        with self.held(tmp_path / 'run') as child:
            for refuse in (lambda: check_free(tmp_path / 'run'), hold(tmp_path / 'run', print).__enter__):
                with pytest.raises(
                    MachineError, match=rf'run is in use by process {child.pid} on \S+ since \d'
                ) as info:
                    refuse()
                one_line(info)
            child.kill()
        assert (tmp_path / 'run' / LOCK).exists()  # nobody cleaned up, and nobody needs to
        with hold(tmp_path / 'run', print):
            assert json.loads((tmp_path / 'run' / LOCK).read_text())['pid'] == os.getpid()

    def test_within_a_process_once_is_enough(self, tmp_path):
        with hold(tmp_path, print), hold(tmp_path, print):
            pass

    def test_folders_made_for_the_lock_go_unless_they_are_used(self, tmp_path):
        with hold(tmp_path / 'runs' / 'a', print):
            assert (tmp_path / 'runs' / 'a' / LOCK).exists()
        assert not (tmp_path / 'runs').exists()
        with hold(tmp_path / 'runs' / 'a', print):
            (tmp_path / 'runs' / 'a' / 'config.json').touch()
        assert (tmp_path / 'runs' / 'a' / LOCK).exists()

    def test_a_file_system_without_locks_is_said_and_used(self, tmp_path, monkeypatch, capsys):
        def flock(*_):
            raise OSError(errno.ENOLCK, 'No locks available')

        monkeypatch.setattr(lock.fcntl, 'flock', flock)
        with hold(tmp_path, print):
            pass
        assert 'cannot be locked (No locks available): see to it' in capsys.readouterr().out

    def test_a_lock_whose_file_was_removed_meanwhile_is_taken_again(self, tmp_path, monkeypatch):
        original, removed = lock._take, []

        def take(file, workdir, say):
            original(file, workdir, say)
            if not removed:
                removed.append((workdir / LOCK).unlink())

        monkeypatch.setattr(lock, '_take', take)
        with hold(tmp_path, print):
            assert json.loads((tmp_path / LOCK).read_text())['pid'] == os.getpid()


class TestConfig:
    def test_a_damaged_configuration_is_made_anew_as_the_checkpoints_have_it(self, small, tmp_path, capsys):
        config, _ = small
        workdir = copy_of(small[1], tmp_path)
        text = (workdir / 'config.json').read_text()
        for damage in (lambda path: path.write_text(text[:100]), Path.unlink):
            damage(workdir / 'config.json')
            open_run(workdir, config)
            with pytest.raises(InputError, match='batch_size: 8 -> 4'):
                open_run(workdir, dataclasses.replace(config, batch_size=4))
            write_config(workdir, config, print)
            assert (workdir / 'config.json').read_text() == text
            assert 'missing or damaged' in capsys.readouterr().out

    def test_without_a_checkpoint_nobody_knows(self, small, tmp_path):
        (tmp_path / 'config.json').write_text('{"batch_size": ')
        with pytest.raises(InputError, match=r'config.json cannot be read, and no checkpoint says') as info:
            open_run(tmp_path, small[0])
        one_line(info)

    def test_it_is_written_only_where_it_changes(self, small, tmp_path):
        config, _ = small
        write_config(tmp_path, config, print)
        before = (tmp_path / 'config.json').stat()
        write_config(tmp_path, config, print)
        assert (tmp_path / 'config.json').stat() == before
        write_config(tmp_path, dataclasses.replace(config, images=999), print)
        assert json.loads((tmp_path / 'config.json').read_text())['images'] == 999

    def test_what_a_kill_at_the_start_left_may_be_there(self, small, tmp_path):
        (tmp_path / LOCK).touch()
        (tmp_path / '.0123abcd.tmp').touch()
        open_run(tmp_path, small[0])

    def test_a_path_that_orbax_takes_for_a_pattern_is_refused(self, small, tmp_path):
        for refuse in (lambda path: open_run(path, small[0]), Checkpoints):
            with pytest.raises(InputError, match='is a pattern to Orbax'):
                refuse(tmp_path / 'a [red]')


class TestRoom:
    def test_a_start_needs_room_for_two_checkpoints_or_for_one_more(self, tmp_path, monkeypatch):
        state = {'w': np.zeros((1000, 1000), np.float32)}
        need = checkpoint_bytes(state)
        assert 4_000_000 < need < 4_100_000

        def usage(free):
            return lambda _: type('Usage', (), {'free': free})

        monkeypatch.setattr(rundir.shutil, 'disk_usage', usage(2 * need - 1))
        with pytest.raises(
            MachineError, match=r'has no room for two checkpoints: 7\.8 MiB are needed, 7\.8 MiB are'
        ) as info:
            check_start(tmp_path, state)
        one_line(info)
        (tmp_path / 'checkpoints' / '4').mkdir(parents=True)
        check_start(tmp_path, state)
        monkeypatch.setattr(rundir.shutil, 'disk_usage', usage(need - 1))
        with pytest.raises(MachineError, match='no room for a checkpoint'):
            check_start(tmp_path, state)

    def test_a_folder_that_is_gone_is_one_line(self, tmp_path):
        with pytest.raises(MachineError, match='No such file'):
            check_room(tmp_path / 'gone', 1, 'it')


class Flaky(Checkpoints):
    """Checkpoints of which some saves fail: at once, or when they are waited for."""

    def __init__(self, folder, failing):
        self.folder, self._failing, self.saved, self._late = folder, failing, [], False

    def latest(self):
        return max(self.saved, default=None)

    def save(self, step, state, meta):
        how = self._failing.get(step)
        if how == 'now':
            raise MachineError(f'{step} was not saved')
        self._late = how == 'late'
        if not self._late:
            self.saved.append(step)

    def wait(self):
        late, self._late = self._late, False
        if late:
            raise MachineError('it was not saved')


class TestSaver:
    def saver(self, folder, failing):
        said, flaky = [], Flaky(folder, failing)
        return Saver(lambda: flaky, 1, said.append), flaky, said

    @pytest.mark.parametrize('how', ['now', 'late'])
    def test_two_failures_are_said_and_the_third_in_a_row_ends_it(self, tmp_path, how):
        saver, flaky, said = self.saver(tmp_path, dict.fromkeys((2, 3, 5, 6, 7), how))
        for step in range(1, 7):
            saver.save(step, None, dict)
        assert flaky.saved == [1, 4]
        if how == 'late':  # which is noticed a save later
            saver.save(7, None, dict)
        with pytest.raises(MachineError, match='3 saves in a row have failed, the last one because'):
            saver.save(8 if how == 'late' else 7, None, dict)
        assert len(said) == 4 and all(text.startswith('warning: ') for text in said)

    def test_the_last_save_must_succeed(self, tmp_path):
        saver, flaky, _ = self.saver(tmp_path, {2: 'late'})
        saver.save(1, None, dict)
        with pytest.raises(MachineError):
            saver.finish(2, None, dict)
        assert flaky.saved == [1]

    def test_a_save_that_failed_is_made_up_for_at_the_end(self, tmp_path):
        saver, flaky, said = self.saver(tmp_path, {2: 'late'})
        saver.save(2, None, dict)
        flaky._failing.clear()
        saver.finish(2, None, dict)
        assert flaky.saved == [2] and len(said) == 1

    def test_no_room_is_a_failed_save(self, tmp_path, monkeypatch):
        saver, flaky, said = self.saver(tmp_path, {})
        monkeypatch.setattr(rundir.shutil, 'disk_usage', lambda _: type('Usage', (), {'free': 0}))
        saver.save(1, None, dict)
        assert flaky.saved == [] and 'no room for a checkpoint' in said[0]


class TestFiles:
    def test_a_piece_that_does_not_fit_leaves_nothing(self, tmp_path, monkeypatch):
        with_room, path = os.write, tmp_path / 'lines'
        file = Appender(path)
        file.add(b'first\n')

        def write(number, data):
            if len(data) < 5:
                raise OSError(errno.ENOSPC, 'No space left on device')
            return with_room(number, data[:4])

        monkeypatch.setattr(os, 'write', write)
        with pytest.raises(OSError, match='No space left'):
            file.add(b'second\n')
        monkeypatch.undo()
        assert path.read_bytes() == b'first\n'
        file.add(b'third\n')
        file.close()
        assert path.read_bytes() == b'first\nthird\n'

    def test_lines_begin_anew_after_half_a_line(self, tmp_path):
        (tmp_path / 'x').write_text('{"a": 1}\n{"b"')
        append_lines(tmp_path / 'x', [{'c': 1}])
        assert (tmp_path / 'x').read_text() == '{"a": 1}\n{"b"\n{"c": 1}\n'

    def test_a_name_as_long_as_may_be(self, tmp_path):
        path = tmp_path / ('n' * 255)
        with replacing(path) as temporary:
            temporary.write_text('x')
        assert [found.name for found in tmp_path.iterdir()] == [path.name]


@pytest.mark.slow
def test_a_full_disk_costs_lines_and_pictures_but_not_the_training(whole, tmp_path, monkeypatch, capsys):
    """Lines wait for room and stand once each; a grid and events are gone; one warning for each kind."""
    config, workdir = whole
    full, grids, original = [True], [], Appender.add

    def add(self, data):
        if full and data:
            raise OSError(errno.ENOSPC, 'No space left on device')
        original(self, data)

    def write_marked(path, marked, credit):
        grids.append(path)
        if len(grids) == 2:  # there is room again
            full.clear()
        raise InputError(f'cannot write {path}: No space left on device')

    with monkeypatch.context() as patch:
        patch.setattr(Appender, 'add', add)
        patch.setattr(credit, 'write_marked', write_marked)
        patch.setattr(runlog, 'MOST_WAITING', 0)
        assert run(config, tmp_path / 'run') == 0
    out = capsys.readouterr().out
    assert out.count('tensorboard cannot be written: No space left on device; the training goes on') == 1
    assert 'samples/000000064.png cannot be written' in out
    steps = [
        json.loads(line)['step'] for line in (tmp_path / 'run' / 'metrics.jsonl').read_text().splitlines()
    ]
    assert steps == [
        json.loads(line)['step'] for line in (workdir / 'metrics.jsonl').read_text().splitlines()
    ]


@pytest.mark.slow
def test_a_run_that_is_deleted_meanwhile_ends_and_is_not_made_anew(whole, tmp_path, monkeypatch):
    config, _ = whole
    workdir = copy_of(whole[1], tmp_path)
    original = loop.Run.report

    def report(self, step):
        subprocess.run(['rm', '-r', workdir], check=True)
        original(self, step)

    monkeypatch.setattr(loop.Run, 'report', report)
    with pytest.raises(MachineError, match='is gone') as info:
        run(dataclasses.replace(config, images=128), workdir)
    one_line(info)
    assert not workdir.exists()


@pytest.mark.slow
def test_checkpoints_of_a_stretch_stay_in_a_run(whole, tmp_path):
    config, _ = whole
    config = dataclasses.replace(config, keep=1, keep_every=32)
    assert run(config, tmp_path / 'run') == 0
    assert sorted(path.name for path in (tmp_path / 'run' / 'checkpoints').iterdir()) == ['4', '8']
    session = json.loads((tmp_path / 'run' / 'sessions.jsonl').read_text())
    assert (session['from_step'], session['step'], session['images_seen']) == (0, 8, 64)
    kinds = ('start', 'compile', 'steps', 'saving', 'evaluation', 'samples')
    assert sum(session[kind] for kind in kinds) == pytest.approx(session['wall'], abs=0.01)


@pytest.mark.slow
def test_a_damaged_newest_checkpoint_costs_its_steps_and_lines_only(whole, tmp_path, capsys):
    config, workdir = whole[0], copy_of(whole[1], tmp_path)
    newest = max((workdir / 'checkpoints' / '8').rglob('*'), key=lambda path: path.stat().st_size)
    newest.write_bytes(newest.read_bytes()[:-1])
    assert run(config, workdir) == 0
    captured = capsys.readouterr()
    assert 'checkpoints/8 is damaged' in captured.err and 'continuing from 6' in captured.err
    steps = [json.loads(line)['step'] for line in (workdir / 'metrics.jsonl').read_text().splitlines()]
    assert steps == [2, 4, 6, 8]
    assert verify_command(str(workdir), None) == 0
    assert capsys.readouterr().out.count('verified') == 3
    records = [
        json.loads((folder / 'checkpoints' / '8' / 'meta' / 'record.json').read_text())['leaves']
        for folder in (workdir, whole[1])
    ]
    assert records[0] == records[1]  # the same bits
