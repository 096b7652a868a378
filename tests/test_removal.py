"""Removal is exact: what goes on from before an image's first use ends in the bits of a training that never had it."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from runs import make_data, run, tiny

from jaxgan.checkpoints.checkpoint import Checkpoints
from jaxgan.checkpoints.manifest import leaves_on_host
from jaxgan.configjson import read_config
from jaxgan.data import open_source, shuffled_index
from jaxgan.errors import InputError
from jaxgan.provenance.history import expose, open_history
from jaxgan.provenance.removal import remove_command
from jaxgan.run.trainer import make_trainer

pytestmark = pytest.mark.slow
COUNT, STEPS = 40, 10


def recipe(folder, residence, **changes):
    config = tiny(make_data(folder, COUNT), images=8 * STEPS, checkpoint_every=16, keep=10)
    data = dataclasses.replace(config.data, residence=residence, **changes)
    return dataclasses.replace(config, data=data)


def states(workdir):
    """The newest checkpoint's record has a SHA-256 of every leaf."""
    step = max(int(path.name) for path in (workdir / 'checkpoints').iterdir())
    record = json.loads((workdir / f'checkpoints/{step}/meta/record.json').read_text())
    return step, record['leaves']


def late(config):
    """An image that the run uses first in step 4, behind a checkpoint."""
    order = shuffled_index(config.seed, np.arange(COUNT), COUNT)
    return int(order[3 * 8 + 2])


@pytest.mark.parametrize('residence', ['device', 'stream'])
def test_a_run_that_goes_on_without_an_image_is_one_that_never_had_it(tmp_path, residence, monkeypatch):
    config = recipe(tmp_path, residence)
    image = late(config)
    assert run(config, tmp_path / 'a') == 0
    fed = expose(open_history(tmp_path / 'a'), [image])[0]
    assert (fed.steps[0], fed.before, len(fed.steps)) == (4, 2, 2)
    assert remove_command(str(tmp_path / 'a'), (str(image),), str(tmp_path / 'b'), 'asked', False) == 0
    without = read_config(tmp_path / 'b/config.json')
    assert without.data.exclude[0].startswith(f'{image}:')
    assert states(tmp_path / 'b')[0] == 2  # where it stands
    # the images that it is given from there on
    seen = []
    source = open_source(without.data)
    if residence == 'stream':
        cls = type(source)
        read = cls.__getitem__
        monkeypatch.setattr(cls, '__getitem__', lambda self, i: (seen.append(int(i)), read(self, i))[1])
    assert run(without, tmp_path / 'b') == 0
    monkeypatch.undo()
    assert run(without, tmp_path / 'c') == 0
    a, b, c = (states(tmp_path / name) for name in 'abc')
    assert b[0] == c[0] == STEPS
    assert b[1] == c[1]
    assert a[1] != c[1]
    again = open_history(tmp_path / 'b')
    assert expose(again, [image])[0].excluded
    assert len(expose(again, [image])[0].steps) == 0
    assert json.loads((tmp_path / 'b/removals.jsonl').read_text())['first_step'] == 4
    assert [json.loads(text)['step'] for text in (tmp_path / 'b/metrics.jsonl').read_text().splitlines()] == [
        json.loads(text)['step'] for text in (tmp_path / 'c/metrics.jsonl').read_text().splitlines()
    ]


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


def test_a_second_removal_and_one_without_a_checkpoint_are_exact_too(tmp_path):
    config = recipe(tmp_path, 'device', exclude=('5',))
    order = shuffled_index(config.seed, np.arange(COUNT), COUNT, np.array([5], np.int32))
    run(config, tmp_path / 'a')
    for image, stands in ((int(order[4 * 8 + 5]), 4), (int(order[0]), None)):
        name = f'b{image}'
        remove_command(str(tmp_path / 'a'), (str(image),), str(tmp_path / name), 'asked', False)
        assert (tmp_path / name / 'checkpoints').exists() == (stands is not None)
        if stands:
            assert states(tmp_path / name)[0] == stands
            without = read_config(tmp_path / name / 'config.json')
            assert without.data.exclude[0] == '5'
            run(without, tmp_path / name)
            run(without, tmp_path / 'c')
            assert states(tmp_path / name) == states(tmp_path / 'c')


def test_a_run_that_has_seen_an_image_cannot_be_said_not_to_have(tmp_path):
    config = recipe(tmp_path, 'device')
    image = late(config)
    without = dataclasses.replace(config, data=dataclasses.replace(config.data, exclude=(str(image),)))
    run(config, tmp_path / 'a')
    with pytest.raises(InputError, match=r'another configuration \(data.exclude.*jaxgan remove'):
        run(without, tmp_path / 'a')
    text = (tmp_path / 'a/config.json').read_text()
    (tmp_path / 'a/config.json').write_text(text.replace('"exclude": []', f'"exclude": ["{image}"]'))
    with pytest.raises(InputError, match=r'checkpoint .*/10 was trained without leaving out .* step 4 had'):
        run(without, tmp_path / 'a')
    with Checkpoints(tmp_path / 'a/checkpoints', keep=10) as kept:
        kept.drop_after(2)  # before the first use it fits
        like = make_trainer(without, open_source(without.data)).abstract
        assert len(leaves_on_host(kept.restore(like)[0])) > 10
    assert run(without, tmp_path / 'a') == 0
