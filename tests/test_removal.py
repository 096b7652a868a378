"""Removal is exact: what goes on from before an image's first use ends in the bits of a training that never had it."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest
from runs import make_data, run, tiny

from jaxgan.configjson import read_config
from jaxgan.data import open_source, shuffled_index
from jaxgan.errors import InputError
from jaxgan.provenance.consent.history import expose, open_history
from jaxgan.provenance.consent.removal import remove_command
from jaxgan.run.resume import check_exclusion
from jaxgan.run.trainer import make_trainer

pytestmark = pytest.mark.slow
COUNT, STEPS = 40, 10


def recipe(folder, residence='device', **changes):
    config = tiny(make_data(folder, COUNT), images=8 * STEPS, checkpoint_every=16, keep=10)
    data = dataclasses.replace(config.data, residence=residence, **changes)
    return dataclasses.replace(config, data=data)


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """A run on images that lie on the device; tests copy it."""
    folder = tmp_path_factory.mktemp('finished')
    config = recipe(folder)
    assert run(config, folder / 'a') == 0
    return config, folder / 'a'


def states(workdir):
    """The newest checkpoint's record has a SHA-256 of every leaf."""
    step = max(int(path.name) for path in (workdir / 'checkpoints').iterdir())
    record = json.loads((workdir / f'checkpoints/{step}/meta/record.json').read_text())
    return step, record['leaves']


def late(config):
    """An image that the run uses first in step 4, behind a checkpoint."""
    order = shuffled_index(config.seed, np.arange(COUNT), COUNT)
    return int(order[3 * 8 + 2])


def removed(config, a, folder):
    """Remove an image from a run; train on, and train one that never had it: whether all three ended in which states."""
    image = late(config)
    fed = expose(open_history(a), [image])[0]
    assert (fed.steps[0], fed.before, len(fed.steps)) == (4, 2, 2)
    assert remove_command(str(a), (str(image),), str(folder / 'b'), 'asked', False) == 0
    assert states(folder / 'b') == (
        2,
        json.loads((a / 'checkpoints/2/meta/record.json').read_text())['leaves'],
    )
    without = read_config(folder / 'b/config.json')
    assert without.data.exclude[0].startswith(f'{image}:')
    assert run(without, folder / 'b') == run(without, folder / 'c') == 0
    return image, states(a), states(folder / 'b'), states(folder / 'c')


def check_same(a, b, c):
    assert b[0] == c[0] == STEPS
    assert b[1] == c[1]
    assert a[0] == STEPS
    assert a[1] != c[1]


def test_a_run_that_goes_on_without_an_image_is_one_that_never_had_it(finished, tmp_path):
    image, *ends = removed(*finished, tmp_path)
    check_same(*ends)
    again = expose(open_history(tmp_path / 'b'), [image])[0]
    assert again.excluded
    assert len(again.steps) == 0
    assert json.loads((tmp_path / 'b/removals.jsonl').read_text())['first_step'] == 4
    assert logged(tmp_path / 'b') == logged(tmp_path / 'c')


def test_so_it_is_where_images_are_streamed(tmp_path):
    config = recipe(tmp_path, 'stream')
    assert run(config, tmp_path / 'a') == 0
    check_same(*removed(config, tmp_path / 'a', tmp_path)[1:])


def logged(workdir):
    texts = (workdir / 'metrics.jsonl').read_text().splitlines()
    return [{k: v for k, v in json.loads(text).items() if 'second' not in k} for text in texts]


def test_batches_never_hold_what_is_excluded(tmp_path):
    images = [3, 7, 20]
    config = recipe(tmp_path, 'device', exclude=('3', '7', '20'))
    source = open_source(config.data)
    barred = {source[i]['image'].tobytes() for i in images}
    batches = {}
    for residence in ('device', 'stream'):
        data = dataclasses.replace(config.data, residence=residence)
        trainer = make_trainer(dataclasses.replace(config, data=data), source)
        batch = jax.jit(trainer.feed.batch)
        batches[residence] = [
            np.asarray(batch(trainer.feed.take(step, 1), step, 0)['image']) for step in range(STEPS)
        ]
        trainer.feed.close()
    np.testing.assert_array_equal(batches['device'], batches['stream'])
    given = [image.tobytes() for batch in batches['device'] for image in batch]
    assert len(given) == 8 * STEPS
    assert not barred & set(given)


def test_a_second_removal_and_one_without_a_checkpoint(tmp_path):
    config = recipe(tmp_path, exclude=('5',))
    order = shuffled_index(config.seed, np.arange(8 * STEPS), COUNT, np.array([5], np.int32))
    run(config, tmp_path / 'a')
    image = next(i for i in range(COUNT) if i != 5 and not np.isin(i, order[: 8 * 4]))
    assert remove_command(str(tmp_path / 'a'), (str(image),), str(tmp_path / 'b'), 'asked', False) == 0
    assert states(tmp_path / 'b')[0] == 4
    without = read_config(tmp_path / 'b/config.json')
    assert without.data.exclude[0] == '5'
    assert run(without, tmp_path / 'b') == run(without, tmp_path / 'c') == 0
    assert states(tmp_path / 'b') == states(tmp_path / 'c')
    assert remove_command(str(tmp_path / 'b'), (str(order[0]),), str(tmp_path / 'd'), 'asked', False) == 0
    assert not (tmp_path / 'd/checkpoints').exists()
    lines = [json.loads(text) for text in (tmp_path / 'd/removals.jsonl').read_text().splitlines()]
    assert [(line['run'], line['checkpoint'], line['first_step']) for line in lines] == [
        ('a', 4, 5),
        ('b', 0, 1),
    ]


def test_a_run_that_has_seen_an_image_cannot_be_said_not_to_have(finished, tmp_path):
    config, a = finished
    shutil.copytree(a, tmp_path / 'a')
    image = late(config)
    without = dataclasses.replace(config, data=dataclasses.replace(config.data, exclude=(str(image),)))
    with pytest.raises(InputError, match=r'another configuration \(data.exclude.*jaxgan remove'):
        run(without, tmp_path / 'a')
    text = (tmp_path / 'a/config.json').read_text()
    (tmp_path / 'a/config.json').write_text(text.replace('"exclude": []', f'"exclude": ["{image}"]'))
    with pytest.raises(InputError, match=r'checkpoint .*/10 was trained without leaving out .* step 4 had'):
        run(without, tmp_path / 'a')
    trainer = make_trainer(without, open_source(without.data))
    meta = json.loads((tmp_path / 'a/checkpoints/2/meta/record.json').read_text())['meta']
    check_exclusion(trainer, meta, 'checkpoint 2', 2)
    with pytest.raises(InputError, match='step 4 had'):
        check_exclusion(trainer, meta, 'checkpoint 4', 4)
