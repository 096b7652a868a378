"""``jaxgan exposure``: how often, and at which steps, a run has seen an image; computed, for the order of the data is a function."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from jaxgan.config import step_images
from jaxgan.data.config import MOST_EXCLUDED
from jaxgan.errors import InputError
from jaxgan.provenance.consent.history import Exposure, History, expose, open_history
from jaxgan.provenance.consent.identify import Finder, Found

SHOWN = 8  # steps in a line; all are in the JSON


def exposure_command(run: str, images: tuple[str, ...], json: bool, until: int | None) -> int:
    """Say when a run has seen images.

    Raises:
        InputError: the run or its data cannot be opened, or nothing that is named is among the data.
    """
    history = open_history(Path(run), until)
    finder = Finder(history.source, history.config.data, history.run)
    found = identify(finder, images)
    if not any(one.images for one in found):
        raise InputError('; '.join(f'{one.asked}: {one.how}' for one in found))
    seen = {one.image: one for one in expose(history, sorted({i for one in found for i in one.images}))}
    report = describe(history, finder, found, seen, until)
    if json:
        _print_json(report)
    else:
        _show(report)
    return 0


def identify(finder: Finder, images: tuple[str, ...]) -> list[Found]:
    """Find what somebody names.

    Raises:
        InputError: nothing is named, too much is, or something that can be no image.
    """
    if not 1 <= len(images) <= MOST_EXCLUDED:
        raise InputError(f'{len(images):,} images are named (allowed: 1 to {MOST_EXCLUDED:,})')
    return [finder.find(asked) for asked in images]


def describe(
    history: History, finder: Finder, found: list[Found], seen: dict[int, Exposure], until: int | None
) -> dict[str, Any]:
    """Put together what is known, as JSON has it."""
    info = history.source.info
    return {
        'run': history.run.name,
        'data': {'name': info.name, 'split': info.split, 'count': info.count},
        'steps': history.steps,
        'steps_are': 'taken' if until is None else 'asked for',
        'images_a_step': step_images(history.config),
        'epochs': round(history.places / len(history.source), 3),
        'checkpoints': list(history.checkpoints),
        'undone': [list(part) for part in history.undone],
        'images': [
            {'asked': one.asked, 'how': one.how, 'matches': [_match(finder, seen[i]) for i in one.images]}
            for one in found
        ],
    }


def _match(finder: Finder, one: Exposure) -> dict[str, Any]:
    steps = one.steps.tolist()
    return {
        'index': one.image,
        'name': finder.name(one.image),
        'pixels': finder.digest(one.image),
        'excluded': one.excluded,
        'uses': len(steps),
        'undone': one.undone,
        'first_step': steps[0] if steps else None,
        'last_step': steps[-1] if steps else None,
        'checkpoint_before': one.before or None,
        'steps': steps,
    }


def _print_json(report: dict[str, Any]) -> None:
    print(json.dumps(report, indent=2))


def _show(report: dict[str, Any]) -> None:
    console = Console(highlight=False)
    for line in lines(report):
        console.print(line, soft_wrap=True, markup=False)


def lines(report: dict[str, Any]) -> Iterator[str]:
    """Say what ``describe`` has put together, in lines."""
    data = report['data']
    yield (
        f'{report["run"]}: {report["steps"]:,} steps of {report["images_a_step"]} images, {report["epochs"]:g} epochs of '
        f'{data["count"]:,} images ({data["name"]}, split {data["split"]})'
    )
    for one in report['images']:
        if not one['matches']:
            yield f'{one["asked"]}: {one["how"]}'
        for match in one['matches']:
            name = '' if match['name'] == str(match['index']) else f' ({match["name"]})'
            found = '' if one['how'] == 'index' else f'{one["asked"]}, by {one["how"]}: '
            yield f'{found}image {match["index"]}{name}: {_uses(match)}'
    for first, last in report['undone']:
        yield f'steps {first:,} to {last:,} were taken, and thrown away after step {last:,} had failed'
    if report['steps_are'] == 'taken':
        yield 'as far as checkpoints and metrics.jsonl reach: a run that was killed may have taken a few steps more'


def _uses(match: dict[str, Any]) -> str:
    """Say how often, when, and what is there from before."""
    barred = 'excluded; ' if match['excluded'] else ''
    if match['first_step'] is None:
        return f'{barred}never used'
    steps = ', '.join(f'{step:,}' for step in match['steps'][:SHOWN])
    more = len(match['steps']) - SHOWN
    rest = f' and {more:,} more up to {match["last_step"]:,}' if more > 0 else ''
    undone = f', {match["undone"]} of them undone' if match['undone'] else ''
    before = match['checkpoint_before']
    kept = (
        f'the newest checkpoint from before is {before:,}'
        if before
        else 'no checkpoint from before is there: to remove it is to begin anew'
    )
    times = 'once' if match['uses'] == 1 else f'{match["uses"]:,} times'
    return f'{barred}used {times}{undone}, in steps {steps}{rest}; {kept}'
