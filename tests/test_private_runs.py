"""Private training as a run: what it writes, that it goes on exactly, what it refuses, and that its secret is nowhere."""

import base64
import dataclasses
import json
import shutil
from pathlib import Path

import jax
import numpy as np
import pytest
from runs import make_data, run, tiny

from jaxgan.checkpoints.checkpoint import Checkpoints
from jaxgan.checkpoints.filetable import hash_file
from jaxgan.checkpoints.manifest import named_leaves
from jaxgan.cli import main
from jaxgan.config import Config, Optimizer
from jaxgan.data import open_source
from jaxgan.errors import DivergedError, InputError
from jaxgan.modelconfig import DCGAN, StyleGAN2
from jaxgan.privacy import accountant
from jaxgan.privacy.config import Privacy
from jaxgan.privacy.keys import update_keys
from jaxgan.run.assembly import assemble
from jaxgan.run.resume import check_plan
from jaxgan.run.trainer import make_trainer
from jaxgan.run.training import longer

SECRET = bytes(range(7, 39))


def private(folder, **changes):
    key = folder / 'secret.key'
    key.write_bytes(SECRET)
    own = {'dp': Privacy(noise=1.0, key=str(key), at_once=4), 'loss': 'non_saturating', 'penalties': ()}
    return tiny(make_data(folder), **own | changes)


def record(workdir, step):
    return json.loads((workdir / 'checkpoints' / str(step) / 'meta' / 'record.json').read_text())['meta']


def leaves(config, workdir):
    with Checkpoints(workdir / 'checkpoints', keep=9) as found:
        state, _ = found.restore(make_trainer(config, open_source(config.data)).abstract)
    return {name: np.asarray(leaf) for name, leaf in named_leaves(state.replace(key=0)).items()}


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('private')


@pytest.fixture(scope='module')
def whole(folder):
    """A run of 8 steps, its configuration and the keys of its updates."""
    config = private(folder)
    keys = []
    trainer = make_trainer(config, open_source(config.data))
    keys = np.asarray(trainer.feed.take(0, 8)['keys'])
    assert run(config, folder / 'whole') == 0
    return config, folder / 'whole', keys


@pytest.mark.slow
def test_what_was_spent_stands_in_the_checkpoint_the_cards_and_the_export(whole, folder, capsys):
    _, workdir, _ = whole
    told = record(workdir, 8)['privacy']
    q = int(8 * 2**32 / 24) / 2**32
    exact = accountant.epsilon(q, 1.0, 8, 0.1 / 24 - told['overflow'])
    assert exact <= told['epsilon'] <= exact * 1.001
    assert (told['images'], told['updates'], told['noise'], told['expected_batch']) == (24, 8, 1.0, 8)
    assert record(workdir, 4)['privacy']['epsilon'] < told['epsilon']
    (workdir / 'copies.safetensors').write_bytes(b'thumbnails')
    assert main(['export', str(workdir), str(folder / 'export')]) == 0
    (workdir / 'copies.safetensors').unlink()
    assert 'without copies.safetensors' in capsys.readouterr().out
    assert not (folder / 'export' / 'copies.safetensors').exists()
    for card in (workdir / 'MODEL_CARD.md', folder / 'export' / 'MODEL_CARD.md'):
        text = card.read_text()
        assert '## Privacy' in text and '`record.json: meta.privacy.epsilon`' in text
        assert f'{told["epsilon"]:.4g}'[:4] in text and 'add or remove one image' in text
    assert json.loads((folder / 'export' / 'generator.json').read_text())['trained']['privacy'] == told
    assert 'differential privacy: epsilon' in (workdir / 'dataset.croissant.json').read_text()
    assert main(['card', str(folder / 'export'), '--out', str(folder / 'cards')]) == 0
    assert '`generator.json: trained.privacy.epsilon`' in (folder / 'cards' / 'MODEL_CARD.md').read_text()


