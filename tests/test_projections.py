"""Places of images as files: the same comes back; what was changed, or belongs to another generator, is refused."""

import json

import numpy as np
import pytest

from jaxgan.errors import DamagedError, InputError
from jaxgan.making.projections import CODES, RECORD, Places, load_places, save_places

PLACES = Places(
    'w+',
    np.arange(12, dtype=np.float32).reshape(2, 3, 2),
    ('cat', 'dog'),
    np.asarray([1, 0], np.int32),
    'ab' * 32,
    ({'file': 'cat.png', 'psnr': 31.5}, {'seed': 7}),
    {'conv_0': np.ones((2, 4, 4), np.float32)},
    {'params/dense/bias': np.full(3, 0.5, np.float32)},
)


@pytest.fixture
def folder(tmp_path):
    save_places(tmp_path / 'found', PLACES)
    return tmp_path / 'found'


@pytest.mark.parametrize(
    'changes', [{}, {'noise': None, 'patch': None}, {'labels': None}], ids=['all', 'bare', 'plain']
)
def test_the_same_comes_back(tmp_path, changes):
    places = PLACES._replace(**changes)
    save_places(tmp_path, places)
    found = load_places(tmp_path, places.model)
    assert found.names == places.names and found.origins == places.origins and found.space == places.space
    for name in ('codes', 'labels', 'noise', 'patch'):
        np.testing.assert_equal(getattr(found, name), getattr(places, name))


def test_another_generators_are_refused(folder):
    assert load_places(folder).model == PLACES.model
    with pytest.raises(InputError, match='of another generator: of abababab, and this is cdcdcdcd'):
        load_places(folder, 'cd' * 32)


def test_no_folder_is_said(tmp_path):
    with pytest.raises(InputError, match=r'holds no projections: projections\.json is missing'):
        load_places(tmp_path)


def test_every_flipped_byte_of_the_codes_is_seen(folder):
    data = bytearray((folder / CODES).read_bytes())
    for i in range(len(data)):
        data[i] ^= 1
        (folder / CODES).write_bytes(data)
        with pytest.raises(DamagedError, match='does not match its SHA-256'):
            load_places(folder)
        data[i] ^= 1


@pytest.mark.parametrize('field', ['format_version', 'model', 'space', 'sha256', 'images'])
@pytest.mark.parametrize('value', [None, 3, 'x', [], {}], ids=str)
def test_hostile_records_are_one_error(folder, field, value):
    record = json.loads((folder / RECORD).read_text())
    (folder / RECORD).write_text(json.dumps({**record, field: value}))
    with pytest.raises(InputError):
        load_places(folder)
    (folder / RECORD).write_text(json.dumps({key: kept for key, kept in record.items() if key != field}))
    with pytest.raises(InputError):
        load_places(folder)
