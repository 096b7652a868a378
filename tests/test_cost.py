"""What a step costs, counted and not timed: operations, bytes, compilations, transfers, against ``cost.json``.

``python tests/test_cost.py`` writes the figures of the installed jax anew: do so where a change of them is meant,
and say in the commit why they changed. Counted is the formulation in plain XLA operations: it cannot see into native
kernels.
"""

import dataclasses
import json
import sys
import tempfile
from pathlib import Path

import conftest  # noqa: F401  # XLA's flags, also where this file runs as a script
import jax
import jax.numpy as jnp
import pytest
from runs import make_data, run, tiny

from jaxgan.config import Config
from jaxgan.data import DataConfig, open_source
from jaxgan.modelconfig import DCGAN
from jaxgan.run.trainer import make_trainer

FILE = Path(__file__).with_name('cost.json')
TOLERANCE = 0.02  # of operations and bytes; compilations and transfers are exact
VERSION = '.'.join(jax.__version__.split('.')[:2])


def step_cost(folder):
    """Count one step of the default architecture, an eighth as wide: the body of the dispatch's loop, once."""
    model = dataclasses.replace(Config().model, width=12, d_width=8, refine=4)
    assert isinstance(model, DCGAN)
    config = dataclasses.replace(
        Config(), data=DataConfig(f'npz:{make_data(folder)}'), model=model, batch_size=4
    )
    program = make_trainer(config, open_source(config.data)).program.compiled()
    counted = program.cost_analysis()
    return {
        'flops': counted['flops'],
        'bytes': counted['bytes accessed'],
        'transcendentals': counted['transcendentals'],
    }


def run_counts(folder, monkeypatch):
    """Count what a run of nine steps compiles and how often host and device exchange data.

    Its dispatches are of four, four and one step: the shorter one must not be another program.
    """
    counts = {'compilations': 0, 'fetches': 0, 'puts': 0}

    def listen(event, duration, **kwargs):
        counts['compilations'] += event.endswith('backend_compile_duration')

    array = type(jnp.zeros(()))
    value, put = array._value, jax.device_put  # every int(), float() and device_get passes here

    def fetched(self):
        counts['fetches'] += 1
        return value.fget(self)

    def placed(*args, **kwargs):
        counts['puts'] += 1
        return put(*args, **kwargs)

    monkeypatch.setattr(array, '_value', property(fetched))
    monkeypatch.setattr(jax, 'device_put', placed)
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        config = tiny(make_data(folder), images=72, steps_per_dispatch=4, log_every=32, checkpoint_every=1000)
        assert run(config, folder / 'run') == 0
    finally:
        jax.monitoring.clear_event_listeners()
        monkeypatch.undo()
    return counts


def expected():
    found = json.loads(FILE.read_text())
    if VERSION not in found:
        pytest.skip(f'no figures for jax {VERSION}; python {Path(__file__).name} adds them')
    return found[VERSION]


def complain(name, found, wanted):
    return f'{name}: {found:,}, was {wanted:,}; if that is meant, run python tests/{Path(__file__).name}, and say why'


def test_a_step_costs_what_it_did(tmp_path):
    found, wanted = step_cost(tmp_path), expected()['step']
    for name, value in found.items():
        assert value == pytest.approx(wanted[name], rel=TOLERANCE), complain(name, value, wanted[name])


def test_a_run_compiles_and_transfers_what_it_did(tmp_path, monkeypatch):
    found, wanted = run_counts(tmp_path, monkeypatch), expected()['run']
    for name, value in found.items():
        assert value == wanted[name], complain(name, value, wanted[name])


if __name__ == '__main__':
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        found = json.loads(FILE.read_text()) if FILE.exists() else {}
        found[VERSION] = {'step': step_cost(Path(name)), 'run': run_counts(Path(name), patch)}
    FILE.write_text(json.dumps(dict(sorted(found.items())), indent=2) + '\n')
    sys.stdout.write(FILE.read_text())
