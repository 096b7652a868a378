"""``jaxgan remove``: a run that has never seen some images, from the newest checkpoint before their first use."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from jaxgan.checkpoints.filetable import check_files, hash_file
from jaxgan.checkpoints.manifest import RECORD
from jaxgan.checkpoints.restore import load_record
from jaxgan.checkpoints.storage import META
from jaxgan.config import Config, check, step_images
from jaxgan.configjson import to_json
from jaxgan.data.config import MOST_EXCLUDED
from jaxgan.data.exclusion import check_share
from jaxgan.data.ledger import parting
from jaxgan.errors import DamagedError, InputError
from jaxgan.files import append_lines, or_machine_error, reason, replacing_folder, unwritable
from jaxgan.generatorfolder import CONFIG
from jaxgan.provenance.consent.exposure import identify
from jaxgan.provenance.consent.history import History, check_uses, open_history
from jaxgan.provenance.consent.identify import Finder
from jaxgan.run.recovery import FAULTS
from jaxgan.run.rundata import look
from jaxgan.run.rundir import CHECKPOINTS, REMOVALS, check_name
from jaxgan.run.runlog import LINES
from jaxgan.strictjson import parse_json
from jaxgan.version import __version__

FORMAT = 1
LONGEST = 1_000  # characters of a reason


def remove_command(run: str, images: tuple[str, ...], out: str, reason: str, with_duplicates: bool) -> int:
    """Make a new run without images; the old one stays as it is.

    Raises:
        InputError: an image is not found, all are excluded already, the data are others, or ``out`` is taken.
    """
    console, target = Console(highlight=False), Path(out)
    _check_reason(reason)
    _check_target(target, Path(run))
    history = open_history(Path(run))
    finder = Finder(history.source, history.config.data, history.run)
    wanted, left = _choose(finder, images, with_duplicates)
    _check_data(history)
    after, first = excluding(history, finder, wanted)
    line = {
        'format_version': FORMAT,
        'jaxgan': __version__,
        'reason': reason,
        'run': history.run.resolve().name,
        'images': [{'index': i, 'name': finder.name(i), 'pixels': finder.pixels[i]} for i in wanted],
        'first_step': first,
        'steps': history.steps,
        'excluded': len(after.data.exclude),
    }
    try:
        with replacing_folder(target) as folder:
            step = make_run(history, after, first, folder, line, console)
    except OSError as error:
        raise unwritable(target, error) from error
    _tell(console, history, target, first, step, left)
    return 0


def excluding(history: History, finder: Finder, images: list[int]) -> tuple[Config, int | None]:
    """Make the configuration that excludes more images, and find their first use.

    Returns:
        The configuration, and the first step that would have been another; None: none of those taken would have been.

    Raises:
        InputError: the images are excluded already, or too many would be.
    """
    new = sorted(set(images) - set(history.order.excluded.tolist()))
    if not new:
        raise InputError(
            f'{history.run} excludes {", ".join(map(str, images[:3]))} already: it has never seen them'
        )
    names = history.config.data.exclude + tuple(f'{i}:{finder.pixels[i]}' for i in new)
    if len(names) > MOST_EXCLUDED:
        raise InputError(f'{len(names):,} images would be excluded; at most {MOST_EXCLUDED:,} can be')
    check_uses(history, len(new))
    both = np.union1d(history.order.excluded, new).astype(np.int32)
    check_share(history.source, len(both))
    data = dataclasses.replace(history.config.data, exclude=names)
    place = parting(history.order, history.order._replace(excluded=both), history.places)
    first = place // step_images(history.config) + 1 if place < history.places else None
    return check(dataclasses.replace(history.config, data=data)), first


def make_run(
    history: History, config: Config, first: int | None, folder: Path, line: dict[str, Any], console: Console
) -> int:
    """Write the new run's folder, and return the step at which it stands: 0, if it has to begin anew.

    All checkpoints from before the first use come along, for a training that diverges goes back to older ones.
    """
    (folder / CONFIG).write_text(to_json(config), 'utf-8')
    kept = [step for step in history.checkpoints if first is None or step < first]
    copied = [
        step for step in kept if _copy(history.checkpoints[step], folder / CHECKPOINTS / str(step), console)
    ]
    step = max(copied, default=0)
    record = folder / CHECKPOINTS / str(step) / META / RECORD
    line = line | {'checkpoint': step, 'record_sha256': hash_file(record) if step else None}
    for name in (LINES, FAULTS):
        _copy_lines(history.run / name, folder / name, step)
    if (history.run / REMOVALS).is_file():
        shutil.copyfile(history.run / REMOVALS, folder / REMOVALS)
    append_lines(folder / REMOVALS, [line])
    return step


def _copy(path: Path, target: Path, console: Console) -> bool:
    """Copy a checkpoint, if it is whole; a training that goes on may delete it meanwhile."""
    try:
        shutil.copytree(path, target)
        check_files(target, f'checkpoint {path}')
        return True
    except (DamagedError, OSError) as error:
        shutil.rmtree(target, ignore_errors=True)
        console.print(f'passed over: checkpoint {path}: {reason(error)}', soft_wrap=True, markup=False)
        return False


def _copy_lines(path: Path, target: Path, step: int) -> None:
    """Copy the lines of a run's file up to a step."""
    if not step or not path.is_file():
        return
    kept = []
    for text in path.read_text('utf-8', errors='replace').splitlines():
        try:
            line = parse_json(text, 'a line')
        except InputError:
            continue
        at = line.get('step') if isinstance(line, dict) else None
        if type(at) is int and at <= step:
            kept.append(text + '\n')
    target.write_text(''.join(kept), 'utf-8')


