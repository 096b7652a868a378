"""Splits with slices, as TFDS writes them: ``train``, ``train[:10%]``, ``test[100:-100]``."""

import re

from jaxgan.errors import InputError

_SPLIT = re.compile(r'(?P<name>\w+)(\[(?P<start>-?\d{1,18}%?)?:(?P<stop>-?\d{1,18}%?)?\])?')


def _parse(split: str) -> re.Match:
    match = _SPLIT.fullmatch(split)
    if match is None:
        raise InputError(
            f'cannot read the split {split!r}; allowed are forms like train, train[:10%], train[100:200]'
        )
    return match


def split_name(split: str) -> str:
    """Take the name out of a split.

    >>> split_name('train[:10%]')
    'train'
    """
    return _parse(split)['name']


def split_range(split: str, count: int) -> range:
    """List the indices, among ``count`` samples, that a split stands for.

    Args:
        split: the split; percentages are rounded to the nearest sample, negative numbers count from the end.
        count: how many samples there are in all.

    Raises:
        InputError: if the split cannot be read, or holds no sample.

    >>> split_range('train[:10%]', 25)
    range(0, 2)
    """
    match = _parse(split)

    def place(text: str | None, default: int) -> int:
        if text is None:
            return default
        number = round(int(text[:-1]) * count / 100) if text.endswith('%') else int(text)
        return min(max(number + count if text.startswith('-') else number, 0), count)

    chosen = range(place(match['start'], 0), place(match['stop'], count))
    if not chosen:
        raise InputError(f'the split {split!r} holds no sample of the {count} there are')
    return chosen
