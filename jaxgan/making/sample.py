"""``jaxgan sample``: images by seed."""

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from jaxgan import kernels
from jaxgan.credentials import Credit
from jaxgan.errors import InputError
from jaxgan.making.asking import ask, check_options, told
from jaxgan.making.choosing import Accepted, Chooser, parts_of, together
from jaxgan.making.copies import Copies, open_copies
from jaxgan.making.destination import check_grid
from jaxgan.making.drawing import Drawing, make_drawing
from jaxgan.making.duplicates import NEAR, Duplicates
from jaxgan.making.judging import CALIBRATION, open_judge, read_judging
from jaxgan.making.labelling import Labelling, read_labelling
from jaxgan.making.made import Made, Origin, Output, Target, counted
from jaxgan.making.options.sample import SampleOptions
from jaxgan.making.outputs import choose_target, open_output
from jaxgan.making.tracing import Trace, open_trace
from jaxgan.marks.asked import read_marks
from jaxgan.opened import Generator, open_generator
from jaxgan.rejection import Reference, calibrate
from jaxgan.runtime import keep_programs
from jaxgan.sampling import CHUNK, MAX_SEED, MAX_SEEDS, make_stream, parse_seeds, split
from jaxgan.unused import refuse

JOINED = 4  # parts that are compared with training images at once


def sample_command(**given: Any) -> int:
    """Make images by seed, and write them as a grid, arrays, or single files."""
    options = SampleOptions(**given)
    seeds = _seeds(options)
    target = choose_target(options.out, options.format)
    _check(options, seeds, target)
    marks = read_marks(options.unmarked, options.mark_key, options.sign, options.record)
    keep_programs()
    found = open_generator(Path(options.source), options.step, options.best, marks)
    kernels.enable()
    if target.kind == 'grid':
        n = _count(options) if options.seeds is None else len(seeds)
        check_grid(n, found.shape, options.columns, options.scale, target.form)
    labelling = read_labelling(found.card, options.label)
    asked = ask(options, found, labelling)
    judge = None
    if options.reject != 'off':
        judge = open_judge(found, Path(options.source), labelling, options.reject)
    drawing = make_drawing(found, asked, judge, options)
    copies = _copies(options, found)
    origin = _origin(options, seeds, found, labelling, copies)
    dropping = [*copies, *_duplicates(options, found)]
    with contextlib.closing(open_output(target, origin, options.columns, options.scale)) as output:
        accepted = [Accepted(_calibrated(drawing, options, labelling))] if options.reject == 'drs' else []
        chooser = Chooser(_wanted(options, seeds, output), [*accepted, *dropping])
        with open_trace(options.trace, _common(options, found, origin)) as trace:
            joined = JOINED if copies and not accepted else 1
            _make(drawing, seeds, labelling, chooser, output, trace, joined)
            chooser.check(_replaces(options))
            output.finish()
    _report(options, target, found, chooser, output)
    return 0


def _seeds(options: SampleOptions) -> Any:
    """List the seeds: those named, n from the first on, or all from the first on where others replace what is dropped."""
    if options.seeds is not None:
        refuse('with --seeds', n=options.n, seed=options.seed)
    n, seed = _count(options), options.seed or 0
    if n < 1:
        raise InputError(f'n {n} must be at least 1')
    if n > MAX_SEEDS:
        raise InputError(f'n {n} must be at most {MAX_SEEDS}: ask for fewer at a time')
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f'seed {seed} must be in 0..{MAX_SEED}')
    if options.seeds is not None:
        return parse_seeds(options.seeds)
    named = parse_seeds(f'{seed}-{seed + n - 1}')
    return range(seed, MAX_SEED + 1) if _replaces(options) else named


def _count(options: SampleOptions) -> int:
    return 64 if options.n is None else options.n


def _filters(options: SampleOptions) -> bool:
    return options.reject == 'drs' or options.reject_copies or options.dedup != 'off'


def _replaces(options: SampleOptions) -> bool:
    return options.seeds is None and _filters(options)


def _check(options: SampleOptions, seeds: Any, target: Target) -> None:
    check_options(options)
    read_judging(options)
    if options.dedup != 'near':
        refuse('without --dedup near', near=options.near)
    if not options.reject_copies:
        refuse('without --reject-copies', copy_fpr=options.copy_fpr, copy_index=options.copy_index)
    if target.kind == 'folder' and options.seeds is not None and len(set(seeds)) < len(seeds):
        raise InputError(f'seeds {options.seeds} name one twice: a folder has one file a seed')
    if target.path is None and options.unmarked is not None and options.record is None:
        raise InputError('--unmarked and --out -: the reason would be kept nowhere; name a --record FILE')
    if options.trace == '-' and target.path is None:
        raise InputError('--out - and --trace - both write to standard output: name a file for one')
    if options.trace not in (None, '-') and Path(options.trace or '').is_dir():
        raise InputError(f'cannot write {options.trace}: it is a folder')


def _wanted(options: SampleOptions, seeds: Any, output: Output) -> int:
    if _replaces(options):
        return _count(options)
    return len(seeds) - len(output.there.intersection(seeds)) if _skips(options) else len(seeds)


