"""A run in which a number is not finite: what is named, what is kept, where it goes on, and when it gives up."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.checkpoints.checkpoint import Checkpoints
from jaxgan.cli import main
from jaxgan.config import Config, Ema, Optimizer, Penalty
from jaxgan.data import DataConfig, open_source, shuffled_index
from jaxgan.errors import DivergedError, InputError
from jaxgan.modelconfig import MLP
from jaxgan.parallel.distributed import Alone
from jaxgan.run.faultfile import read_fault
from jaxgan.run.loop import Run
from jaxgan.run.trainer import make_trainer
from jaxgan.run.training import train

pytestmark = pytest.mark.slow
BATCH = 8
STEPS = 16


def points(**changes):
    adam = Optimizer(learning_rate=(1e-3, 1e-3))
    config = Config(
        data=DataConfig('points:ring8', label='none', split='train[:400]'),
        model=MLP(latent_dim=4, width=8, depth=2),
        penalties=(Penalty('r1', (0.1, 0.1)),),
        g_optimizer=adam,
        d_optimizer=adam,
        ema=Ema((100.0, 100.0)),
        batch_size=BATCH,
        images=STEPS * BATCH,
        steps_per_dispatch=2,
        log_every=2 * BATCH,
        sample_every=1000 * BATCH,
        checkpoint_every=4 * BATCH,
        grid=4,
    )
    return dataclasses.replace(config, **changes)


class Poisoned:
    """A source in which the images of some steps are not finite."""

    def __init__(self, source, steps, value=np.nan):
        self._source, self.info, self._value = source, source.info, value
        places = np.concatenate([np.arange(BATCH)[3:5] + (step - 1) * BATCH for step in steps])
        self._bad = set(np.asarray(shuffled_index(0, places, len(source))).tolist())

    def __len__(self):
        return len(self._source)

    def __getitem__(self, index):
        sample = self._source[index]
        bad = index in self._bad
        return {**sample, 'image': np.full_like(sample['image'], self._value) if bad else sample['image']}

    def labels(self):
        return self._source.labels()


def run(workdir, steps, value=np.nan, **changes):
    config = points(**changes)
    return train(make_trainer(config, Poisoned(open_source(config.data), steps, value)), workdir)


def rows(workdir, name):
    drop = ('seconds', 'images_per_second')
    path = workdir / name
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [{name: value for name, value in line.items() if name not in drop} for line in lines]


def saved(workdir):
    """The manifests of all checkpoints: SHA-256 of each leaf."""
    paths = sorted((workdir / 'checkpoints').glob('*/meta/record.json'))
    return {path.parts[-3]: json.loads(path.read_text())['leaves'] for path in paths}


@pytest.fixture(scope='module')
def failed(tmp_path_factory):
    """A run whose 7th and 12th step see images that are not finite."""
    folder = tmp_path_factory.mktemp('failed') / 'run'
    assert run(folder, (7, 12)) == 0
    return folder


def test_a_failed_step_is_named_and_training_goes_on_behind_it(failed, capsys):
    first, second = rows(failed, 'faults.jsonl')
    assert (first['step'], first['phase'], first['tensor'], first['restored']) == (7, 'd', 'batch/image', 4)
    assert (second['step'], second['phase'], second['tensor']) == (12, 'd', 'batch/image')
    assert first['found'].startswith('d/loss is nan; first not finite: batch/image (and ')
    steps = [row['step'] for row in rows(failed, 'metrics.jsonl')]
    assert steps == sorted(set(steps))
    assert steps[-1] == STEPS
    values = [value for row in rows(failed, 'metrics.jsonl') for value in row.values()]
    assert all(isinstance(value, int | float) for value in values)  # 'nan' would be a string


def test_no_checkpoint_holds_what_is_not_finite(failed):
    trainer = make_trainer(points(), open_source(points().data))
    with Checkpoints(failed / 'checkpoints') as checkpoints:
        for step in checkpoints.steps():
            state, _ = checkpoints.restore(trainer.abstract, step)
            assert (int(state.step), int(state.images_seen), int(state.fault)) == (step, step * BATCH, 0)
            leaves = [leaf for leaf in jax.tree.leaves(state) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
            assert all(np.isfinite(leaf).all() for leaf in leaves)


def test_a_run_that_is_stopped_around_a_failure_goes_the_same_way(failed, tmp_path, monkeypatch):
    """Stopped at the reports before and after it: the same checkpoints, bit by bit, and each line once."""
    original, folder = Run.report, tmp_path / 'run'

    def reporting(self, step):
        original(self, step)
        self.stop.signal = 15 * (step in (6, 9))

    def until_done(self, state, stop):
        self.stop = stop
        return done(self, state, stop)

    done = Run.until_done
    monkeypatch.setattr(Run, 'report', reporting)
    monkeypatch.setattr(Run, 'until_done', until_done)
    assert [run(folder, (7, 12)) for _ in range(3)] == [143, 143, 0]
    assert rows(folder, 'faults.jsonl') == rows(failed, 'faults.jsonl')
    assert [row['step'] for row in rows(folder, 'metrics.jsonl')] == [
        row['step'] for row in rows(failed, 'metrics.jsonl')
    ]
    there, here = saved(failed), saved(folder)
    common = set(there) & set(here)  # of those that are kept
    assert len(common) > 1 and str(STEPS) in common
    assert {step: here[step] for step in common} == {step: there[step] for step in common}


def test_the_file_of_a_failed_step_reproduces_it(failed, capsys, tmp_path):
    path = failed / 'faults' / 'step_000000007.npz'
    assert main(['reproduce', str(path)]) == 0
    found = rows(failed, 'faults.jsonl')[0]['found']
    assert capsys.readouterr().out.splitlines()[-1] == f'step 7, phase d: {found}'
    with np.load(path) as file:
        arrays = dict(file)
    good = tmp_path / 'good.npz'
    np.savez(good, **arrays | {'batch/image': np.nan_to_num(arrays['batch/image'])})
    assert main(['reproduce', str(good)]) == 4
    assert 'does not fail here: step 7, phase d: all is finite' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'state/g/params/Dense_0/kernel': np.zeros((3, 3), np.float32)}, 'state/g/params/Dense_0/kernel is'),
        ({'batch/image': np.zeros((8, 1, 1, 2), np.float64)}, 'is float64'),
        ({'batch/image': np.zeros((8, 100, 100, 2), np.float32)}, 'has 640,128 bytes'),
        ({'about': np.array('{')}, 'no fault file that can be read'),
        ({'about': np.array([{}])}, 'no fault file that can be read'),
        ({'about': np.array('{"format": 2}')}, 'format 2 is unknown'),
    ],
)
def test_a_damaged_file_is_one_line(failed, tmp_path, capsys, change, message):
    with np.load(failed / 'faults' / 'step_000000007.npz') as file:
        np.savez(tmp_path / 'f.npz', **dict(file) | change)
    assert main(['reproduce', str(tmp_path / 'f.npz')]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_what_is_no_such_file_is_one_line(tmp_path):
    (tmp_path / 'text').write_text('hello')
    for path in (tmp_path / 'text', tmp_path / 'missing', tmp_path):
        with pytest.raises(InputError, match='no fault file'):
            read_fault(path)


def test_after_three_times_a_training_gives_up(tmp_path):
    with pytest.raises(
        DivergedError, match=r'step 9, phase d: .* going back to checkpoint 4 has not helped 3'
    ) as raised:
        run(tmp_path / 'run', (6, 7, 8, 9, 12), np.inf)
    assert raised.value.code == 5
    assert '--g-optimizer.clip' in str(raised.value) and 'jaxgan reproduce' in str(raised.value)
    assert [row['step'] for row in rows(tmp_path / 'run', 'faults.jsonl')] == [6, 7, 8, 9]
    assert sorted(saved(tmp_path / 'run')) == ['4']


def test_without_a_checkpoint_it_goes_back_to_the_beginning(tmp_path):
    assert run(tmp_path / 'run', (1, 3), images=6 * BATCH) == 0
    assert [row['restored'] for row in rows(tmp_path / 'run', 'faults.jsonl')] == [0, 0]
    assert rows(tmp_path / 'run', 'metrics.jsonl')[-1]['step'] == 6


def test_a_failure_at_the_end_of_a_dispatch_is_gone_back_from_like_any_other(tmp_path):
    """A checkpoint is due at the step that fails: what was gone back to is not saved as that step's."""
    assert run(tmp_path / 'run', (8,)) == 0
    (line,) = rows(tmp_path / 'run', 'faults.jsonl')
    assert (line['step'], line['restored']) == (8, 4)
    assert '8' not in saved(tmp_path / 'run') and '12' in saved(tmp_path / 'run')


