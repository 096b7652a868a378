"""Directions of opened generators, as files and by commands: every model, labels from tables, and what is refused."""

import json

import jax
import numpy as np
import pytest

from jaxgan.directions import Directions
from jaxgan.errors import DamagedError, InputError
from jaxgan.making import attributes, direction_sheets
from jaxgan.making.attributes import Labelled, kinds, named, read_table
from jaxgan.making.direction_files import load_directions, save_directions
from jaxgan.making.direction_sheets import captioned, file_name, near_chance, parse_amounts, write_sheets
from jaxgan.making.directions import as_json, best_told, keep, remove_sheets, sheets_in
from jaxgan.making.edit import edited, parse_columns
from jaxgan.making.finding import by_labels, set_apart
from jaxgan.making.projections import Places
from jaxgan.opened import Generator

MODEL = 'a' * 64
D = 6
RANDOM = np.random.default_rng(0)
CODES = RANDOM.standard_normal((1000, D)).astype(np.float32)
LABELLED = Labelled(
    CODES,
    (
        named('hat', ['yes' if code[0] > 0 else 'no' for code in CODES]),
        named('hair', ['abc'[int(code[1] > -0.5) + int(code[1] > 0.5)] for code in CODES]),
        named('rare', ['x' if i < 9 else 'y' for i in range(1000)]),
    ),
)


@pytest.fixture(scope='module')
def found():
    return by_labels(LABELLED, 'z')


def test_names_figures_and_what_is_left_out(found):
    assert found.directions.names == ('hat=yes', 'hair=a', 'hair=b', 'hair=c')
    assert found.settings['left_out'] == ['rare=y']
    assert np.allclose(found.directions.vectors[0], np.eye(D)[0], atol=0.1)
    assert found.facts[0]['auc'] > 0.99 and found.facts[2]['auc'] < 0.75  # the middle is no direction
    assert np.allclose(found.directions.scales, 1, atol=0.1)


def test_apart_from_others(found):
    vectors = np.stack([np.eye(D)[0] * 0.8 + np.eye(D)[1] * 0.6, np.eye(D)[1], np.eye(D)[1]]).astype(
        np.float32
    )
    owners = ['hat', 'hair', 'hair']
    assert np.allclose(set_apart(vectors, owners, ('hair',), 0.0), [np.eye(D)[0], *vectors[1:]], atol=1e-6)
    assert (set_apart(vectors, owners, (), 0.0) == vectors).all()
    with pytest.raises(InputError, match="unknown attribute 'hut'; did you mean 'hat'"):
        set_apart(vectors, owners, ('hut',), 0.0)


def test_files(found, tmp_path):
    save_directions(tmp_path, found, MODEL)
    again = load_directions(tmp_path, MODEL)
    assert jax.tree.all(jax.tree.map(lambda a, b: np.array_equal(a, b), again, found))
    with pytest.raises(
        InputError, match='directions of another generator: of aaaaaaaa, and this is bbbbbbbb'
    ):
        load_directions(tmp_path, 'b' * 64)
    record = json.loads((tmp_path / 'directions.json').read_text())
    (tmp_path / 'directions.json').write_text(json.dumps(record | {'space': 'q'}))
    with pytest.raises(DamagedError, match="space 'q'"):
        load_directions(tmp_path)
    data = (tmp_path / 'directions.safetensors').read_bytes()
    (tmp_path / 'directions.safetensors').write_bytes(data[:-1] + b'?')
    with pytest.raises(DamagedError, match='does not match its SHA-256'):
        load_directions(tmp_path)


def test_an_unknown_attribute_is_named_before_images_are_classified(monkeypatch):
    monkeypatch.setattr(attributes, 'classify', None)
    card = {'data': {'name': 'pixel_avatars'}, 'architecture': {'size': 16, 'channels': 3}, 'labels': []}
    with pytest.raises(InputError, match="unknown attribute 'hairr'; did you mean 'hair'"):
        attributes.by_classifier(Generator({}, {}, card), 'z', 100, wanted=('all', 'hairr'))


def test_only_sheets_of_a_folder_s_directions_are_removed(found, tmp_path):
    assert sheets_in(tmp_path) == []
    save_directions(tmp_path, found, MODEL)
    names = ['0_hat_yes.png', '1_hair_a.png', '2_hair_b.png', '3_hair_c.png', 'all.png']
    assert [path.name for path in sheets_in(tmp_path)] == names
    for name in (*names[1:], 'mine.png', '4_hair_d.png'):
        (tmp_path / name).touch()
    remove_sheets(sheets_in(tmp_path))
    assert {path.name for path in tmp_path.glob('*.png')} == {'mine.png', '4_hair_d.png'}


