"""Saving a checkpoint, disturbed at any of its calls to the file system: the old one is there, or the new one."""

import errno
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import faults
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.checkpoints.checkpoint import Checkpoints
from jaxgan.checkpoints.manifest import leaves_on_host, make_record
from jaxgan.errors import MachineError
from jaxgan.state import Average, GanState, Player

pytestmark = pytest.mark.multiprocess
ROOT = Path(__file__).parent.parent


def make_state(seed):
    random = np.random.default_rng(seed)
    params = {'w': random.normal(size=(4, 500)).astype(np.float32), 'b': np.zeros(3, np.float32)}
    player = Player(params=params, aux={}, opt=(np.int32(seed),))
    key, average = jax.random.key(seed), Average(params, {})
    return jax.device_put(GanState(np.int32(seed), np.int32(8 * seed), key, player, player, average, {}))


def digests(state):
    return make_record(leaves_on_host(state), {})['leaves']


def newest(folder, keep=1):
    """Open a folder as a run does; the step that it finds is whole, and nothing else is left."""
    said = []
    with Checkpoints(folder, keep=keep, say=said.append) as checkpoints:
        state, meta = checkpoints.restore(make_state(0))
    step = meta['step']
    assert digests(state) == digests(make_state(step))
    assert said == []  # no checkpoint that is there is damaged
    assert all(path.name.isdecimal() for path in folder.iterdir()), list(folder.iterdir())
    return step


SAVES = """
import os, sys, test_crash_checkpoint as t
from jaxgan.checkpoints.checkpoint import Checkpoints
log = os.environ.get('FAULTS_LOG')
with Checkpoints(sys.argv[1], keep=1) as checkpoints:
    for step in (1, 2):
        checkpoints.save(step, t.make_state(step), {'step': step})
        checkpoints.wait()
        print(os.path.getsize(log) if log else step, flush=True)
"""


@pytest.fixture(scope='module')
def library(tmp_path_factory):
    return faults.library(tmp_path_factory.mktemp('library'))


def run(script, folder, env, *arguments):
    paths = {'PYTHONPATH': f'{ROOT}:{ROOT / "tests"}'}
    command = [sys.executable, '-c', script, str(folder), *map(str, arguments)]
    return subprocess.run(
        command, env=os.environ | paths | env, capture_output=True, text=True, timeout=1200, check=False
    )


def record(library, folder, script, *arguments):
    """Run a script that saves into a folder; return its operations, and how many there were when it printed each line."""
    folder = folder.resolve()
    saves, log = folder / 'checkpoints', folder / 'log'
    child = run(script, saves, faults.environment(library, saves, log=log), *arguments)
    assert child.returncode == 0, child.stderr
    done = faults.operations(faults.read_calls(log), saves)
    assert faults.replay(done) == faults.read_tree(saves)  # nothing went by unseen
    marks = []
    for size in child.stdout.split():
        (folder / 'part').write_bytes(log.read_bytes()[: int(size)])
        marks.append(len(faults.operations(faults.read_calls(folder / 'part'), saves)))
    return done, marks


@pytest.fixture(scope='module')
def recorded(library, tmp_path_factory):
    """A save, and a save that makes the first one superfluous."""
    return record(library, tmp_path_factory.mktemp('recorded'), SAVES)


def test_a_crash_at_any_moment_leaves_the_old_checkpoint_or_the_new_one(recorded, tmp_path):
    done, (first, _) = recorded
    wrong, found = [], set()
    states = list(faults.crash_states(done, first, singly=faults.NIGHTLY))
    for number, (when, tree) in enumerate(states):
        try:
            found.add(newest(faults.write_tree(tree, tmp_path / str(number))))
        except Exception as error:
            wrong.append((when, repr(error)))
    faults.tally('crash that loses what was not synced', len(states), len(wrong))
    assert not wrong, (len(wrong), len(states), wrong[:5])
    assert found == {1, 2}