def test_a_training_whose_last_step_fails_does_not_end_as_if_it_had_not(tmp_path):
    with pytest.raises(
        DivergedError, match=r'step 16, phase d: .* the last step, so .* ends with checkpoint 12'
    ):
        run(tmp_path / 'run', (16,))
    assert max(map(int, saved(tmp_path / 'run'))) == 12


def test_a_signal_after_a_failure_saves_nothing(tmp_path, monkeypatch):
    """Stopped before anybody has looked at the failure: continued, the run comes the way of the one that was not stopped."""
    rarely = {'log_every': 12 * BATCH, 'checkpoint_every': 12 * BATCH}
    assert run(tmp_path / 'whole', (7,), **rarely) == 0

    def due(self, stop, step, reach):
        stop.signal = 15 * (step == 8)  # after the dispatch in which step 7 fails
        return bool(stop.signal)

    with monkeypatch.context() as patch:
        patch.setattr(Alone, 'due', due)
        assert run(tmp_path / 'run', (7,), **rarely) == 143
    assert not saved(tmp_path / 'run') and not rows(tmp_path / 'run', 'faults.jsonl')
    assert run(tmp_path / 'run', (7,), **rarely) == 0
    for name in ('faults.jsonl', 'metrics.jsonl'):
        assert rows(tmp_path / 'run', name) == rows(tmp_path / 'whole', name)
    assert saved(tmp_path / 'run') == saved(tmp_path / 'whole')
