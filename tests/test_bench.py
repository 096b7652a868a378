"""``jaxgan bench``: taking turns, what is compared with what, and what is said and written."""

import dataclasses
import importlib.util
import json
import os
import sys

import jax
import pytest

from jaxgan.bench import suite_step
from jaxgan.bench.cases import Case, Training, configuration, counted_flops, lazy_parts, networks, real_batch
from jaxgan.bench.grouped import DIRECTIONS as GROUPED
from jaxgan.bench.grouped import forms
from jaxgan.bench.options import BenchOptions
from jaxgan.bench.peer import Peer
from jaxgan.bench.run import SUITES, bench_command, run_suite
from jaxgan.bench.session import Session, measure, open_peer
from jaxgan.bench.suite_ops import DIRECTIONS, OPS, call_of
from jaxgan.bench.suite_scale import axes
from jaxgan.bench.suite_step import CASES, LARGE, smaller
from jaxgan.bench.table import cells
from jaxgan.bench.timing import SideError, interleaved, ratio, summarize
from jaxgan.cli import _parse, main
from jaxgan.config import Config
from jaxgan.kernels import Kernels

TORCH = os.environ.get('JAXGAN_TORCH_PYTHON') or (
    sys.executable if importlib.util.find_spec('torch') else None
)

# Answers as a peer does: three numbers of parameters for the case 'even', and death for the case 'fatal'.
FAKE = """
import json, sys
print(json.dumps({'versions': {'torch': 'fake', 'python': '3'}, 'device': 'cpu', 'threads': 1}), flush=True)
for line in sys.stdin:
    request = json.loads(line)
    kind = request.get('case', {}).get('kind')
    if kind == 'fatal':
        sys.exit('boom')
    answer = {'times': [0.5, 0.5] if request.get('seconds') else [], 'parameters': [3, 4]}
    print(json.dumps({'error': 'not today'} if kind == 'broken' else answer), flush=True)
"""


@pytest.fixture
def fake(tmp_path):
    script = tmp_path / 'peer.py'
    script.write_text(FAKE)
    with Peer(sys.executable, 'cpu', script) as peer:
        yield peer


def session(peer=None, **changes):
    said = []
    values = {'quick': True, 'rounds': 2, 'seconds': 1e-9, 'only': (), 'peer': peer, 'say': said.append}
    return Session(**values | changes), said


@pytest.mark.slow
def test_sides_take_turns_and_the_ratio_is_exact():
    order = []

    def side(name, times):
        turns = iter(times)

        def turn():
            order.append(name)
            return next(turns)

        return turn

    ours = [[1.0, 3.0], [2.0, 2.0], [4.0, 4.0]]
    theirs = [[4.0], [8.0], [4.0]]
    times, failed = interleaved({'ours': side('a', ours), 'theirs': side('b', theirs)}, 3)
    assert order == ['a', 'b'] * 3
    assert (times, failed) == ({'ours': ours, 'theirs': theirs}, {})
    assert ratio(times['ours'], times['theirs']) == {'ratio': 4.0 / 2.5, 'ratio_range': [1.0, 4.0]}


@pytest.mark.slow
def test_a_side_that_fails_is_left_out_and_the_others_go_on():
    def failing():
        raise SideError('gone')

    times, failed = interleaved({'ours': lambda: [1.0], 'theirs': failing}, 2)
    assert times == {'ours': [[1.0], [1.0]]}
    assert failed == {'theirs': 'gone'}


def test_times_are_summarized_in_milliseconds():
    assert summarize([[0.001, 0.002], [0.003], [0.004, 0.005]]) == pytest.approx(
        {'median': 3.0, 'min': 1.0, 'iqr': 2.0, 'count': 5}
    )


