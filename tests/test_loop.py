"""The loop: continuing equals never stopping, where the data live changes nothing, and what a run leaves behind."""

import dataclasses
import json
import os
import signal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from runs import make_data, run, tiny

from jaxgan.checkpoints.checkpoint import Checkpoints
from jaxgan.config import Config
from jaxgan.data import DataConfig, open_source
from jaxgan.errors import InputError
from jaxgan.modelconfig import R3GAN
from jaxgan.run import loop, rundir
from jaxgan.run.trainer import make_trainer
from jaxgan.run.training import train


def final_state(config, workdir):
    trainer = make_trainer(config, open_source(config.data))
    with Checkpoints(workdir / 'checkpoints') as checkpoints:
        state, _ = checkpoints.restore(trainer.abstract)
    return jax.tree.map(
        lambda leaf: np.asarray(
            jax.random.key_data(leaf) if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else leaf
        ),
        state,
    )


def lines(workdir):
    rows = [json.loads(line) for line in (workdir / 'metrics.jsonl').read_text().splitlines()]
    drop = ('seconds', 'images_per_second')
    return [{name: value for name, value in row.items() if name not in drop} for row in rows]


@pytest.fixture(scope='module')
def whole(tmp_path_factory):
    """A run without interruption: 8 steps."""
    folder = tmp_path_factory.mktemp('whole')
    config = tiny(make_data(folder))
    assert run(config, folder / 'run') == 0
    return config, folder / 'run'


def test_a_run_is_a_folder_of_readable_things(whole):
    _, workdir = whole
    assert json.loads((workdir / 'config.json').read_text())['batch_size'] == 8
    assert [row['images_seen'] for row in lines(workdir)] == [16, 32, 48, 64]
    assert {'d/loss', 'g/loss', 'd/real', 'd/fake', 'd/r1', 'd/r2'} <= set(lines(workdir)[0])
    assert sorted(path.name for path in (workdir / 'samples').iterdir()) == [
        *(f'{n:09d}.png' for n in (0, 32, 64)),
        'provenance.jsonl',
    ]
    with Image.open(workdir / 'samples' / '000000064.png') as image:
        assert image.size[0] >= 2 * 64  # four tiles, enlarged
    assert list((workdir / 'tensorboard').iterdir())
    assert sorted(int(p.name) for p in (workdir / 'checkpoints').iterdir() if p.name.isdigit()) == [4, 8]


def test_stopping_and_continuing_equals_never_stopping(whole, tmp_path):
    """N steps, stop, N steps: the same bits as 2N steps, data order and metrics included."""
    config, workdir = whole
    assert run(dataclasses.replace(config, images=32), tmp_path / 'run') == 0
    assert run(config, tmp_path / 'run') == 0
    jax.tree.map(
        np.testing.assert_array_equal, final_state(config, tmp_path / 'run'), final_state(config, workdir)
    )
    assert lines(tmp_path / 'run') == lines(workdir)


@pytest.mark.slow
def test_a_signal_saves_and_the_same_command_continues(whole, tmp_path, monkeypatch):
    config, workdir = whole
    taken = []

    def interrupting(*args):
        taken.append(args)
        if len(taken) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return original(*args)

    original = loop.Run.report
    monkeypatch.setattr(loop.Run, 'report', interrupting)
    assert run(config, tmp_path / 'run') == 128 + signal.SIGTERM
    with Checkpoints(tmp_path / 'run' / 'checkpoints') as checkpoints:
        assert checkpoints.latest() == 4
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL  # the handler is gone again
    assert run(config, tmp_path / 'run') == 0
    jax.tree.map(
        np.testing.assert_array_equal, final_state(config, tmp_path / 'run'), final_state(config, workdir)
    )
    assert lines(tmp_path / 'run') == lines(workdir)


@pytest.mark.slow
def test_streamed_data_train_to_the_same_bits(whole, tmp_path):
    config, workdir = whole
    streamed = dataclasses.replace(config, data=dataclasses.replace(config.data, residence='stream'))
    assert run(streamed, tmp_path / 'run') == 0
    jax.tree.map(
        np.testing.assert_array_equal, final_state(config, tmp_path / 'run'), final_state(config, workdir)
    )


def test_nothing_compiles_after_the_first_dispatch(whole, tmp_path, monkeypatch):
    config, _ = whole
    compiled, at, opened = [], [], []

    def listen(event, duration, **kwargs):
        if event.endswith('backend_compile_duration'):
            compiled.append(event)

    def counting(self, step):
        at.append(len(compiled))
        opened.append((self.workdir / 'checkpoints').exists())
        original(self, step)

    original = loop.Run.report
    monkeypatch.setattr(loop.Run, 'report', counting)
    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        assert run(dataclasses.replace(config, seed=1), tmp_path / 'run') == 0
    finally:
        jax.monitoring.clear_event_listeners()
    assert at[0] > 0  # the listener hears
    assert len(set(at)) == 1  # the same count at each later report
    assert not opened[0] and all(
        opened[1:]
    )  # the first line of metrics does not wait for the checkpoints' folder


@pytest.mark.slow
def test_labels_reach_the_networks_and_the_grid(whole, tmp_path):
    config, _ = whole
    config = dataclasses.replace(config, conditional=True, images=16)
    trainer = make_trainer(config, open_source(config.data))
    assert 'Embed_0' in trainer.abstract.g.params
    assert run(config, tmp_path / 'run') == 0


def test_a_finished_run_stays_as_it_is(whole, capsys):
    config, workdir = whole
    before = lines(workdir)
    trainer = make_trainer(config, open_source(config.data))
    assert train(trainer, workdir) == 0
    assert 'is finished: 64 images' in capsys.readouterr().out
    assert lines(workdir) == before
    assert trainer.program.started and not trainer.init.started  # there is a checkpoint


def test_a_folder_with_another_run_or_other_files_is_refused(whole, tmp_path):
    config, workdir = whole
    with pytest.raises(InputError, match='batch_size: 8 -> 4'):
        rundir.open_run(workdir, dataclasses.replace(config, batch_size=4))
    (tmp_path / 'letter.txt').write_text('hello')
    with pytest.raises(InputError, match='exists and holds no run'):
        rundir.open_run(tmp_path, config)
    (tmp_path / 'config.json').write_text('{"batch_size": ')
    with pytest.raises(InputError, match=r'config.json cannot be read'):
        rundir.open_run(tmp_path, config)


def test_conditional_training_needs_labels(whole):
    config, _ = whole
    config = dataclasses.replace(
        config, conditional=True, data=dataclasses.replace(config.data, label='none')
    )
    with pytest.raises(InputError, match='needs labels'):
        make_trainer(config, open_source(config.data))


def test_the_default_is_the_embedded_data():
    assert Config().data == DataConfig('pixel_avatars')


@pytest.mark.slow
def test_a_run_in_one_stage_with_rematerialized_blocks(tmp_path):
    """Both options reach the step that is trained: another course than in two stages, with the same metrics."""
    model = R3GAN(latent_dim=4, widths=(4, 4, 4), groups=(1, 1, 1), blocks_per_stage=1, remat=True)
    config = tiny(make_data(tmp_path), model=model, training='one_stage', images=16)
    trainer = make_trainer(config, open_source(config.data))
    assert 'opt-barrier' in trainer.program.compiled().as_text()
    _, metrics = trainer.dispatch(trainer.init(), 0, 2)
    assert {'d/loss', 'g/loss', 'd/r1', 'g/grad_norm', 'd/grad_norm'} <= set(metrics)
    assert all(np.isfinite(float(value)) for value in metrics.values())
