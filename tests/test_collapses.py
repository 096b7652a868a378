"""Collapses that are built are told within 500 steps, and healthy trainings are left alone; on points, which take seconds.

The script has all six, on images.
"""

import dataclasses
import importlib.util
from pathlib import Path

import pytest

from jaxgan.config import Config, Optimizer, Penalty
from jaxgan.data import DataConfig
from jaxgan.modelconfig import MLP

pytestmark = pytest.mark.slow
SCRIPT = Path(__file__).parent.parent / 'docs/scripts/alarms.py'


def load():
    spec = importlib.util.spec_from_file_location('alarms_script', SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SCRIPT_MODULE = load()
ADAM = Optimizer(learning_rate=(1e-3, 1e-3))
POINTS = Config(
    data=DataConfig('points:ring25', label='none'),
    model=MLP(latent_dim=12, width=64, depth=2, d_fourier=16),
    penalties=(Penalty('r1', (0.02, 0.02)), Penalty('r2', (0.02, 0.02))),
    g_optimizer=ADAM,
    d_optimizer=ADAM,
    batch_size=64,
)
BUILT = SCRIPT_MODULE.collapses(POINTS, POINTS)


@pytest.mark.parametrize('name', ['constant G', '4-mode G', 'D frozen'])
def test_a_built_collapse_is_told(tmp_path, name):
    told, _ = SCRIPT_MODULE.watch(*BUILT[name], tmp_path / 'run')
    assert told and min(step for step, _ in told) <= 500, told


@pytest.mark.parametrize('changes', [{}, {'seed': 1, 'loss': 'non_saturating'}])
def test_a_healthy_training_is_left_alone(tmp_path, changes):
    told, worst = SCRIPT_MODULE.watch(dataclasses.replace(POINTS, **changes), lambda g: g, tmp_path / 'run')
    assert told == [], worst
