"""The ledger of exposure agrees with a run's order read forward, and what is excluded never comes."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from runs import make_data, tiny

from jaxgan.configjson import to_json
from jaxgan.data import DataConfig, open_source
from jaxgan.data.config import with_split
from jaxgan.data.exclusion import excluded_images, pixel_digest
from jaxgan.data.ledger import Order, parting, uses
from jaxgan.data.order import place_of, shuffled_index
from jaxgan.errors import InputError
from jaxgan.provenance.consent.exposure import exposure_command
from jaxgan.provenance.consent.history import expose, open_history
from jaxgan.provenance.consent.identify import Finder
from jaxgan.realimages import Reals, order

COUNTS = [1, 2, 3, 5, 16, 17, 63, 64, 65, 100, 255, 257, 1000, 4097]


def some(count, n, seed=0):
    chosen = np.random.default_rng(seed).choice(count, n, replace=False)
    return np.sort(chosen).astype(np.int32)


@pytest.mark.parametrize('count', COUNTS)
def test_places_are_found_backwards(count):
    places = np.arange(3 * count)
    images = shuffled_index(7, places, count)
    np.testing.assert_array_equal(place_of(7, images, places // count, count), places)
    assert int(place_of(7, int(images[-1]), 2, count)) == 3 * count - 1


def test_places_of_the_largest_sets_are_found_backwards():
    places = 2**32 - 1 - np.arange(100)
    for count in (2**31, 2**31 - 1, 1_281_167):
        images = shuffled_index(3, places, count)
        np.testing.assert_array_equal(place_of(3, images, places // count, count), places)


@pytest.mark.parametrize('excluded', [0, 1, 90])
def test_the_ledger_is_a_log_of_every_place(excluded):
    count, places = 3_001, 3_001 * 5 + 700
    data = Order(11, count, some(count, excluded))
    log = shuffled_index(11, np.arange(places), count, data.excluded)
    ids = np.random.default_rng(1).choice(count, 1_000, replace=False)
    for image, found in zip(ids, uses(data, ids, places), strict=True):
        assert found.tolist() == np.flatnonzero(log == image).tolist()


@pytest.mark.parametrize('count', [1, 2, 3, 5, 17])
def test_the_ledger_ends_where_it_is_told_to(count):
    everything = np.arange(count)
    for places in (0, 1, count - 1, count, count + 1, 3 * count):
        log = shuffled_index(0, np.arange(places), count)
        found = uses(Order(0, count), everything, places)
        assert [one.tolist() for one in found] == [np.flatnonzero(log == i).tolist() for i in everything]


@pytest.mark.parametrize('count', [9, 17, 100, 1000])
def test_only_the_places_of_what_is_excluded_change(count):
    places = np.arange(4 * count)
    few, more = some(count, max(1, count // 9)), some(count, count // 2, 5)
    whole, without = shuffled_index(2, places, count), shuffled_index(2, places, count, few)
    moved = np.isin(whole, few)
    np.testing.assert_array_equal(whole[~moved], without[~moved])
    assert not np.isin(without, few).any()
    both = np.union1d(few, more)
    further = shuffled_index(2, places, count, both)
    first = np.flatnonzero(np.isin(without, both))[0]  # up to there a second removal changes nothing
    np.testing.assert_array_equal(without[:first], further[:first])
    assert parting(Order(2, count, few), Order(2, count, both), len(places)) == first
    assert parting(Order(2, count, few), Order(2, count, few), len(places)) == len(places)


def test_replacements_are_spread_over_all_that_stay():
    excluded = np.arange(50, dtype=np.int32)
    places = np.arange(100 * 100)
    found = shuffled_index(0, places, 100, excluded)[shuffled_index(0, places, 100) < 50]
    counts = np.bincount(found, minlength=100)[50:]
    assert abs(counts - 100).max() < 5 * 10


def test_host_and_device_pass_over_the_same_images():
    places = np.concatenate([np.arange(300), 2**32 - 1 - np.arange(300)]).astype(np.uint32)
    excluded = some(257, 120)
    on_device = jax.jit(lambda index: shuffled_index(9, index, 257, excluded))(jnp.asarray(places))
    assert on_device.dtype == jnp.int32
    np.testing.assert_array_equal(on_device, shuffled_index(9, places, 257, excluded))


def test_the_program_of_a_training_that_excludes_nothing_is_the_same():
    index = jax.ShapeDtypeStruct((8,), jnp.uint32)
    plain = jax.make_jaxpr(lambda index: shuffled_index(9, index, 257))(index)
    empty = jax.make_jaxpr(lambda index: shuffled_index(9, index, 257, np.zeros(0, np.int32)))(index)
    other = jax.make_jaxpr(lambda index: shuffled_index(9, index, 257, np.ones(1, np.int32)))(index)
    assert str(plain) == str(empty) != str(other)


def test_one_image_has_to_stay():
    with pytest.raises(ValueError, match='2 of 2 images are excluded'):
        shuffled_index(0, np.arange(3), 2, np.arange(2))


def make_run(folder, steps=9, count=24, faults=(), **changes):
    """A run's folder as a training would leave it, but for the states."""
    config = tiny(make_data(folder, count), **changes)
    run = folder / 'run'
    run.mkdir()
    (run / 'config.json').write_text(to_json(config))
    lines = [json.dumps({'step': step, 'images_seen': 8 * step}) for step in range(1, steps + 1)]
    (run / 'metrics.jsonl').write_text('\n'.join(lines) + '\n{"step": 99, "images_')
    (run / 'faults.jsonl').write_text(''.join(json.dumps(one) + '\n' for one in faults))
    for step in (2, 6):
        (run / f'checkpoints/{step}').mkdir(parents=True)
    (run / 'best/4').mkdir(parents=True)
    return run, config


