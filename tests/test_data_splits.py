"""Splits with slices."""

import pytest

from jaxgan.data.splits import split_name, split_range
from jaxgan.errors import InputError


@pytest.mark.parametrize(
    ('split', 'expected'),
    [
        ('train', range(0, 100)),
        ('test[:10%]', range(0, 10)),
        ('train[90%:]', range(90, 100)),
        ('train[10:20]', range(10, 20)),
        ('train[-5:]', range(95, 100)),
        ('train[-50%:-25%]', range(50, 75)),
        ('train[50:1000]', range(50, 100)),
        ('train[:]', range(0, 100)),
    ],
)
def test_slices(split, expected):
    assert split_range(split, 100) == expected


def test_percentages_split_without_gap_or_overlap():
    for count in (1, 3, 7, 101):
        parts = []
        for start in range(0, 100, 25):
            try:
                parts += split_range(f'train[{start}%:{start + 25}%]', count)
            except InputError:
                continue
        assert parts == list(range(count))


def test_name():
    assert split_name('validation[:3]') == 'validation'


@pytest.mark.parametrize('split', ['', 'train[', 'train[5]', 'train[a:b]', 'train+test', 'a b'])
def test_unreadable_splits_are_refused(split):
    with pytest.raises(InputError, match='cannot read the split'):
        split_name(split)


def test_empty_splits_are_refused():
    with pytest.raises(InputError, match='holds no sample of the 100'):
        split_range('train[5:5]', 100)
