"""``data.subset``: parts that lie within each other, what they leave out, and that nothing else sees the difference."""

import numpy as np
import pytest
from PIL import Image

from jaxgan.choices import open_held_out
from jaxgan.data.config import DataConfig, with_split
from jaxgan.data.source import open_source, read_all, read_many
from jaxgan.errors import InputError


@pytest.fixture
def npz(tmp_path):
    images = np.arange(40, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    labels = np.arange(40) % 3
    np.savez(tmp_path / 'x.npz', x_train=images, y_train=labels, x_test=images[:5], y_test=labels[:5])
    return f'npz:{tmp_path}/x.npz'


def numbers(source):
    return read_all(source)['image'][:, 0, 0, 0].tolist()


def test_parts_lie_within_each_other_and_with_the_rest_they_are_all(npz):
    ten, twenty = (numbers(open_source(DataConfig(npz, subset=n))) for n in (10, 20))
    assert len(ten) == 10 and set(ten) < set(twenty) and ten == sorted(ten)
    assert ten != list(range(10)), 'they are chosen at random'
    rest = open_held_out(DataConfig(npz, subset=10), 'rest')
    assert sorted(ten + numbers(rest)) == list(range(40)) and rest.info.count == len(rest) == 30
    assert numbers(open_held_out(DataConfig(npz, subset=10), None)) == numbers(rest)
    assert numbers(open_held_out(DataConfig(npz, subset=-10), 'rest')) == ten


def test_a_part_reads_as_its_source_does(npz):
    whole, part = open_source(DataConfig(npz)), open_source(DataConfig(npz, subset=7))
    places = numbers(part)
    assert part.labels().tolist() == whole.labels()[places].tolist()
    for one, other in zip(read_many(part, [3, 0]), (part[3], part[0])):
        assert one['label'] == other['label'] and (one['image'] == other['image']).all()
    assert part.info.split == whole.info.split and part.info.count == 7


def test_another_split_is_whole(npz):
    config = DataConfig(npz, subset=7)
    assert with_split(config, 'train') == config
    assert with_split(config, 'test') == DataConfig(npz, split='test')
    assert len(open_held_out(config, 'test')) == 5


def test_a_folder_knows_its_files(tmp_path):
    for i in range(12):
        (tmp_path / f'c{i % 2}').mkdir(exist_ok=True)
        Image.fromarray(np.full((4, 4, 3), i, np.uint8)).save(tmp_path / f'c{i % 2}' / f'{i:02}.png')
    source = open_source(DataConfig(f'folder:{tmp_path}', subset=5))
    assert len(source.names) == len(source.statements) == len(source) == source.info.count == 5
    assert [int(name[3:5]) for name in source.names] == numbers(source)
    assert source.labels().tolist() == [int(name[1]) for name in source.names]
    assert len(open_held_out(DataConfig(f'folder:{tmp_path}', subset=5), None)) == 7


@pytest.mark.parametrize(
    ('subset', 'message'),
    [
        (0, 'data.subset is 0; it must be at least 1'),
        (41, r'data.subset 41 of npz:.*, split train: it has 40 images \(allowed: 1 to 40, and -1 to -39\)'),
        (-40, 'data.subset -40'),
    ],
)
def test_what_cannot_be_is_refused(npz, subset, message):
    with pytest.raises(InputError, match=message):
        open_source(DataConfig(npz, subset=subset))


def test_without_a_part_there_is_no_rest(npz):
    with pytest.raises(InputError, match=r"'rest' is what data.subset leaves out, and the training had none"):
        open_held_out(DataConfig(npz), 'rest')
    assert len(open_held_out(DataConfig(npz, subset=40), None)) == 5, 'nothing is left out: the test images'