POINTS = {
    'before the first name': {'calls': 'mkdir', 'match': '*/2.*', 'at': 1, 'do': 'before'},
    'after the first name': {'calls': 'mkdir', 'match': '*/2.*', 'at': 1, 'do': 'after'},
    'within the arrays': {'calls': 'write', 'match': '*/2.*/d/*', 'at': 3, 'do': 'torn'},
    'after the arrays': {'calls': 'write', 'match': '*/2.*/d/*', 'at': 5, 'do': 'after'},
    'before the record': {'calls': 'create', 'match': '*/2.*/record.json', 'at': 1, 'do': 'before'},
    'within the record': {'calls': 'write', 'match': '*/2.*/record.json', 'at': 1, 'do': 'torn'},
    'after the record': {'calls': 'write', 'match': '*/2.*/record.json', 'at': 1, 'do': 'after'},
    'before a sync of data': {'calls': 'fsync', 'match': '*/2.*/d/*', 'at': 1, 'do': 'before'},
    'after a sync of data': {'calls': 'fsync', 'match': '*/2.*/d/*', 'at': 1, 'do': 'after'},
    'before a sync of the whole': {'calls': 'fsync', 'match': '*/2.saving/*', 'at': 1, 'do': 'before'},
    'before the rename': {'calls': 'rename', 'match': '*/2.saving', 'at': 1, 'do': 'before'},
    'after the rename': {'calls': 'rename', 'match': '*/2.saving', 'at': 1, 'do': 'after'},
    'before the sync of the name': {'calls': 'fsync', 'match': '*/checkpoints', 'at': 2, 'do': 'before'},
    'before the deletion': {'calls': 'rename', 'match': '*/1', 'at': 1, 'do': 'before'},
    'at the first deletion': {'calls': 'unlink', 'match': '*/1.deleted/*', 'at': 1, 'do': 'after'},
    'amid the deletion': {'calls': 'unlink rmdir', 'match': '*/1.deleted/*', 'at': 9, 'do': 'before'},
    'before the last deletion': {'calls': 'rmdir', 'match': '*/1.deleted', 'at': 1, 'do': 'before'},
    'after the last deletion': {'calls': 'rmdir', 'match': '*/1.deleted', 'at': 1, 'do': 'after'},
}  # fmt: skip


def test_a_kill_at_each_point_of_a_save_and_of_the_clean_up(recorded, library, tmp_path):
    points = dict(POINTS)
    if faults.NIGHTLY:
        done, (first, _) = recorded
        each = [(at, do) for at in range(1, len(done) - first + 30) for do in ('before', 'torn')]
        points |= {f'{do} {at}': {'match': '*/[12]*', 'at': first + at, 'do': do} for at, do in each}

    def kill(name):
        folder = tmp_path.resolve() / name / 'checkpoints'
        return folder, run(SAVES, folder, faults.environment(library, folder, **points[name]))

    steps = {}
    with ThreadPoolExecutor(2) as pool:
        killed = list(pool.map(kill, points))
    for name, (folder, child) in zip(points, killed, strict=True):
        if name not in POINTS and child.returncode == 0:
            continue  # beyond the last call; and a call that is no write cannot be torn
        assert child.returncode == -9, (name, child.stdout, child.stderr)
        steps[name] = newest(folder)
        assert steps[name] in (1, 2), name
        with Checkpoints(folder, keep=1) as checkpoints:
            checkpoints.save(3, make_state(3), {'step': 3})
        assert newest(folder) == 3 and [path.name for path in folder.iterdir()] == ['3'], name
    faults.tally('kill -9 at a call of a save or a deletion', len(steps))
    assert set(POINTS) <= set(steps)
    assert steps['before the rename'] == 1 and steps['after the rename'] == 2


def fail_each(folder, stride):
    """Let each ``stride``th call of a save fail in turn; called in a process that is watched."""
    kinds = {
        errno.ENOSPC: 'create write mkdir',
        errno.EIO: 'fsync rename unlink rmdir write',
        errno.EROFS: '',
    }
    tried, failed, step, said = 0, 0, 1, []
    with Checkpoints(folder, keep=1, say=said.append) as checkpoints:
        checkpoints.save(step, make_state(step), {'step': step})
        checkpoints.wait()
        for number, calls in kinds.items():
            faults.arm(10**9, 'before', calls)
            step += 1
            checkpoints.save(step, make_state(step), {'step': step})
            checkpoints.wait()
            total = faults.arm(0, 0)
            for at in range(1 + tried % stride, total + 1, stride):
                for once in (True, False):
                    tried += 1
                    error = save_failing(checkpoints, step + 1, number, calls, at, once)
                    failed += bool(error)
                    assert ('\n' not in error and str(folder) in error) or not error, error
                    state, meta = checkpoints.restore(make_state(0))
                    found = meta['step']  # a disk that lets nobody take a name away again leaves a whole one
                    assert found == step + 1 or (error and found == step), (error, found, step)
                    assert digests(state) == digests(make_state(found))
                    step = found
    assert all('cannot be deleted: ' in line for line in said), said
    return tried, failed


