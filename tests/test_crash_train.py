"""``train.py`` killed, stopped and disturbed: it comes to what it would have come to, or says in one line why not."""

import contextlib
import errno
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import faults
import numpy as np
import pytest
from crashes import STEPS, Training, crowd, kill_moments, logged_step, outcome, reach, saved_steps

from jaxgan.checkpoints.filetable import check_files

pytestmark = pytest.mark.multiprocess


@pytest.fixture(scope='module')
def training(tmp_path_factory):
    return Training(tmp_path_factory.mktemp('training'))


@pytest.fixture(scope='module')
def undisturbed(training):
    workdir = training.folder / 'undisturbed'
    done = training.run(workdir)
    assert done.code == 0, done.err
    found = outcome(workdir)
    assert [line['step'] for line in found['metrics']] == list(range(2, STEPS + 1, 2))
    assert len(found['state']) > 20 and not found['temporary']
    return found


@pytest.fixture(scope='module')
def library(tmp_path_factory):
    return faults.library(tmp_path_factory.mktemp('library'))


def side_by_side(function, *arguments):
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(function, *arguments))


def one_line(process, code, *parts):
    """The process ended with a code and one line of error, which has some parts."""
    assert process.code == code, (process.code, process.out, process.err)
    assert process.err.count('\n') == 1 and process.err.startswith('error: '), process.err
    assert all(part in process.err for part in parts), (process.err, parts)


def intact(workdir):
    """Every checkpoint of a run is what was written; returns their steps."""
    for step in saved_steps(workdir):
        check_files(workdir / 'checkpoints' / str(step), f'checkpoint {step}')
    return saved_steps(workdir)


def test_a_run_killed_at_any_moments_comes_to_the_same(training, undisturbed, tmp_path):
    def chain(seed, number):
        workdir, finished = tmp_path / f'{seed}-0', 0
        for moment in [*kill_moments(number, seed), None]:
            process = training.start(workdir)
            killed = moment is not None and reach(process, workdir, moment)
            if killed:
                process.process.kill()
            process.finish()
            assert process.code == (-9 if killed else 0), (moment, process.out, process.err)
            assert process.err == '', (moment, process.err)
            if not killed:
                assert outcome(workdir) == undisturbed
                finished += 1
                workdir = tmp_path / f'{seed}-{finished}'
        return finished

    kills = (250, 250) if faults.NIGHTLY else (13, 12)
    finished = side_by_side(chain, (1, 2), kills)
    faults.tally('kill -9 of a training at a random moment', sum(kills))
    assert all(finished)


