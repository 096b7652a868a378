"""Signals and silence: a training saves and leaves, or leaves at once, and never waits for ever."""

import concurrent.futures
import os
import signal
import time
from pathlib import Path

import pytest
from crashes import crowd
from test_processes import finish, start, tiny_run

from jaxgan.run import watchdog
from jaxgan.run.signals import Stop, catch_signals
from jaxgan.run.watchdog import Watchdog

HERE = Path(__file__).parent


class TestStop:
    def test_the_first_signal_is_for_the_loop(self):
        with catch_signals() as stop, catch_signals() as same:
            assert same is stop
            stop.begin()
            os.kill(os.getpid(), signal.SIGUSR1)
            assert stop.signal == signal.SIGUSR1
        assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL

    def test_a_signal_before_the_first_step_or_a_second_one_leaves_at_once(self, monkeypatch):
        left = []
        monkeypatch.setattr(
            'jaxgan.run.signals._leave', lambda number, text: left.append((number, text.split(':')[0]))
        )
        stop = Stop()
        stop.arrived(signal.SIGTERM)
        assert left.pop() == (15, 'stopped by SIGTERM before the first step; nothing to save')
        stop(signal.SIGINT, None)  # noted before anybody listened
        stop.begin()
        assert left.pop()[0] == signal.SIGINT
        stop.arrived(signal.SIGTERM)
        assert left.pop() == (15, 'a second signal')

    def test_other_threads_get_none(self):
        def stop_there():
            with catch_signals() as stop:
                return stop.signal

        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            assert pool.submit(stop_there).result() == 0


class TestWatchdog:
    def test_signs_of_life_and_pauses_keep_it_quiet(self, monkeypatch):
        now, ended = [0.0], []
        monkeypatch.setattr(watchdog.time, 'monotonic', lambda: now[0])
        dog = Watchdog(4.0)
        dog._end = lambda: (ended.append(now[0]), dog._done.set())

        def after(seconds):
            now[0] += seconds
            dog._done.wait = lambda _, rounds=iter((False, True)): next(rounds)
            dog._look()
            return list(ended)

        assert after(3.9) == []
        dog.beat()
        assert after(3.9) == []
        with dog.paused():
            assert after(100.0) == []
        assert after(3.9) == []  # the pause itself is a sign of life
        assert after(0.2) == [now[0]]


STALLED = """
import sys, time
from pathlib import Path
from runs import make_data, tiny
from jaxgan.data import open_source
from jaxgan.run.training import train
from jaxgan.run.trainer import make_trainer

config = tiny(make_data(Path(sys.argv[1])))
trainer = make_trainer(config, open_source(config.data))
def dispatch(state, step, count):
    if step >= 4:
        wait_for_data_that_never_come()
    return trainer.dispatch(state, step, count)
def wait_for_data_that_never_come():
    time.sleep(1000)
train(trainer._replace(dispatch=dispatch), Path(sys.argv[1]) / 'run', watchdog=2.0)
"""


@pytest.mark.multiprocess
def test_a_stalled_source_ends_with_all_stacks_and_the_last_checkpoint(tmp_path):
    """The checkpoint of step 4 is the last one; the wait for step 5 is found in the stacks."""
    process = start(
        ['-c', f'import sys; sys.path.insert(0, {str(HERE)!r})\n{STALLED}', tmp_path], cwd=tmp_path
    )
    code, _, err = finish(process, 120)
    assert code == 3, err
    assert 'wait_for_data_that_never_come' in err
    assert (
        err.splitlines()[-1] == 'error: nothing has moved for 2 s (--watchdog); the last checkpoint is intact'
    )
    assert (tmp_path / 'run' / 'checkpoints' / '4' / 'files.json').exists()


def wait_until(true, process, seconds=120):
    deadline = time.monotonic() + seconds
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.multiprocess
def test_a_signal_in_the_start_leaves_at_once_and_leaves_nothing_wrong(tmp_path):
    """While data are read and programs compile there is nothing to save; what is there does not disturb the next start."""
    command = tiny_run(tmp_path, '--images', '32')
    process = start(command, cwd=tmp_path)
    wait_until((tmp_path / 'run' / '.lock').exists, process)
    began = time.monotonic()
    process.send_signal(signal.SIGUSR1)
    code, _, err = finish(process, 60)
    assert (code, time.monotonic() - began < 5 * crowd()) == (128 + signal.SIGUSR1, True)
    assert err == 'stopped by SIGUSR1 before the first step; nothing to save\n'
    code, out, err = finish(start(command, cwd=tmp_path))
    assert (code, err) == (0, ''), err
    assert 'wall time 0:' in out


@pytest.mark.multiprocess
def test_a_second_signal_does_not_wait_for_the_save(tmp_path):
    process = start(tiny_run(tmp_path, '--images', '1000000'), cwd=tmp_path)
    metrics = tmp_path / 'run' / 'metrics.jsonl'
    wait_until(lambda: metrics.exists() and metrics.stat().st_size, process)
    process.send_signal(signal.SIGUSR1)
    process.send_signal(signal.SIGTERM)
    code, _, err = finish(process, 60)
    assert code in (128 + signal.SIGTERM, 128 + signal.SIGUSR1), (
        err
    )  # the system may deliver them in either order
    assert 'a second signal: left at once by SIG' in err


@pytest.mark.multiprocess
def test_a_second_training_in_a_folder_is_refused_and_the_first_goes_on(tmp_path):
    process = start(tiny_run(tmp_path, '--images', '1000000'), cwd=tmp_path)
    wait_until((tmp_path / 'run' / 'config.json').exists, process)
    code, _, err = finish(start(tiny_run(tmp_path), cwd=tmp_path), 60)
    assert code == 3
    assert (
        err.startswith(f'error: run {tmp_path}/run is in use by process {process.pid} on ')
        and err.count('\n') == 1
    )
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    finish(process)
    code, _, err = finish(start(tiny_run(tmp_path, '--images', '8', '--dry-run'), cwd=tmp_path))
    assert code == 0, err


@pytest.mark.multiprocess
def test_the_damage_of_a_run_is_an_exit_code(tmp_path):
    code, _, err = finish(start(tiny_run(tmp_path, '--images', '16'), cwd=tmp_path))
    assert code == 0, err

    def verified():
        return finish(start(['-m', 'jaxgan', 'verify-checkpoint', tmp_path / 'run'], cwd=tmp_path))

    code, out, err = verified()
    assert (code, err) == (0, '')
    assert out.startswith(f'{tmp_path}/run/checkpoints/2: 16 images seen, ') and out.endswith(
        ' bytes; verified\n'
    )
    record = tmp_path / 'run' / 'checkpoints' / '2' / 'meta' / 'record.json'
    record.write_bytes(record.read_bytes()[:-1])
    code, out, err = verified()
    assert (code, out) == (4, f'{tmp_path}/run/checkpoints/2: damaged: its record.json cannot be read\n')
    assert err == f'error: 1 of 1 verified are damaged: {tmp_path}/run/checkpoints/2\n'
    code, _, err = finish(start(tiny_run(tmp_path, '--images', '32'), cwd=tmp_path))
    assert code == 2
    assert (
        err == f'error: checkpoint {tmp_path}/run/checkpoints/2 is damaged: its record.json cannot be read\n'
    )
