"""Which images of a folder may be used, by what is said of the rights in them."""

import collections
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from jaxgan.data.config import DataConfig
from jaxgan.errors import InputError
from jaxgan.rights.licences import NOT_STATED, allowed
from jaxgan.rights.statement import Statement

_LISTED = 20  # licences that a description names
_UNREAD = 100  # files that it names because something in them could not be read


class Found(NamedTuple):
    """An image file that can be read: its name below the folder, and what it holds."""

    name: str
    size: tuple[int, int]  # width, height
    channels: int
    statement: Statement  # of the rights in it


def choose(
    found: Sequence[Found], config: DataConfig, root: pathlib.Path
) -> tuple[list[Found], list[tuple[str, str]]]:
    """Leave out images that are opted out, unless it is to be ignored, and those of other licences than are asked for.

    Returns:
        Those that stay, and (name, reason) of the others.

    Raises:
        InputError: none stays.
    """
    stay, left_out = [], []
    for image in found:
        reason = _reason(image.statement, config)
        if reason:
            left_out.append((image.name, reason))
        else:
            stay.append(image)
    if not stay:
        name, reason = left_out[0]
        raise InputError(
            f'none of the {len(found)} images in {root} may be used, such as {name}: {reason} '
            '(data.opt_outs and data.licences say what may)'
        )
    return stay, left_out


def _reason(said: Statement, config: DataConfig) -> str:
    if said.opt_outs and config.opt_outs == 'honour':
        return f'opted out by {"; ".join(str(one) for one in said.opt_outs[:3])}'
    if config.licences and not allowed(said.licence, config.licences):
        return f'its licence is {said.licence or NOT_STATED}'
    return ''


def describe_rights(
    used: Sequence[Found], found: Sequence[Found], unread: Mapping[str, str], config: DataConfig
) -> dict[str, Any]:
    """Say in numbers what is known of the rights in images: fields of ``DataInfo``.

    Args:
        used: the images of the split.
        found: all that can be read, of all splits.
        unread: files around them that cannot be read, and why.
        config: what was asked for.
    """
    counts = collections.Counter(image.statement.licence or NOT_STATED for image in used)
    usual = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    shown = usual[:_LISTED]
    if rest := sum(count for _, count in usual[_LISTED:]):
        shown.append((f'{len(usual) - _LISTED} others', rest))
    stated = bool(set(counts) - {NOT_STATED})
    opted = sum(bool(image.statement.opt_outs) for image in found)
    ignored = sum(bool(image.statement.opt_outs) for image in used)
    inside = [(image.name, text) for image in found for text in image.statement.unread]
    return {
        'opted_out': opted if config.opt_outs == 'honour' else 0,
        'opt_outs_ignored': ignored,
        'opt_out_reason': config.opt_out_reason,
        'licence': ', '.join(f'{name} ({count:,})' for name, count in shown) if stated else NOT_STATED,
        'licences': tuple(shown) if stated else (),
        'unread': (*sorted(unread.items()), *inside)[:_UNREAD],
    }
