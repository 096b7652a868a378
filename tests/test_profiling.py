"""Profiles: times are counted once, operations are told by the program's own text, and a run stays as it is."""

import json

import pytest
from runs import make_data, tiny

from jaxgan.commands import profile_command
from jaxgan.data import open_source
from jaxgan.run.profiling import Cost, Operation, Profile, profile, read_program, self_times, table
from jaxgan.run.rundir import open_run
from jaxgan.run.trainer import make_trainer

TEXT = """HloModule jit_dispatch, is_scheduled=true

%fused_computation.1 (p0: f32[4]) -> f32[4] {
  %p0 = f32[4]{0} parameter(0)
  ROOT %convolution.3 = f32[4]{0} convolution(%p0, %p0), metadata={op_name="jit(dispatch)/while/body/phase.g/conv"}
}

ENTRY %main (a: f32[4]) -> (s32[], f32[4]) {
  %a = f32[4]{0} parameter(0)
  %ynn_fusion.1 = f32[4]{0} fusion(%a), kind=kCustom, calls=%fused_computation.1
  %dot.2 = f32[4]{0} dot(%a, %a), metadata={op_name="jit(dispatch)/phase.d/jvp(Net)/dot_general"}
  %native.1 = f32[4]{0} custom-call(%a), custom_call_target="jaxgan_conv", metadata={op_name="jit(dispatch)/phase.d/x"}
  %add.1 = f32[4]{0} add(%a, %a), metadata={op_name="jit(dispatch)/add"}
  %copy.1 = f32[4]{0} copy(%a)
  ROOT %while.1 = (s32[], f32[4]{0}) while(%t), condition=%c, body=%b, metadata={op_name="jit(dispatch)/while"}
}
"""


def event(op, ts, dur, tid=1, module='jit_dispatch'):
    return {
        'name': op, 'ph': 'X', 'ts': ts, 'dur': dur, 'pid': 1, 'tid': tid,
        'args': {'hlo_op': op, 'hlo_module': module},
    }  # fmt: skip


def test_an_operation_is_charged_without_those_inside_it_and_per_thread():
    events = [
        event('while', 0, 100),
        event('dot', 10, 30),
        event('add', 40, 20),
        event('dot', 5, 50, tid=2),  # at the same time on another thread
        event('dot', 100, 1, module='jit_other'),
        {'name': 'host', 'ts': 0, 'dur': 1000, 'pid': 1, 'tid': 1},
    ]
    costs = self_times(events, 'jit_dispatch')
    assert {name: (round(cost.seconds * 1e6), cost.calls) for name, cost in costs.items()} == {
        'while': (50, 1),
        'dot': (80, 2),
        'add': (20, 1),
    }


def test_the_program_tells_phase_and_kind():
    found = read_program(TEXT)
    said = {
        name: found[name][:2] for name in ('ynn_fusion.1', 'dot.2', 'native.1', 'add.1', 'copy.1', 'while.1')
    }
    assert said == {
        'ynn_fusion.1': ('g', 'convolution'),
        'dot.2': ('d', 'matrix product'),
        'native.1': ('d', 'convolution'),
        'add.1': ('outside the phases', 'elementwise'),
        'copy.1': ('not attributed', 'copy'),
        'while.1': ('outside the phases', 'loops and calls'),
    }


def test_a_table_counts_everything_once():
    operations = {'dot': Operation('d', 'matrix product', 'phase.d/dot')}
    found = Profile(10, 1.0, 0.0, {'dot': Cost(0.75, 20), 'made.up': Cost(0.25, 10)}, operations)
    assert found.shares('phase') == {'d': Cost(0.75, 20), 'not attributed': Cost(0.25, 10)}
    lines = table(found).splitlines()
    assert any(line.split() == ['d', '75.000', '75.0%', '2.0'] for line in lines)
    assert any(line.split() == ['not', 'attributed', '25.000', '25.0%', '1.0'] for line in lines)


@pytest.fixture(scope='module')
def trainer(tmp_path_factory):
    config = tiny(make_data(tmp_path_factory.mktemp('data')))
    return make_trainer(config, open_source(config.data))


@pytest.mark.slow
def test_a_profile_names_the_phases_and_leaves_a_trace(trainer, tmp_path):
    found = profile(trainer, tmp_path / 'profile')
    assert found.steps == 6
    for field in ('phase', 'kind'):
        saved = json.loads((tmp_path / 'profile' / 'table.json').read_text())[field]
        assert sum(row['share'] for row in saved.values()) == pytest.approx(1.0)
        assert all(row['calls'] > 0 for row in saved.values())
    shares = found.shares('phase')
    total = sum(cost.seconds for cost in shares.values())
    assert {'d', 'g', 'ema', 'data'} <= set(shares)
    assert shares['d'].seconds + shares['g'].seconds > 0.5 * total
    assert {'convolution', 'matrix product', 'elementwise', 'copy'} <= set(found.shares('kind'))
    assert list((tmp_path / 'profile').rglob('*.trace.json.gz'))
    assert (tmp_path / 'profile' / 'table.txt').read_text() == table(found)


@pytest.mark.slow
def test_a_run_that_is_profiled_stays_as_it_is(trainer, tmp_path, capsys):
    config, workdir = trainer.config, tmp_path / 'run'
    assert profile_command(trainer, workdir / 'profile') == 0
    assert 'by phase' in capsys.readouterr().out
    open_run(workdir, config)  # a folder with a profile only may become a run
    (workdir / 'letter.txt').write_text('hello')
    (workdir / 'checkpoints').mkdir()
    assert profile_command(trainer, workdir / 'profile') == 0  # replaces the first
    assert sorted(path.name for path in workdir.iterdir()) == ['checkpoints', 'letter.txt', 'profile']
    assert not list((workdir / 'checkpoints').iterdir())
    assert len(list((workdir / 'profile').rglob('*.trace.json.gz'))) == 1
