"""Real processes: eight devices agree with one, signals save the run, and the scripts do what the README says."""

import ast
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.multiprocess
ROOT = Path(__file__).parent.parent

SHARDED = """
import sys
import jax, jax.numpy as jnp, numpy as np, optax
from jaxgan import Recipe, Regularizer, build, init_state, losses, make_train_step, regularizers
from jaxgan.augment import diffaugment
from jaxgan.modelconfig import DCGAN, R3GAN
from jaxgan.latents import normal
from jaxgan.parallel.sharding import data_mesh, replicated, split

jax.config.update('jax_default_matmul_precision', 'highest')
results = {}
for name, model in {'dcgan': DCGAN(8, 4), 'plain': DCGAN(8, 4, norm='none', refine=4),
                    'r3gan': R3GAN(8, (8, 8, 8), (2, 2, 2), 1)}.items():
    g, d = build.build_networks(model, 16, 3, 4, 'float32')
    penalties = tuple(Regularizer(p, 0.1) for p in (regularizers.r1, regularizers.r2, regularizers.wgan_gp))
    recipe = Recipe(losses.relativistic, optax.sgd(1e-2), optax.sgd(1e-2), normal(8), penalties,
                    diffaugment(('color', 'translation', 'cutout'), 0.5))
    batch = {'image': jax.random.normal(jax.random.key(1), (16, 16, 16, 3), jnp.float32), 'label': jnp.arange(16, dtype=jnp.int32) % 4}
    mesh = data_mesh(16)
    batch = jax.device_put(batch, split(mesh))
    state = jax.jit(lambda: init_state(jax.random.key(0), g, d, recipe, batch), out_shardings=replicated(mesh))()
    step = jax.jit(make_train_step(g, d, recipe), out_shardings=replicated(mesh))
    for _ in range(3):
        state, metrics = step(state, batch)
    results |= {f'{name}{jax.tree_util.keystr(path)}': np.asarray(leaf) for path, leaf in
                jax.tree.leaves_with_path((state.g, state.d, state.g_ema, metrics))}
assert len(jax.devices()) == int(sys.argv[2])
np.savez(sys.argv[1], **results)
"""


SPLIT = """
import re
from jaxgan.config import Config, Penalty
from jaxgan.data import DataConfig, open_source
from jaxgan.modelconfig import MLP
from jaxgan.run.trainer import make_trainer

for changes in ({}, {'d_steps': 2}, {'microbatches': 2, 'batch_size': 64}):
    config = Config(data=DataConfig('points:ring8', label='none'), model=MLP(latent_dim=4, width=24, depth=2), loss='hinge',
                    **{'batch_size': 32, 'penalties': (Penalty('r1'),)} | changes)
    program = make_trainer(config, open_source(config.data)).program
    rows = {int(n) for n in re.findall(r' = f32\\[(\\d+),\\d+\\]\\S* dot\\(', program.compiled().as_text())}
    print(changes, sorted(rows))
"""


def start(arguments, devices=1, **kwargs):
    env = os.environ | {
        'PYTHONPATH': str(ROOT),
        'JAX_PLATFORMS': 'cpu',
        'XLA_FLAGS': f'--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0',
    }
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **kwargs,
    )


def finish(process, seconds=300):
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err


def test_each_device_computes_its_part_only(tmp_path):
    """32 samples at once on four devices, for a loss that does not pair real and fake: products of 8 rows, never of 32."""
    script = tmp_path / 'split.py'
    script.write_text(SPLIT)
    code, out, err = finish(start([script], 4))
    assert code == 0, err[-2000:]
    for line in out.splitlines():
        rows = ast.literal_eval(line[line.index('} [') + 2 :])
        assert 8 in rows and 32 not in rows and 16 not in rows, line


def test_eight_devices_agree_with_one(tmp_path):
    """After three SGD steps with BatchNorm, R1, R2, WGAN-GP, labels and augmentation, in one global batch."""
    script = tmp_path / 'sharded.py'
    script.write_text(SHARDED)
    for devices in (1, 8):
        code, _, err = finish(start([script, tmp_path / f'{devices}.npz', devices], devices))
        assert code == 0, err[-2000:]
    with np.load(tmp_path / '1.npz') as one, np.load(tmp_path / '8.npz') as eight:
        assert set(one) == set(eight)
        assert len(set(one)) > 60
        for name in one:
            scale = max(np.abs(one[name]).max(), 0.05)  # a mean of logits may itself be near zero
            assert np.abs(one[name] - eight[name]).max() / scale < 2e-5, name