def _skips(options: SampleOptions) -> bool:
    """Say whether images that are there need not be made: nothing else depends on them."""
    return options.trace is None and not _filters(options)


def _details(options: SampleOptions, labelling: Labelling, copies: Sequence[Copies]) -> dict[str, str | None]:
    drs, ddls = options.reject == 'drs', options.reject == 'ddls'
    how = read_judging(options)
    return told(options, labelling) | {
        'reject': None if options.reject == 'off' else options.reject,
        'percentile': str(how.percentile) if drs else None,
        'langevin': f'{how.steps} steps of {how.step_size}' if ddls else None,
        'copies': copies[0].stated if copies else None,
    }


def _origin(
    options: SampleOptions, seeds: Any, found: Generator, labelling: Labelling, copies: Sequence[Copies]
) -> Origin:
    """Say what all images have in common; a seed's class by turns depends on which seed is the first."""
    details = _details(options, labelling, copies)

    def sign(seeds: str, name: str | None, index: int | None = None) -> Credit:
        return found.credit(seeds, index, **(details | ({'label': name} if name else {})))

    record: dict[str, Any] = {'model': found.digest, 'data': found.data}
    record['marks'] = found.marks.unmarked or f'watermark {found.marks.key or "of the model"}'
    record |= {name: value for name, value in details.items() if value is not None}
    record['seeds'] = options.seeds or f'from {options.seed or 0}'
    if options.dedup != 'off':
        record['dedup'] = f'near {_near(options)}' if options.dedup == 'near' else options.dedup
    places = {seed: i for i, seed in enumerate(seeds)} if options.seeds else {}
    first = options.seed or 0
    return Origin(sign, record, lambda seed: places.get(seed, seed - first))


def _common(options: SampleOptions, found: Generator, origin: Origin) -> dict[str, Any]:
    """Say in a trace what holds for every image."""
    fields = origin.sign('', None).fields() | {'model': found.digest}
    numbers = {'psi': options.psi, 'temperature': options.temperature, 'cutoff': options.cutoff}
    return {name: value for name, value in fields.items() if name != 'label'} | numbers


def _copies(options: SampleOptions, found: Generator) -> list[Copies]:
    """Open the filter of copies, where it is asked for."""
    if not options.reject_copies:
        return []
    path = None if options.copy_index is None else Path(options.copy_index)
    return [open_copies(found, Path(options.source), path, options.copy_fpr, options.trace is not None)]


def _duplicates(options: SampleOptions, found: Generator) -> list[Duplicates]:
    if options.dedup == 'off':
        return []
    return [Duplicates(_near(options) if options.dedup == 'near' else None, found.shape)]


def _near(options: SampleOptions) -> float:
    return NEAR if options.near is None else options.near


def _calibrated(drawing: Drawing, options: SampleOptions, labelling: Labelling) -> Reference:
    """Let the judge see many images."""
    labels = labelling.of(np.arange(len(CALIBRATION)))
    results = make_stream(drawing.program, drawing.weights)(split((CALIBRATION, labels), 32))
    scores = np.concatenate([result['score'] for result in results])
    if not np.isfinite(scores).all():
        raise InputError('--reject drs: the discriminator gives scores that are not finite')
    return jax.tree.map(np.asarray, calibrate(jax.numpy.asarray(scores), read_judging(options).percentile))


def _make(
    drawing: Drawing,
    seeds: Any,
    labelling: Labelling,
    chooser: Chooser,
    output: Output,
    trace: Trace,
    joined: int,
) -> None:
    """Make images until there are enough; the device computes the next ones while these are written."""
    skip = frozenset[int]()
    if chooser.wanted < len(seeds) and not isinstance(seeds, range):
        skip = output.there
    if not chooser.wanted:
        return
    console = Console(stderr=True)
    columns = (TextColumn('images'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task('', total=chooser.wanted)
        stream = make_stream(drawing.program, drawing.weights)(parts_of(seeds, labelling, skip))
        for results in together(stream, lambda: min(joined, -(-(chooser.wanted - chooser.kept) // CHUNK))):
            rows = chooser.choose(results)
            if len(rows):
                kept = jax.tree.map(lambda values, rows=rows: values[rows], results)
                _add(kept, labelling, output, trace)
            bar.update(task, completed=chooser.kept)
            if chooser.kept == chooser.wanted:
                return


def _add(kept: dict[str, Any], labelling: Labelling, output: Output, trace: Trace) -> None:
    labels = kept['labels']
    names = labelling.names(labels)
    numbers = labels if isinstance(labels, np.ndarray) else None
    output.add(Made(kept['images'], kept['seeds'].tolist(), numbers, names))
    trace(kept, names)


def _report(
    options: SampleOptions, target: Target, found: Generator, chooser: Chooser, output: Output
) -> None:
    """Say what was done; on standard error where standard output is data."""
    file = sys.stderr if target.path is None or options.trace == '-' else sys.stdout
    if said := chooser.told():
        print(said, file=file)
    height, width, _ = found.shape
    there = f' ({len(output.there)} were there before)' if output.there else ''
    place = target.path or 'standard output'
    print(f'wrote {place}: {counted(chooser.kept)} of {width}x{height}{there}', file=file)