def _choose(finder: Finder, images: tuple[str, ...], with_duplicates: bool) -> tuple[list[int], list[int]]:
    """Find the images to remove, and the copies of them that would stay."""
    found = identify(finder, images)
    missing = next((one for one in found if not one.images), None)
    if missing is not None:
        raise InputError(f'{missing.asked}: {missing.how}')
    wanted = sorted({i for one in found for i in one.images})
    copies = finder.copies(wanted)
    return (sorted({*wanted, *copies}), []) if with_duplicates else (wanted, copies)


def _check_data(history: History) -> None:
    """Compare the data with those of the newest checkpoint, as a training that goes on does.

    Raises:
        InputError: they are others.
    """
    for path in reversed(history.checkpoints.values()):
        try:
            there = load_record(path, f'checkpoint {path}').meta.get('fingerprint')
        except DamagedError:
            continue
        if isinstance(there, dict) and there != look(history.source, str(there.get('of'))):
            raise InputError(
                f'{history.source.info.name}, split {history.source.info.split}, has other images than those on which '
                f'{history.run} was trained: bring the old ones back'
            )
        return


def _check_reason(text: str) -> None:
    if not text.strip() or len(text) > LONGEST or not text.isprintable():
        raise InputError(f'reason {text[:40]!r} must be a line of 1 to {LONGEST:,} characters')


def _check_target(target: Path, run: Path) -> None:
    check_name(target)
    with or_machine_error(f'{target} cannot be read'):
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            raise InputError(f'out {target} exists already; give a new folder')
        if run.resolve() in (target.resolve(), *target.resolve().parents):
            raise InputError(
                f'out {target} lies in {run}, the run that it is to replace; give a folder beside it'
            )


def _tell(
    console: Console, history: History, target: Path, first: int | None, step: int, left: list[int]
) -> None:
    used = 'none of its steps had them' if first is None else f'step {first:,} was the first that had one'
    start = (
        f'it stands at checkpoint {step:,}' if step else 'no checkpoint from before is there: it begins anew'
    )
    lines = [
        f'{target}: {history.run} had taken {history.steps:,} steps; {used}; {start}',
        f'jaxgan train --config {target / CONFIG} --workdir {target}   goes on',
        f'what {history.run} holds and was published of it still has them: checkpoints, best/, exports, samples',
    ]
    if left:
        shown = ', '.join(map(str, left[:5])) + (', ...' if len(left) > 5 else '')
        lines.append(
            f'warning: {len(left):,} copies of them stay ({shown}); --with-duplicates removes them, too'
        )
    for text in lines:
        console.print(text, soft_wrap=True, markup=False)