def stop_moments(number, seed):
    """Signals and moments: within start-up, within training, and while a checkpoint is written."""
    draw = random.Random(seed)
    signals = [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1]
    kinds = ['start', 'training', 'saving']
    return [
        (signals[i % 3], kinds[(i + i // 3) % 3], draw.randrange(0, 6), draw.uniform(0, 1.5), draw.uniform(0, 0.15))
        for i in range(number)
    ]  # fmt: skip


def stop(process, workdir, moment):
    """Send a signal at a moment; how long the process took to end, or None if it had ended before."""
    number, kind, steps, late, delay = moment
    checkpoints = workdir / 'checkpoints'
    if kind == 'start':
        there = process.says('npz:') and process.after(late)
    else:
        there = reach(process, workdir, ('training', steps, delay))
    if kind == 'saving':
        there = there and process.until(lambda: list(checkpoints.glob('*.saving*')))
    if not there:
        return None
    sent = time.monotonic()
    process.signal(number)
    process.finish(60)
    return time.monotonic() - sent


def test_a_run_stopped_by_signals_at_any_moments_loses_no_step(training, undisturbed, tmp_path):
    took = []

    def chain(seed, number):
        workdir, count = tmp_path / f'{seed}-0', 0
        for moment in stop_moments(number, seed):
            before = max(saved_steps(workdir), default=0)
            process = training.start(workdir)
            seconds = stop(process, workdir, moment)
            if seconds is None:
                process.finish()
                assert process.code == 0 and outcome(workdir) == undisturbed, process.err
                count += 1
                workdir = tmp_path / f'{seed}-{count}'
                continue
            took.append(seconds)
            assert process.code == 128 + moment[0], (moment, process.out, process.err)
            name = signal.Signals(moment[0]).name
            if f'stopped by {name}; saved' in process.out:
                assert process.err == ''
                step = intact(workdir)[-1]
                assert step > before and step >= logged_step(workdir)
                assert not list((workdir / 'checkpoints').glob('*.*'))
            else:
                assert process.err == f'stopped by {name} before the first step; nothing to save\n', moment
                assert max(saved_steps(workdir), default=0) == before
        process = training.run(workdir)
        assert process.code == 0 and process.err == ''
        assert outcome(workdir) == undisturbed

    count = 20 if faults.NIGHTLY else 3
    side_by_side(chain, (3, 4), (count, count))
    faults.tally('SIGTERM, SIGINT or SIGUSR1 at a random moment', len(took))
    assert len(took) >= 2 * count - 2 and max(took) <= 5 * crowd(), (took, crowd())


def test_a_second_signal_leaves_at_once(training, undisturbed, library, tmp_path):
    """The first one begins a save, here on a disk that takes a fifth of a second for each call."""
    workdir = tmp_path.resolve() / 'run'
    slow = faults.environment(library, workdir, calls='fsync', match='*/checkpoints/*', at=1, do='slow')
    process = training.start(workdir, '--checkpoint-every', 10**6, env=slow)
    assert process.until(lambda: logged_step(workdir) >= 4)
    process.signal(signal.SIGTERM)
    assert process.until(lambda: list((workdir / 'checkpoints').glob('*.saving*')))
    sent = time.monotonic()
    process.signal(signal.SIGINT)
    process.finish(60)
    assert process.code == 130 and time.monotonic() - sent < crowd()
    assert process.err == 'a second signal: left at once by SIGINT\n' and saved_steps(workdir) == []
    done = training.run(workdir)
    assert done.code == 0 and done.err == ''
    assert outcome(workdir) == undisturbed


def test_a_second_process_in_the_same_folder_is_refused(training, undisturbed, tmp_path):
    workdir = tmp_path / 'run'
    first = training.start(workdir)
    assert first.until(lambda: logged_step(workdir) >= 2)
    first.signal(signal.SIGSTOP)  # it stays where it is until the second one has given up
    second = training.run(workdir)
    first.signal(signal.SIGCONT)
    one_line(second, 3, 'is in use by', f'process {first.process.pid} on {socket.gethostname()}')
    assert second.out == ''  # before it read its data, let alone compiled
    first.finish()
    assert first.code == 0 and outcome(workdir) == undisturbed
    faults.tally('a second training in the folder of one that runs', 1)


def test_of_two_that_start_at_once_one_trains(training, tmp_path):
    races = 20 if faults.NIGHTLY else 3
    for race in range(races):
        workdir = tmp_path / str(race)
        both = [training.start(workdir, '--steps', 4) for _ in range(2)]
        for process in both:
            process.finish()
        won, lost = sorted(both, key=lambda process: process.code)
        if lost.code == 0:  # so far apart that the first had ended: the second found a finished run
            assert 'is finished' in (lost.out + won.out)
            continue
        assert won.code == 0 and saved_steps(workdir)[-1] == 4
        one_line(lost, 3, 'is in use by')
    faults.tally('two trainings started at once in one folder', races)


def on_one_core(process_of):
    """Start a process that may use one core only."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})  # of this thread: processes that it starts inherit it
    try:
        return process_of()
    finally:
        os.sched_setaffinity(0, cores)


@pytest.mark.skipif(len(getattr(os, 'sched_getaffinity', lambda _: ())(0)) < 2, reason='needs two cores')
def test_another_environment_is_named_and_refused_on_request(training, tmp_path):
    workdir = tmp_path / 'run'
    assert training.run(workdir, '--steps', 4).code == 0
    flags = {'XLA_FLAGS': f'{os.environ.get("XLA_FLAGS", "")} --xla_cpu_enable_fast_min_max=true'.strip()}
    cores = f'cores: {len(os.sched_getaffinity(0))} -> 1'
    cases = [(on_one_core, {}, cores), (lambda start: start(), flags, 'XLA_FLAGS: ')]
    for place, env, field in cases:
        strict = place(lambda: training.start(workdir, '--steps', 8, '--strict-env', env=env)).finish()
        one_line(strict, 3, 'is of another environment', field)
        assert saved_steps(workdir)[-1] == 4
    for steps, (place, env, field) in zip((8, 12), cases, strict=True):
        lax = place(lambda: training.start(workdir, '--steps', steps, env=env)).finish()
        assert lax.code == 0, lax.err
        (line,) = [line for line in lax.out.splitlines() if 'not bit for bit' in line]
        assert field in line or steps == 12  # the second time it goes on from one core, or from two
        assert saved_steps(workdir)[-1] == steps
    faults.tally('a changed environment', 4)


def tree_of(workdir):
    return faults.read_tree(workdir / 'checkpoints')


def test_data_or_a_configuration_that_changed_under_a_run_end_it_with_its_checkpoints_as_they_were(tmp_path):
    training, workdir = Training(tmp_path), tmp_path / 'run'
    assert training.run(workdir, '--steps', 4).code == 0
    before, data = tree_of(workdir), training.data.read_bytes()
    with np.load(training.data) as arrays:
        contents = dict(arrays)
    contents['x_train'][5, 3, 3, 0] ^= 1
    np.savez(training.data, **contents)
    one_line(training.run(workdir, '--steps', 8), 2, 'other data', 'with other contents')
    np.savez(training.data, x_train=contents['x_train'][:-1], y_train=contents['y_train'][:-1])
    one_line(training.run(workdir, '--steps', 8), 2, 'other data', 'count: 24 -> 23')
    training.data.write_bytes(data)
    for options, name in (
        (('--model.width', 8), 'width'),
        (('--batch-size', 16), 'batch_size'),
        (('--seed', 1), 'seed'),
    ):
        one_line(training.run(workdir, '--steps', 8, *options), 2, 'another configuration', name)
    assert tree_of(workdir) == before
    assert training.run(workdir, '--steps', 8).code == 0
    faults.tally('data or a configuration that changed under a run', 5)


@pytest.fixture
def disk(tmp_path):
    """A function that makes a file system of so many MiB."""
    mounted = []

    def make(size):
        folder = tmp_path / f'disk{len(mounted)}'
        folder.mkdir()
        made = subprocess.run(
            ['mount', '-t', 'tmpfs', '-o', f'size={size}m', 'none', folder], capture_output=True
        )
        if made.returncode:
            pytest.skip('a small file system takes root, who may mount')
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(['umount', '-l', folder], check=True)


def fill(folder):
    """Take all the room that is left."""
    with (folder / 'ballast').open('wb', buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert shutil.disk_usage(folder).free < 4096


def test_a_disk_without_room_for_two_checkpoints_is_refused(training, disk):
    folder = disk(3)
    one_line(training.run(folder / 'run'), 3, 'has no room for two checkpoints')
    assert not (folder / 'run' / 'checkpoints').exists()


def test_a_disk_that_fills_up_costs_saves_and_then_the_run_but_no_checkpoint(training, undisturbed, disk):
    workdir = disk(16) / 'run'
    process = training.start(workdir)
    assert process.until(lambda: len(saved_steps(workdir)) >= 2)
    process.signal(signal.SIGSTOP)
    fill(workdir.parent)
    process.signal(signal.SIGCONT)
    process.finish()
    one_line(process, 3)
    assert intact(workdir)
    (workdir.parent / 'ballast').unlink()
    again = training.run(workdir)
    assert again.code == 0 and again.err == ''
    assert outcome(workdir) == undisturbed
    faults.tally('a disk that fills up for good', 1)


def test_a_disk_that_is_full_for_a_while_costs_saves_only(training, undisturbed, disk):
    """Saves are due at steps 8, 16, 24 and 32; after the first one there is no room until one has failed."""
    workdir = disk(16) / 'run'
    process = training.start(workdir, '--checkpoint-every', 64)
    assert process.until(lambda: saved_steps(workdir))
    process.signal(signal.SIGSTOP)
    room = shutil.disk_usage(workdir).free
    with (workdir.parent / 'ballast').open('wb') as file:
        file.write(bytes(room - 2**20))  # for lines and samples, and no checkpoint
    process.signal(signal.SIGCONT)
    assert process.says('it is tried again when a save is next due')
    (workdir.parent / 'ballast').unlink()
    process.finish()
    assert process.code == 0 and process.err == '', process.err
    assert intact(workdir)[0] == 8 and intact(workdir)[-1] == STEPS and len(intact(workdir)) < 4
    for part in ('state', 'metrics', 'samples', 'temporary'):
        assert outcome(workdir)[part] == undisturbed[part]
    faults.tally('a disk that is full for a while', 1)


BROKEN = {  # name -> a fault, the exit code, and what is said
    'a folder that may not be written': ({'at': 1, 'do': errno.EROFS}, 3, 'Read-only file system'),
    'a folder without permission': ({'at': 1, 'do': errno.EACCES}, 3, 'Permission denied'),
    'a configuration that cannot be written': ({'match': '*/run/.*.tmp', 'at': 1, 'do': errno.ENOSPC}, 3, 'No space left'),
    'checkpoints that cannot be written': ({'match': '*/checkpoints/*', 'at': 200, 'do': errno.EIO}, 3, 'Input/output'),
    'checkpoints that cannot be named': (
        {'calls': 'rename', 'match': '*/*.saving', 'at': 2, 'do': errno.EIO}, 3, 'Input/output'),
    'a line of metrics that cannot be written': (
        {'calls': 'write', 'match': '*/metrics.jsonl', 'at': 3, 'do': errno.ENOSPC, 'once': 1}, 0, 'No space left'),
    'samples that cannot be written': ({'calls': 'write', 'match': '*/samples/*', 'at': 2, 'do': errno.ENOSPC}, 0, 'No space left'),
    'a checkpoint that cannot be named': (
        {'calls': 'rename', 'match': '*/*.saving', 'at': 2, 'do': errno.EIO, 'once': 1}, 0, 'Input/output'),
}  # fmt: skip


KILLED = {
    'within the lock': {'calls': 'write', 'match': '*/.lock', 'at': 1, 'do': 'torn'},
    'within the configuration': {'calls': 'write', 'match': '*/run/.*.tmp', 'at': 1, 'do': 'torn'},
    'before the configuration is there': {
        'calls': 'rename',
        'match': '*/run/.*.tmp',
        'at': 1,
        'do': 'before',
    },
    'within a line of metrics': {'calls': 'write', 'match': '*/metrics.jsonl', 'at': 3, 'do': 'torn'},
    'after a line of metrics': {'calls': 'write', 'match': '*/metrics.jsonl', 'at': 4, 'do': 'after'},
    'within a grid of samples': {'calls': 'write', 'match': '*/samples/*', 'at': 2, 'do': 'torn'},
    'after a checkpoint has its name': {'calls': 'rename', 'match': '*/4.saving', 'at': 1, 'do': 'after'},
    'within the deletion of a checkpoint': {
        'calls': 'unlink',
        'match': '*/2.deleted/*',
        'at': 4,
        'do': 'after',
    },
}


def test_a_run_killed_at_a_call_to_the_file_system_comes_to_the_same(
    training, undisturbed, library, tmp_path
):
    def killed(name):
        workdir = tmp_path.resolve() / name / 'run'
        workdir.parent.mkdir()
        process = training.run(workdir, env=faults.environment(library, workdir, **KILLED[name]))
        assert process.code == -9, (name, process.out, process.err)
        process = training.run(workdir)
        assert process.code == 0 and process.err == '', (name, process.err)
        assert outcome(workdir) == undisturbed, name

    side_by_side(killed, KILLED)
    faults.tally('kill -9 of a training at a call to the file system', len(KILLED))


def test_a_folder_that_cannot_be_written_is_one_line_and_its_checkpoints_are_whole(
    training, undisturbed, library, tmp_path
):
    def broken(name):
        fault, code, words = BROKEN[name]
        workdir = tmp_path.resolve() / name / 'run'
        workdir.parent.mkdir()
        process = training.run(workdir, env=faults.environment(library, workdir, **fault))
        intact(workdir)
        if code:
            one_line(process, code, words)
            process = training.run(workdir)
        else:
            said = [line for line in process.out.splitlines() if words in line]
            assert said and all(line.startswith('warning: ') for line in said), (name, process.out)
        assert process.code == 0 and process.err == '', (name, process.err)
        for part in ('state', 'metrics', 'checkpoints', 'temporary'):
            assert outcome(workdir)[part] == undisturbed[part], (name, part)

    side_by_side(broken, BROKEN)
    faults.tally('a folder or a file that cannot be written', len(BROKEN))


def test_a_clock_that_is_set_back_changes_nothing(training, undisturbed, library, tmp_path):
    workdir = tmp_path.resolve() / 'run'
    fault = {'calls': 'rename', 'match': '*/*.saving', 'at': 3, 'do': 'back'}
    process = training.run(workdir, env=faults.environment(library, workdir, **fault))
    assert process.code == 0 and process.err == ''
    assert outcome(workdir) == undisturbed


def test_a_folder_that_is_deleted_under_a_run_ends_it(training, tmp_path):
    workdir = tmp_path / 'run'
    process = training.start(workdir, '--steps', 10**6)
    assert process.until(lambda: logged_step(workdir) >= 4)
    workdir.rename(tmp_path / 'away')
    process.finish(60)
    one_line(process, 3, 'is gone')
    assert not workdir.exists()
    intact(tmp_path / 'away')


@pytest.mark.parametrize(
    'name', ['with spaces and \u00fcml\u00e4ute \u2603', 'x' * 255], ids=['unicode', 'long']
)
def test_a_folder_of_any_name(training, tmp_path, name):
    process = training.run(tmp_path / name, '--steps', 4)
    assert process.code == 0 and process.err == ''
    assert saved_steps(tmp_path / name) == [2, 4]


def test_a_name_that_no_file_system_takes_is_one_line(training, tmp_path):
    one_line(training.run(tmp_path / ('x' * 256), '--steps', 4), 2, 'more than 255 bytes')