def save_failing(checkpoints, step, number, calls, at, once):
    faults.arm(at, number, calls, once=once)
    try:
        checkpoints.save(step, make_state(step), {'step': step})
        checkpoints.wait()
    except MachineError as error:
        return str(error)
    finally:
        faults.arm(0, 0)
    return ''


FAILS = """
import json, sys, test_crash_checkpoint as t
from pathlib import Path
print(json.dumps(t.fail_each(Path(sys.argv[1]), int(sys.argv[2]))))
"""


def test_a_full_or_broken_disk_at_each_call_of_a_save_costs_that_save_only(library, tmp_path):
    folder = tmp_path.resolve() / 'checkpoints'
    child = run(FAILS, folder, faults.environment(library, folder), 1 if faults.NIGHTLY else 17)
    assert child.returncode == 0 and child.stderr == '', child.stderr
    tried, failed = json.loads(child.stdout)
    faults.tally('ENOSPC, EIO or EROFS at a call of a save', tried)
    assert tried >= 24 and failed >= tried // 2
    newest(folder)


def test_a_state_that_changes_while_it_is_saved_is_saved_as_it_was(tmp_path):
    """A hundred saves, each followed at once by an update that is given the saved arrays' memory."""
    update = jax.jit(
        lambda tree: jax.tree.map(lambda x: x + 1 if x.dtype == jnp.float32 else x, tree), donate_argnums=0
    )
    state = make_state(0)
    with Checkpoints(tmp_path, keep=2) as checkpoints:
        for step in range(1, 101):
            before = digests(state)
            checkpoints.save(step, state, {'step': step})
            state = update(state)
            jax.block_until_ready(state)
            checkpoints.wait()
            saved, _ = checkpoints.restore(make_state(0), step)
            assert digests(saved) == before
    faults.tally('state changed while it is saved', 100)


KEEPS = """
import os, sys, test_crash_checkpoint as t
from jaxgan.checkpoints.checkpoint import Checkpoints
with Checkpoints(sys.argv[1], keep=2, stretch=lambda step: step // 3) as checkpoints:
    for step in range(1, 9):
        checkpoints.save(step, t.make_state(step), {'step': step})
        checkpoints.wait()
        print(os.path.getsize(os.environ['FAULTS_LOG']), flush=True)
"""


def test_a_crash_in_the_clean_up_takes_nothing_that_is_to_stay(library, tmp_path):
    """The newest two and the first of every three steps, at each deletion of eight saves."""
    done, marks = record(library, tmp_path, KEEPS)
    assert sorted(int(name) for name in faults.replay(done)) == [3, 6, 7, 8]
    tried = 0
    for number, operation in enumerate(done):
        if (
            number < marks[0]
            or operation.kind not in ('unlink', 'move')
            or (operation.kind == 'unlink' and number % 4)
        ):
            continue
        saved = sum(mark <= number for mark in marks)
        stay = {step for step in range(1, saved + 1) if step > saved - 2 or step in (3, 6)}
        *_, (_, tree) = faults.crash_states(done[: number + 1], number + 1)
        folder = faults.write_tree(tree, tmp_path / str(number))
        newest(folder, keep=2)
        assert stay <= {int(path.name) for path in folder.iterdir()}, number
        with Checkpoints(folder, keep=2) as checkpoints:
            for step in stay:
                assert digests(checkpoints.restore(make_state(0), step)[0]) == digests(make_state(step))
        tried += 1
    faults.tally('crash amid a deletion, with checkpoints that stay for good', tried)
    assert tried > 20
