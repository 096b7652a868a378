"""Saving a checkpoint, killed or crashed at any of its calls to the file system: the old one is there, or the new one."""

import os
import subprocess
import sys
from pathlib import Path

import faults
import jax
import numpy as np
import pytest

from jaxgan.checkpoint import Checkpoints
from jaxgan.errors import Failure
from jaxgan.manifest import leaves_on_host, make_record
from jaxgan.state import Average, GanState, Player

pytestmark = pytest.mark.multiprocess
ROOT = Path(__file__).parent.parent


def make_state(seed):
    random = np.random.default_rng(seed)
    params = {'w': random.normal(size=(4, 500)).astype(np.float32), 'b': np.zeros(3, np.float32)}
    player = Player(params=params, aux={}, opt=(np.int32(seed),))
    return jax.device_put(
        GanState(
            np.int32(seed), np.int32(8 * seed), jax.random.key(seed), player, player, Average(params, {}), {}
        )
    )


def same(state, other):
    manifests = [make_record(leaves_on_host(tree), {})['leaves'] for tree in (state, other)]
    return manifests[0] == manifests[1]


SAVES = """
import os, sys, test_crash_checkpoint as t
from jaxgan.checkpoint import Checkpoints
with Checkpoints(sys.argv[1], keep=1) as checkpoints:
    checkpoints.save(1, t.make_state(1), {'step': 1})
    checkpoints.wait()
    print(os.path.getsize(os.environ['FAULTS_LOG']) if 'FAULTS_LOG' in os.environ else 0, flush=True)
    checkpoints.save(2, t.make_state(2), {'step': 2})
"""


@pytest.fixture(scope='module')
def library(tmp_path_factory):
    return faults.library(tmp_path_factory.mktemp('library'))


def start(script, folder, faulty):
    env = os.environ | {'PYTHONPATH': f'{ROOT}:{ROOT / "tests"}'} | faulty
    return subprocess.Popen(
        [sys.executable, '-c', script, folder],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def newest(folder):
    """Open a folder as a run does: the newest that verifies."""
    with Checkpoints(folder, keep=1) as checkpoints:
        for step in reversed(checkpoints.steps()):
            try:
                state, meta = checkpoints.restore(make_state(0), step)
            except Failure:
                continue
            assert meta == {'step': step} and same(state, make_state(step))
            return step
    return None


@pytest.fixture(scope='module')
def recorded(library, tmp_path_factory):
    """All operations of two saves and a deletion, and how many of them belong to the first save."""
    folder = tmp_path_factory.mktemp('recorded').resolve()
    log = folder / 'log'
    child = start(SAVES, folder / 'checkpoints', faults.environment(library, folder / 'checkpoints', log=log))
    out, err = child.communicate(timeout=120)
    assert child.returncode == 0, err
    calls = faults.read_calls(log)
    done = faults.operations(calls, folder / 'checkpoints')
    assert faults.replay(done) == faults.read_tree(folder / 'checkpoints')  # nothing went by unseen
    (folder / 'first').write_bytes(log.read_bytes()[: int(out)])
    first = faults.operations(faults.read_calls(folder / 'first'), folder / 'checkpoints')
    return done, len(first)


def test_a_crash_at_any_moment_leaves_the_old_checkpoint_or_the_new_one(recorded, tmp_path):
    done, first = recorded
    wrong = []
    states = list(faults.crash_states(done, first, singly=faults.NIGHTLY))
    for number, (when, tree) in enumerate(states):
        found = newest(faults.write_tree(tree, tmp_path / str(number)))
        if found not in (1, 2):
            wrong.append((when, found))
    faults.tally('crash: folders that un-synced writes may leave', len(states), len(wrong))
    assert not wrong, wrong[:10]