def test_steps_are_those_of_several_updates_of_d(tmp_path):
    run, _ = make_run(tmp_path, d_steps=2)
    log = shuffled_index(0, np.arange(9 * 16), 24)
    for one in expose(open_history(run), list(range(24))):
        assert one.steps.tolist() == (np.flatnonzero(log == one.image) // 16 + 1).tolist()
        assert one.before == max([step for step in (2, 4, 6) if step < one.steps[0]], default=0)
        assert one.undone == 0


def test_steps_that_were_thrown_away_are_counted_apart(tmp_path):
    run, _ = make_run(tmp_path, faults=[{'step': 5, 'restored': 2}, {'step': 1}])
    history = open_history(run)
    assert history.undone == ((3, 5),)
    log = shuffled_index(0, np.arange(9 * 8), 24)
    for one in expose(history, list(range(24))):
        steps = np.flatnonzero(log == one.image) // 8 + 1
        assert one.undone == sum(3 <= step <= 5 for step in steps)


def test_the_future_is_told_if_asked(tmp_path, capsys):
    run, _ = make_run(tmp_path)
    assert exposure_command(str(run), ('5',), True, 30) == 0
    found = json.loads(capsys.readouterr().out)
    assert found['steps'] == 30
    assert found['images'][0]['matches'][0]['uses'] == 10


def test_images_are_found_by_what_they_are(tmp_path):
    run, config = make_run(tmp_path)
    source = open_source(config.data)
    finder = Finder(source, config.data, run)
    pixels = source[7]['image']
    Image.fromarray(pixels).save(tmp_path / 'same.png')
    Image.fromarray(pixels[:, ::-1]).save(tmp_path / 'mirrored.webp', lossless=True)
    Image.fromarray(pixels // 2).save(tmp_path / 'darker.png')
    assert finder.find('7').images == (7,)
    assert finder.find(pixel_digest(pixels).upper()).images == (7,)
    assert finder.find(str(tmp_path / 'same.png'))[1:] == ((7,), 'its pixels')
    assert finder.find(str(tmp_path / 'mirrored.webp'))[1:] == ((7,), 'its mirrored pixels')
    none = finder.find(str(tmp_path / 'darker.png'))
    assert none.images == ()
    assert 'image 7 looks most like it' in none.how
    for asked, message in (('24', 'no image 24'), ('x.png', 'is no index'), ('a' * 63, 'is no index')):
        with pytest.raises(InputError, match=message):
            finder.find(asked)
    assert finder.find('a' * 64).images == ()


def test_files_of_a_folder_are_found_by_their_bytes(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
    for i, image in enumerate([*pixels, pixels[1]]):
        path = tmp_path / f'data/{i}.jpg'
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(path, quality=90 - (i == 3))  # one picture twice, in files of other bytes
    data = DataConfig(f'folder:{tmp_path}/data', flip=True)
    finder = Finder(open_source(data), data, tmp_path)
    assert finder.find(str(tmp_path / 'data/1.jpg'))[1:] == ((1,), 'its file')
    assert finder.name(1) == '1.jpg'
    assert finder.copies([1]) == []
    line = {'licence': None, 'creator': None, 'source': None, 'opt_outs': []}
    entries = [
        line
        | {'index': i, 'name': f'{i}.jpg', 'sha256': f'{i}' * 64, 'pixels': 'a' * 64, 'group': i % 2 or None}
        for i in range(4)
    ]
    (tmp_path / 'data_manifest.jsonl').write_text(''.join(json.dumps(one) + '\n' for one in entries))
    finder = Finder(open_source(data), data, tmp_path)
    assert finder.copies([1]) == [3]
    assert finder.find('2' * 64).images == (2,)


def test_exclusion_names_images_in_three_ways(tmp_path):
    config = tiny(make_data(tmp_path)).data
    source = open_source(config)
    digest = [pixel_digest(source[i]['image']) for i in range(24)]
    names = (f'5:{digest[5]}', digest[2], '9', '5')
    assert excluded_images(source, names).tolist() == [2, 5, 9]
    assert excluded_images(source, ()).tolist() == []
    for wrong, message in (
        (('24',), r'no image 24 of npz.*0 to 23'),
        ((f'5:{digest[6]}',), 'image 5 of npz.* is another one'),
        (('f' * 64,), 'no image of npz'),
        (tuple(map(str, range(13))), '13 of 24 images .* at most half'),
    ):
        with pytest.raises(InputError, match=message):
            excluded_images(source, wrong)
    for wrong in ('-1', 'x', '1:2', 'F' * 64, ''):
        with pytest.raises(InputError, match='is none of INDEX'):
            dataclasses.replace(config, exclude=(wrong,))
    chosen = dataclasses.replace(config, exclude=names)
    assert with_split(chosen, 'train') == chosen
    assert with_split(chosen, 'test').exclude == ()


def test_nothing_is_compared_with_what_is_excluded(tmp_path):
    source = open_source(tiny(make_data(tmp_path)).data)
    excluded = np.array([0, 3, 20], np.int32)
    whole, first = order(Reals(source)), order(Reals(source, 10))
    assert order(Reals(source, excluded=excluded)).tolist() == [i for i in whole if i not in (0, 3, 20)]
    some = order(Reals(source, 10, excluded=excluded)).tolist()
    assert len(set(some)) == 10
    assert not {0, 3, 20} & set(some)
    kept = [i for i in first if i not in (0, 3, 20)]
    assert some[: len(kept)] == kept
    assert len(order(Reals(source, 21, excluded=excluded))) == 21
    with pytest.raises(InputError, match='allowed: 2 to 21'):
        order(Reals(source, 22, excluded=excluded))
    assert Reals(source, excluded=excluded).fingerprint != Reals(source).fingerprint


def test_what_is_no_run_is_refused(tmp_path):
    run, _ = make_run(tmp_path)
    for asked, message in (
        ((str(tmp_path / 'none'), ('1',), False, None), 'there is no run'),
        ((str(tmp_path), ('1',), False, None), 'is no run'),
        ((str(run), (), False, None), '0 images are named'),
        ((str(run), ('1',), False, 0), 'until 0 must be at least 1'),
        ((str(run), ('1',), False, 2**31), 'until .* must be at most'),
        ((str(run), ('0' * 64,), False, None), 'no image has this SHA-256'),
        ((str(run), ('1',), False, 2**31 // 8 - 1), 'at most 16,777,216 are listed'),
    ):
        with pytest.raises(InputError, match=message):
            exposure_command(*asked)