@pytest.mark.slow
def test_the_fastest_variant_counts(fake):
    given, said = session(fake)
    row = measure(
        given, 'x', lambda: 1, case={'kind': 'even'}, variants={'a': {}, 'b': {'more': 1}}, parameters=[3, 4]
    )
    assert row['name'] == 'x' and row['parameters'] == [3, 4]
    assert set(row['peers']) == {'a', 'b'} and row['best_peer'] in row['peers']
    assert row['ratio'] == pytest.approx(500 / row['ours']['median'])
    assert said == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ('kind', 'parameters', 'reason'),
    [
        ('even', [3, 5], 'not comparable: it has [3, 4] parameters, ours [3, 5]'),
        ('broken', [3, 4], 'not today'),
        ('fatal', [3, 4], 'the process ended with code 1: boom'),
    ],
)
def test_what_cannot_be_compared_is_one_line_and_our_number_stands(fake, kind, parameters, reason):
    given, said = session(fake)
    row = measure(given, 'x', lambda: 1, case={'kind': kind}, parameters=parameters)
    assert said == [f'x: PyTorch, eager: {reason}']
    assert row['refused'] == {'eager': reason}
    assert row['ours']['count'] == 4 and 'ratio' not in row


@pytest.mark.skipif(importlib.util.find_spec('torch') is not None, reason='this Python has PyTorch')
def test_without_pytorch_one_line_says_so():
    said = []
    assert open_peer(None, said.append) is None
    assert open_peer(sys.executable, said.append) is None
    assert open_peer('no/such/python', said.append) is None
    assert said == [
        'no ratio to PyTorch: this Python has none; name one that does by --torch PYTHON',
        "no ratio to PyTorch: the process ended with code 1: ModuleNotFoundError: No module named 'torch'",
        'no ratio to PyTorch: no/such/python does not start: No such file or directory',
    ]


@pytest.mark.slow
def test_a_document_has_the_schema_and_a_table(tmp_path, capsys):
    code = main(['bench', 'ops', '--quick', '--only', 't1', '--rounds', '1', '--out', str(tmp_path / 'a' / 'ops.json'),
                 '--torch', 'no/such/python'])  # fmt: skip
    assert code == 0
    out = capsys.readouterr().out
    assert out.count('no/such/python does not start') == 1
    document = json.loads((tmp_path / 'a' / 'ops.json').read_text())
    assert set(document) == {'suite', 'versions', 'platform', 'device', 'devices', 'cpu', 'cores', 'load', 'date',
                             'seconds', 'settings', 'rows', 'notes'}  # fmt: skip
    assert document['suite'] == 'ops' and document['settings']['quick'] is True
    assert set(document['versions']) == {'jaxgan', 'jax', 'python'}
    assert [row['name'] for row in document['rows']] == [
        f't1 {d} float32' for d in ('forward', 'input', 'weight')
    ]
    for row in document['rows']:
        assert set(row['ours']) == {'median', 'min', 'iqr', 'count'}
        assert row['gflops_per_s'] == pytest.approx(2 * 16 * 16 * 100 * 512 / row['ours']['median'] / 1e6)
    headings, lines = cells(document)
    assert headings == ['case', 'ms', 'min', 'IQR', 'GFLOP/s'] and len(lines) == 3
    assert all(len(line) == len(headings) for line in lines)


def test_a_start_that_fails_is_said(monkeypatch):
    monkeypatch.setattr('jaxgan.bench.suite_startup.FIRST_STEP', 'import sys; sys.exit("broken")')
    given, said = session(only=('mlp',))
    document = run_suite('startup', given, 'no/such/python', {})
    assert document['rows'] == []
    assert said[-1].startswith('mlp: ') and said[-1].endswith('did not make a step: broken')