@pytest.mark.slow
def test_nothing_written_has_the_secret_or_what_is_made_of_it_or_statistics_of_real_images(whole, folder):
    config, workdir, keys = whole
    update = keys[3].astype('<u4')
    needles = [SECRET, SECRET.hex().encode(), base64.b64encode(SECRET)[:40], SECRET[:8]]
    needles += [row.tobytes() for row in update.reshape(-1, 2)] + [
        str(int(word)).encode() for word in update.reshape(-1)
    ]
    for path in [path for root in (workdir, folder / 'export') for path in root.rglob('*') if path.is_file()]:
        data = path.read_bytes()
        assert not [needle for needle in needles if needle in data], path
    stored = b''.join(leaf.tobytes() for leaf in leaves(config, workdir).values())
    assert not [needle for needle in needles if needle in stored]
    lines = [json.loads(line) for line in (workdir / 'metrics.jsonl').read_text().splitlines()]
    assert lines and all(
        set(line) & {'d/loss', 'd/real', 'd/fake', 'd/real_sign', 'd/r1'} == set() for line in lines
    )
    assert 'd/grad_norm' in lines[-1]


@pytest.mark.slow
def test_documents_that_go_beside_exports_have_no_digest_of_the_images(whole, tmp_path):
    """Who knows all images but one, and a digest of all, could try that one."""
    workdir = shutil.copytree(whole[1], tmp_path / 'run')
    assert main(['manifest', str(workdir)]) == 0
    assert main(['card', str(workdir)]) == 0 == main(['export', str(workdir), str(tmp_path / 'export')])
    manifest, inside = workdir / 'data_manifest.jsonl', workdir / 'checkpoints' / '8' / 'meta' / 'record.json'
    needles = [hash_file(manifest), hash_file(inside), record(workdir, 8)['fingerprint']['sha256']]
    needles += [
        value for value in json.loads(manifest.read_text().splitlines()[-1]).values() if len(str(value)) > 30
    ]
    assert len(needles) > 3
    texts = [path.read_text() for path in (tmp_path / 'export').iterdir() if path.suffix in ('.md', '.json')]
    assert len(texts) == 3 and not [one for one in needles for text in texts if str(one) in text]
    assert 'private training' in (tmp_path / 'export' / 'MODEL_CARD.md').read_text()


@pytest.mark.slow
def test_it_goes_on_exactly_and_keys_are_of_run_data_and_update(whole, folder):
    config, workdir, keys = whole
    half = dataclasses.replace(config, images=32)
    assert run(half, folder / 'halves') == 0
    assert run(config, folder / 'halves') == 0  # more images with noise given: more is spent, and said
    assert record(folder / 'halves', 4)['privacy']['planned_updates'] == 4
    wanted, found = leaves(config, workdir), leaves(config, folder / 'halves')
    assert set(wanted) == set(found)
    for name in wanted:
        np.testing.assert_array_equal(wanted[name], found[name], err_msg=name)
    assert len({tuple(row) for row in keys.reshape(-1, 2).tolist()}) == 24
    other = make_trainer(dataclasses.replace(config, seed=1), open_source(config.data)).feed.take(0, 8)[
        'keys'
    ]
    assert not np.any(np.asarray(other) == keys)
    assert update_keys(b'x' * 32, 0).tolist() != keys[0, 0].tolist()


@pytest.mark.slow
def test_a_training_for_an_epsilon_cannot_be_made_longer_or_shorter(folder):
    config = private(folder, dp=Privacy(epsilon=8.0, key=str(folder / 'secret.key'), at_once=4), images=32)
    workdir = folder / 'bounded'
    assert run(config, workdir) == 0
    told = record(workdir, 4)['privacy']
    assert 7.9 < told['epsilon'] <= 8.0 and told['planned_epsilon'] == 8.0
    message = r'cannot go on privately: its noise is .* chosen for 4 updates of D'
    with pytest.raises(InputError, match=message):
        run(dataclasses.replace(config, images=64), workdir)
    shorter = make_trainer(dataclasses.replace(config, images=16), open_source(config.data))
    with pytest.raises(InputError, match=message):
        check_plan(shorter, {'privacy': told}, 'checkpoint', 4)
    assert record(workdir, 4)['privacy'] == told