def tiny_run(tmp_path, *options):
    np.savez(
        tmp_path / 'data.npz', x_train=np.random.default_rng(0).integers(0, 256, (32, 16, 16, 3), np.uint8)
    )
    return [
        ROOT / 'train.py', '--data.name', f'npz:{tmp_path / "data.npz"}', '--workdir', tmp_path / 'run', '--model.width', '4',
        '--batch-size', '8', '--steps-per-dispatch', '2', '--log-every', '16', '--checkpoint-every', '100000', *options,
    ]  # fmt: skip


@pytest.mark.parametrize(('number', 'code'), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_saves_first_and_the_same_command_continues(tmp_path, number, code):
    command = tiny_run(tmp_path, '--images', '1000000')
    process = start(command, cwd=tmp_path)
    metrics = tmp_path / 'run' / 'metrics.jsonl'
    deadline = time.monotonic() + 120
    while not (metrics.exists() and metrics.stat().st_size):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(number)
    found, out, err = finish(process, 60)
    assert found == code, err
    assert f'stopped by {number.name}; saved' in out
    (step,) = [int(path.name) for path in (tmp_path / 'run' / 'checkpoints').iterdir() if path.name.isdigit()]
    assert step > 0
    longer = tiny_run(tmp_path, '--images', str((step + 4) * 8))
    found, out, err = finish(start(longer, cwd=tmp_path))
    assert found == 0, err
    assert f'continuing from {step * 8:,} images' in out
    steps = [json.loads(line)['step'] for line in metrics.read_text().splitlines()]
    assert steps == sorted(set(steps))  # each line stands once
    assert steps[-1] == step + 4


def test_eight_devices_train_and_sample_the_same_bytes(tmp_path):
    code, out, err = finish(start(tiny_run(tmp_path, '--steps', '4'), 8, cwd=tmp_path))
    assert code == 0, err
    assert 'devices: 8 x' in out
    for devices in (1, 8):
        target = tmp_path / f'{devices}.npz'
        code, _, err = finish(
            start([ROOT / 'sample.py', tmp_path / 'run', '--out', target, '--n', '70'], devices)
        )
        assert code == 0, err
    with np.load(tmp_path / '1.npz') as one, np.load(tmp_path / '8.npz') as eight:
        np.testing.assert_array_equal(one['images'], eight['images'])


CACHED = """
import sys
import jax
from jaxgan.cli import main
heard = []
jax.monitoring.register_event_listener(lambda event, **kwargs: heard.append(event.rsplit('/', 1)[-1]))
assert main(sys.argv[1:]) == 0
print('hits', heard.count('cache_hits'), 'misses', heard.count('cache_misses'))
"""


def test_a_second_process_loads_the_programs_of_the_first_and_computes_the_same_bits(tmp_path, monkeypatch):
    monkeypatch.delenv('JAX_ENABLE_COMPILATION_CACHE', raising=False)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    said, states = [], []
    for name in ('cold', 'warm'):
        command = tiny_run(tmp_path, '--steps', '5', '--workdir', tmp_path / name)
        code, out, err = finish(start(['-c', CACHED, 'train', *command[1:]], cwd=tmp_path))
        assert code == 0, err
        assert err == ''  # XLA does not complain about what it loads
        assert f'compiled programs: kept in {tmp_path / "cache"}' in out
        said.append(out.splitlines()[-1])
        record = json.loads((tmp_path / name / 'checkpoints' / '5' / 'meta' / 'record.json').read_text())
        states.append(record['leaves'])  # with a SHA-256 of each
    assert len(states[0]) > 20 and states[0] == states[1]
    assert said == ['hits 0 misses 3', 'hits 3 misses 0']  # initialization, dispatch, sampler


def test_a_batch_that_does_not_divide_over_the_devices_is_refused(tmp_path):
    code, _, err = finish(start(tiny_run(tmp_path, '--batch-size', '12'), 8, cwd=tmp_path))
    assert code == 2
    assert err == 'error: batch_size 12 in 1 microbatches does not divide over 8 devices\n'
    assert not (tmp_path / 'run').exists()