def test_a_part_that_is_missing_is_said(monkeypatch):
    monkeypatch.setattr('jaxgan.bench.suite_variants.enable', lambda: Kernels(False, 'no compiler'))
    given, _ = session(only=('native',))
    document = run_suite('variants', given, None, {})
    assert document['rows'] == []
    assert document['notes'][-1] == 'no rows for native: none of our own: no compiler'


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['opps'], "unknown suite 'opps'; did you mean 'ops'?"),
        (['ops', '--only', 'c9'], "unknown case of ops 'c9'"),
        (['ops', '--rounds', '0'], 'rounds 0 must be at least 1'),
        (['ops', '--out', 'ops.txt'], 'out ops.txt must be a FILE.json'),
        (['all', '--out', 'all.json'], '--out-dir'),
        (['ops', '--quik'], 'did you mean --quick'),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments, message, capsys):
    assert main(['bench', *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ') and error.count('\n') == 1 and message in error


def test_options_are_parsed():
    parsed = _parse(BenchOptions, ['step', '--quick', '--torch', 'p', '--only', 'mlp-128'], 'bench')
    assert parsed == BenchOptions('step', torch='p', quick=True, only='mlp-128')
    assert set(BenchOptions.__dataclass_fields__) == set(bench_command.__annotations__) - {'return'}


def test_every_suite_names_its_cases():
    for suite in SUITES:
        module = importlib.import_module(f'jaxgan.bench.suite_{suite}')
        assert module.NAMES and len(set(module.NAMES)) == len(module.NAMES)
        assert callable(module.run)


@pytest.mark.parametrize('op', [op for op in OPS if op.name in ('c5', 't4', 'g32')], ids=lambda op: op.name)
def test_directions_have_the_shapes_of_their_arguments(op):
    into, out = op.features
    shapes = {
        direction: jax.eval_shape(call_of(op, direction, 2, 'float32')).shape for direction in DIRECTIONS
    }
    assert shapes['input'] == (2, op.size, op.size, into)
    assert shapes['weight'] == (op.kernel, op.kernel, into // op.groups, out)
    positions = op.size if op.transposed else shapes['forward'][1]  # one product of a whole kernel each
    assert op.flops(2) == 2 * 2 * positions**2 * op.kernel**2 * into * out / op.groups


@pytest.mark.slow
def test_a_training_counts_parameters_and_moves():
    training = Training(Case('dcgan', 2, size=16, width=2), steps=2)
    g, d = training.parameters()
    # linear 100 x 64 and its normalization, 4x4 to 2 features and its, to colour with bias; then D
    assert g == 100 * 16 * 4 + 8 + 16 * 4 * 2 + 4 + 16 * 2 * 3 + 3
    assert d == (16 * 3 * 2 + 2) + (16 * 2 * 4 + 8) + (16 * 4 + 1)
    training()
    assert int(training.state.step) == 2


def test_the_axes_of_growth_meet_in_one_case():
    for quick in (True, False):
        cases = axes(quick)
        assert len(set(cases['batch']) & set(cases['resolution']) & set(cases['channels'])) == 1


@pytest.mark.slow
@pytest.mark.multiprocess
def test_bench_ops_quick_runs(tmp_path):
    out = tmp_path / 'ops.json'
    extra = ['--torch', TORCH] if TORCH else []
    assert main(['bench', 'ops', '--quick', '--only', 'c5', '--out', str(out), *extra]) == 0
    rows = json.loads(out.read_text())['rows']
    assert len(rows) == 3
    assert all(row['ours']['median'] > 0 for row in rows)
    assert all(('ratio' in row) == bool(TORCH) for row in rows)


@pytest.mark.parity
@pytest.mark.skipif(TORCH is None, reason='no PyTorch: name a Python that has it in JAXGAN_TORCH_PYTHON')
@pytest.mark.parametrize('name', [name for name in (*CASES, *LARGE) if name != 'default'])
def test_both_sides_build_the_same_pair(name):
    case = dataclasses.replace({**CASES, **LARGE}[name], batch=2, steps=1)
    case = dataclasses.replace(case, size=16, width=64) if name in LARGE else case
    g, d = networks(case)
    dims = {'r3gan': 64, 'stylegan2': 512}
    z, x = jax.numpy.zeros((2, dims.get(case.model, 100))), real_batch(case)['image']
    shapes = [
        jax.eval_shape(lambda net=net, x=x: net.init(jax.random.key(0), x, None)[0])
        for net, x in ((g, z), (d, x))
    ]
    ours = [sum(leaf.size for leaf in jax.tree.leaves(shape)) for shape in shapes]
    with Peer(TORCH, 'cpu') as peer:
        assert peer.ask(case=case.asked(), seconds=0)['parameters'] == ours


def test_what_takes_long_is_measured_only_by_name(monkeypatch):
    monkeypatch.setattr(suite_step, 'one', lambda session, name, case: {'name': name, 'case': case})
    given, said = session(quick=False)
    assert [row['name'] for row in suite_step.run(given)] == list(CASES)
    assert said == [f'{", ".join(LARGE)}: on a CPU only by name, as --only r3gan-cifar']
    given, said = session(quick=True)
    assert [row['name'] for row in suite_step.run(given)] == ['dcgan64', 'r3gan32', 'mlp-128', 'default']
    assert said[0] == 'dcgan64-bf16, mlp-512: with --quick only by name, as --only dcgan64-bf16'
    given, said = session(quick=True, only=('mlp-512',))
    assert [row['name'] for row in suite_step.run(given)] == ['mlp-512']
    given, said = session(quick=False, only=('stylegan2-256-bf16',))
    rows = list(suite_step.run(given))
    assert rows == [{'name': 'stylegan2-256-bf16', 'case': LARGE['stylegan2-256-bf16']}] and said == []


def test_a_quick_large_case_is_smaller_on_a_cpu():
    case = LARGE['stylegan2-256']
    assert smaller('stylegan2-256', cpu=False) == dataclasses.replace(case, batch=4)
    assert smaller('stylegan2-256', cpu=True) == dataclasses.replace(case, batch=4, size=32, width=16)
    assert smaller('r3gan-cifar', cpu=True) == Case('r3gan', 16, size=32, width=192, blocks=2)
    assert smaller('dcgan64', cpu=True) == Case('dcgan', 16)
    assert smaller('mlp-128', cpu=True) == Case('mlp', 128)


def test_a_dispatch_has_as_many_steps_as_one_of_train():
    assert {case.steps for case in CASES.values()} == {Config().steps_per_dispatch}


def test_lazy_parts_are_each_penalty_alone():
    base, parts = lazy_parts(configuration(LARGE['stylegan2-256']))
    assert (base.penalties, base.path_length.weight) == ((), 0)
    assert [(len(config.penalties), config.path_length.weight, every) for config, every in parts] == [
        (1, 0, 16),
        (0, 2.0, 4),
    ]
    always = configuration(LARGE['r3gan-cifar'])
    assert lazy_parts(always) == (always, [])


@pytest.mark.slow
def test_operations_are_the_mean_over_the_steps_between_lazy_penalties(monkeypatch):
    case = Case('stylegan2', 2, size=8, width=2)
    config = configuration(case)
    base, ((r1, _), (path, _)) = lazy_parts(config)

    def counted(config):
        with monkeypatch.context() as patch:
            patch.setattr('jaxgan.bench.cases.configuration', lambda case: config)
            return counted_flops(case)

    least = counted(base)
    every_step = dataclasses.replace(r1, penalties=(dataclasses.replace(r1.penalties[0], every=1),))
    part_of_r1 = counted(every_step) - least  # counted as one that is not lazy
    part_of_path = 4 * (counted(path) - least)
    assert part_of_r1 > 0 and part_of_path > 0
    assert counted_flops(case) == pytest.approx(least + part_of_r1 / 16 + part_of_path / 4, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize('direction', GROUPED)
def test_forms_of_groups_agree(direction, key):
    keys = jax.random.split(key, 3)
    x = jax.random.normal(keys[0], (2, 4, 4, 6))
    w = jax.random.normal(keys[1], (3, 3, 2, 9))
    y = jax.random.normal(keys[2], (2, 4, 4, 9))
    operands = {'forward': (x, w), 'input': (y, w), 'weight': (x, y)}[direction]
    first, *others = (jax.jit(form[direction])(*operands) for form in forms(3).values())
    for other in others:
        assert other.shape == first.shape
        assert float(abs(other - first).max()) < 1e-5


def test_modes_without_data_is_skipped_in_one_line():
    given, said = session()
    document = run_suite('modes', given, None, {})
    assert document['rows'] == []
    assert [line for line in said if line.startswith('modes: skipped')] == said[-1:]
    assert '--data' in said[-1]