@pytest.mark.slow
def test_a_step_that_fails_leaves_no_images_and_no_keys(folder):
    config = private(folder, d_optimizer=Optimizer((1e38, 1e38), name='sgd'))
    with pytest.raises(DivergedError, match='step 4, phase g'):  # each time with the keys of a later step
        run(config, folder / 'failed')
    lines = [json.loads(line) for line in (folder / 'failed' / 'faults.jsonl').read_text().splitlines()]
    assert [line['step'] for line in lines] == [1, 2, 3, 4] and {line['file'] for line in lines} == {''}
    assert not (folder / 'failed' / 'faults').exists()


@pytest.mark.slow
def test_who_saw_what_is_not_told(whole, tmp_path, capsys):
    _, workdir, _ = whole
    for argv in (
        ['exposure', str(workdir), '3'],
        ['remove', str(workdir), '3', '--out', str(tmp_path / 'new'), '--reason', 'asked'],
    ):
        assert main(argv) == 2
        error = capsys.readouterr().err
        assert 'was trained privately' in error and error.count('\n') == 1
    assert not (tmp_path / 'new').exists()


@pytest.mark.slow
def test_excluded_images_are_in_no_update_and_raise_the_chance_of_others(folder):
    config = private(folder)
    config = dataclasses.replace(
        config, data=dataclasses.replace(config.data, exclude=tuple(map(str, range(6))))
    )
    trainer = make_trainer(config, open_source(config.data))
    assert trainer.plan.images == 18 and trainer.plan.chance == pytest.approx(8 / 18)
    batch = jax.jit(trainer.feed.batch)(trainer.feed.take(0, 1), 0, 0)['private']
    taken = np.asarray(batch['index'])[np.asarray(batch['present'])]
    assert len(taken) and taken.min() >= 6
    twice = dataclasses.replace(config, data=dataclasses.replace(config.data, exclude=('0', '0')))
    with pytest.raises(InputError, match=r'data.exclude has 2 names, and they are 1 images'):
        make_trainer(twice, open_source(twice.data))


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'model': DCGAN(8, 4)}, 'discriminator that does not mix samples'),
        (
            {'model': StyleGAN2(8, 8, 1, 1, 64, 8, d_deviation_group=4)},
            'discriminator that does not mix samples',
        ),
        ({'loss': 'relativistic'}, "generator does not see D's logits of real images"),
    ],
)
@pytest.mark.slow
def test_networks_that_mix_and_losses_that_show_real_logits_are_refused(folder, changes, message):
    config = private(folder, **changes)
    with pytest.raises(InputError, match=message) as caught:
        assemble(config, open_source(config.data).info)
    assert '\n' not in str(caught.value)


@pytest.mark.slow
def test_a_missing_or_short_secret_is_refused_before_anything_is_written(folder, capsys):
    config = private(folder)
    short = folder / 'short.key'
    short.write_bytes(b'short')
    for path, message in ((folder / 'none.key', 'dp.key'), (short, 'dp.key .* has 5 bytes')):
        wrong = dataclasses.replace(config, dp=dataclasses.replace(config.dp, key=str(path)))
        with pytest.raises(InputError, match=message):
            run(wrong, folder / 'never')
    assert not Path(folder / 'never').exists()


@pytest.mark.parametrize(
    ('dp', 'said'),
    [
        (Privacy(), 'a larger --images continues it'),
        (Privacy(epsilon=1.0), 'its noise is for this length: dp.epsilon cannot be kept by a longer one'),
        (Privacy(noise=1.0), 'a larger --images continues it, and spends more'),
    ],
)
def test_a_finished_run_says_whether_it_can_go_on(dp, said):
    assert longer(Config(dp=dp)) == said
