"""Several processes of one training on this machine, as a launcher would start them, and a recipe that is quick to compile."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
RECIPE = """
from jaxgan.config import Config, Ema, Optimizer, Penalty
from jaxgan.data import DataConfig
from jaxgan.modelconfig import MLP

def get_config():
    adam = Optimizer((1e-3, 1e-3))
    return Config(
        data=DataConfig('points:ring8', label='none'), model=MLP(latent_dim=4, width=64, depth=2), loss='hinge',
        penalties=(Penalty('r1'),), g_optimizer=adam, d_optimizer=adam, ema=Ema((100.0, 100.0)), batch_size=16, images=80,
        steps_per_dispatch=1, log_every=16, sample_every=32, checkpoint_every=32, grid=4,
    )
"""


def recipe(folder):
    """Write the recipe, and return its path."""
    path = Path(folder) / 'tiny_recipe.py'
    path.write_text(RECIPE)
    return path


def free_port():
    """Find a port that nobody listens at."""
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


def environment(devices=1, **more):
    """Make the environment of a process with so many virtual devices."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(('SLURM_', 'OMPI_', 'JAX_COORD', 'TPU_'))
    }
    return kept | {
        'PYTHONPATH': str(ROOT),
        'JAX_PLATFORMS': 'cpu',
        'JAX_ENABLE_COMPILATION_CACHE': 'false',
        'JAXGAN_KERNELS': 'off',
        'XLA_FLAGS': f'--xla_force_host_platform_device_count={devices} --xla_backend_optimization_level=0',
        **{name: str(value) for name, value in more.items()},
    }


def start(arguments, cwd, devices=1, **more):
    """Start one process."""
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        env=environment(devices, **more),
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def start_all(count, arguments, cwd, devices=1, each=lambda i: []):
    """Start so many processes, told of each other by options; ``each(i)`` are further options of one of them."""
    port = free_port()
    place = ['--coordinator', f'127.0.0.1:{port}', '--processes', count, '--process-id']
    return [start([*arguments, *place, i, *each(i)], cwd, devices) for i in range(count)]


def finish(processes, seconds=240):
    """Wait for all: ``(code, stdout, stderr)`` of each."""
    deadline, found = time.monotonic() + seconds, []
    try:
        for process in processes:
            out, err = process.communicate(timeout=max(1, deadline - time.monotonic()))
            found.append((process.returncode, out, err))
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
    return found


def leaves(run, step):
    """Return the digests of a checkpoint's leaves."""
    return json.loads((Path(run) / 'checkpoints' / str(step) / 'meta' / 'record.json').read_text())['leaves']


def steps(run):
    """List the steps that stand in a run's metrics."""
    path = Path(run) / 'metrics.jsonl'
    return [json.loads(line)['step'] for line in path.read_text().splitlines()] if path.exists() else []


def wait_for(condition, processes=(), seconds=120):
    """Wait until something is so, while all processes live."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        assert all(process.poll() is None for process in processes), [
            p.communicate() for p in processes if p.poll() is not None
        ]
        time.sleep(0.05)