def test_what_the_studio_gets(found):
    chosen = best_told(found, 2, least=0.8, of_one=1)
    told = as_json(keep(found, chosen))
    assert json.loads(json.dumps(told)) == told
    assert [one['attribute'] for one in told['directions']] == ['hat', 'hair']
    assert np.array_equal(np.float32(told['directions'][0]['vector']), found.directions.vectors[0])


def test_edits_add_up_and_say_so(found):
    begin = Places('z', CODES[:2], ('seed0', 'seed1'), None, MODEL, ({'seed': 0}, {'seed': 1}))
    made = edited(begin, found, ['hat=yes', '1'], [(0.0, 0.0), (2.0, -1.0)])
    assert made.names == ('seed0_+0_+0', 'seed0_+2_-1', 'seed1_+0_+0', 'seed1_+2_-1')
    assert made.codes[::2].tobytes() == CODES[:2].tobytes()
    d: Directions = found.directions
    step = 2 * d.scales[0] * d.vectors[0] - d.scales[1] * d.vectors[1]
    assert np.allclose(made.codes[1::2], CODES[:2] + step, atol=1e-5)
    again = edited(begin._replace(names=('seed5', 'seed5')), found, ['1'], [(1.0,), (1.0,)])
    assert again.names == ('seed5_+1', 'seed5_+1-2', 'seed5_+1-3', 'seed5_+1-4')
    assert made.origins[3] == {
        'seed': 1,
        'start': 'seed1',
        'directions': ['hat=yes', 'hair=a'],
        'amounts': [2.0, -1.0],
    }


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (([], [], None), 'which direction'),
        ((['a'], [1.0, 2.0], None), '1 directions need as many amounts; got 2'),
        ((['a', 'b'], [], '1,2'), '--amounts are for one --direction'),
        ((['a'], [float('nan')], None), 'amount nan must be a finite number'),
        ((['a'], [], '1,x'), "cannot read amounts '1,x'"),
    ],
)
def test_amounts_that_do_not_go_with_directions(arguments, message):
    with pytest.raises(InputError, match=message):
        parse_columns(*arguments)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'must begin with a line like seed,label'),
        ('id,label\n1,a\n', 'must begin with a line like seed,label'),
        ('seed,label\n', 'rows of labels'),
        ('seed,label\n1\n', 'row 2 has 1 fields, and the first has 2'),
        ('seed,a,a\n1,2,3\n', 'must begin'),
    ],
)
def test_tables_that_are_none(tmp_path, text, message):
    (tmp_path / 'labels.csv').write_text(text)
    with pytest.raises(InputError, match=message):
        read_table(tmp_path / 'labels.csv')


def test_kinds_of_values():
    raw = np.asarray([0, 1, 2, 3])
    found = kinds('glasses', ['none', 'dark01', 'dark02', 'light01'], raw)
    assert (found.values, found.labels.tolist()) == (('none', 'dark', 'light'), [0, 1, 1, 2])
    for values in (['#aa0011', '#aa0012'], ['variant01', 'variant02'], ['0', '1']):
        assert kinds('x', values, raw[:2]).values == tuple(values)
    assert named('x', ['b', '', 'a']).labels.tolist() == [1, -1, 0]


def test_what_is_told_by_chance_has_no_sheet(found, tmp_path, monkeypatch):
    told = found._replace(facts=tuple({'auc': auc} for auc in (0.59, 0.6, 0.5, 0.99)))
    assert near_chance(told) == [0, 2]
    assert near_chance(found._replace(facts=({'explained': 0.1},) * 4)) == []
    written = []
    monkeypatch.setattr(direction_sheets, 'write_picture', lambda path, *_: written.append(path.name))
    monkeypatch.setattr(
        direction_sheets, 'decode', lambda generator, places: np.zeros((len(places.codes), 4, 4, 3))
    )
    monkeypatch.setattr(
        direction_sheets,
        'seeded',
        lambda generator, seeds, space: Places('z', CODES[:2], ('a', 'b'), None, MODEL, ({}, {})),
    )
    monkeypatch.setattr(direction_sheets, 'in_space', lambda generator, places, space: places)
    monkeypatch.setattr(direction_sheets, 'credit_of', lambda *_, **__: None)
    write_sheets(tmp_path, Generator({}, {}, {}), told, [0, 1], [-1.0, 1.0])
    assert written == ['1_hair_a.png', '3_hair_c.png', 'all.png']
    assert write_sheets(tmp_path, Generator({}, {}, {}), keep(told, [0, 2]), [0, 1], [1.0]) == []


def test_sheets_have_names():
    rows = [np.full((3, 16, 16, 3), value, np.uint8) for value in (0, 255)]
    sheet = captioned(rows, ['hat', 'a long name'])
    assert sheet.shape[2] == 3 and sheet.shape[1] > 3 * 64
    assert (sheet[: len(sheet) // 2] != sheet[len(sheet) // 2 :]).any()
    assert file_name(0, '../x', 2) == '0_x'
    assert parse_amounts('-1,0') == [-1.0, 0.0]
