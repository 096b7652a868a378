"""Checkpoints of every schema so far are read bit for bit; they lie here as they were written."""

import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_checkpoint import bits

from jaxgan.checkpoint import Checkpoints
from jaxgan.manifest import SCHEMA
from jaxgan.restore import restore_average, restore_state
from jaxgan.state import Average, GanState, Player
from jaxgan.verify import verify_checkpoint

GOLDEN = Path(__file__).parent / 'golden' / 'checkpoints'
META = {'config': {'batch_size': 4, 'betas': [0.0, 0.99]}, 'images_seen': 20}


def golden_state():
    """One of each kind of leaf, of values that no library decides."""
    numbers = np.arange(-6, 6, dtype=np.float32).reshape(3, 4) / 7
    params = {'Dense_0': {'kernel': jnp.asarray(numbers), 'bias': jnp.asarray(numbers[0], jnp.bfloat16)}}
    moments = ({'count': jnp.int32(5), 'mu': [jnp.asarray(numbers[1])]}, {})
    player = Player(params, {'batch_stats': {'mean': jnp.asarray(numbers[2])}}, moments)
    return GanState(
        step=jnp.int32(5),
        images_seen=jnp.int32(20),
        key=jax.random.key(3),
        g=player,
        d=player,
        g_ema=Average(params, {}),
        extra={'ada': {'p': jnp.float32(0.25), 'key': jax.random.key(7)}, 'flag': jnp.asarray(True)},
    )


@pytest.mark.parametrize('schema', range(SCHEMA + 1))
def test_a_checkpoint_of_each_schema_loads_bit_for_bit(schema, tmp_path):
    folder = GOLDEN / f'schema{schema}'
    state, meta = restore_state(folder / '5', golden_state())
    assert bits(state) == bits(golden_state())
    assert meta == META
    params, _, step, _ = restore_average(folder)
    assert (bits(params), step) == (bits(golden_state().g_ema.params), 5)
    assert not verify_checkpoint(folder / '5').wrong
    shutil.copytree(folder, tmp_path / 'run')
    with Checkpoints(tmp_path / 'run', keep=1) as checkpoints:  # and the run goes on
        checkpoints.save(6, checkpoints.restore(golden_state())[0], META)
    assert [path.name for path in (tmp_path / 'run').iterdir()] == ['6']


def test_they_are_small():
    assert sum(path.stat().st_size for path in GOLDEN.rglob('*') if path.is_file()) < 60_000
