"""``jaxgan audit``: are there copies of training images among a generator's images, and how surely?"""

import hashlib
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from jaxgan import kernels
from jaxgan.choices import open_held_out
from jaxgan.configjson import PRESENTATION, read_config, to_dict
from jaxgan.credentials import without_folders
from jaxgan.data import ImageSource, open_source
from jaxgan.errors import InputError
from jaxgan.evaluate import Fakes, labels_for
from jaxgan.evaluating import choose_data, data_of_training, left_out, of_generator
from jaxgan.marks.asked import read_marks
from jaxgan.metrics.copies import CANDIDATES
from jaxgan.metrics.copyrate import smallest_fpr
from jaxgan.metrics.descriptors import CELLS, COLOURS, REVISION, VIEWS
from jaxgan.opened import Generator, open_generator
from jaxgan.provenance.copying.auditing import Settings, examine, summary
from jaxgan.provenance.copying.auditpage import write_audit
from jaxgan.provenance.copying.options.audit import LEAST_CT, AuditOptions
from jaxgan.provenance.copying.reidentifying import membership, recovery
from jaxgan.realimages import BATCH, Reals, order, read_bytes
from jaxgan.run.rundir import CONFIG
from jaxgan.runtime import keep_programs
from jaxgan.sampling import MAX_SEED
from jaxgan.version import __version__

MOST = 1_000_000  # images that are generated and kept in memory as bytes


def audit_command(**given: Any) -> int:
    """Look for copies, write audit.json and audit.html, and print what was found; 4: there are surely too many."""
    options = AuditOptions(**given)
    check_options(options)
    folder = Path(options.source if options.out is None else options.out)
    if folder.exists() and not folder.is_dir():
        raise InputError(f'cannot write {folder}: it is a file')
    keep_programs()
    found = open_generator(Path(options.source), options.step, options.best, read_marks())
    kernels.enable()
    report, shown = audit(found, options)
    written = write_audit(folder, report, shown, found)
    console = Console(highlight=False)
    for line in report['summary']:
        console.print(line, soft_wrap=True, markup=False)
    console.print(f'wrote {", ".join(map(str, written))}', soft_wrap=True, markup=False)
    return 0 if report['verdict']['passed'] else 4


def check_options(options: AuditOptions) -> None:
    """Refuse numbers that are out of range.

    Raises:
        InputError: one is.
    """
    for name, least, most in (('n', 50, MOST), ('recovery', 0, 10_000), ('seed', 0, MAX_SEED)):
        value = getattr(options, name)
        if not least <= value <= most:
            raise InputError(f'{name} {value} must be in {least}..{most}')
    if options.recovery in (1, 2, 3):
        raise InputError(f'recovery {options.recovery} is too few to compare: at least 4, or 0 for none')
    if options.seed + options.n - 1 > MAX_SEED:
        raise InputError(f'seed {options.seed} and n {options.n} go beyond the last seed, {MAX_SEED}')
    if not 0 < options.fpr < 1:
        raise InputError(f'fpr {options.fpr} must be above 0 and below 1')
    if options.least_ct is not None and not math.isfinite(options.least_ct):
        raise InputError(f'least-ct {options.least_ct} must be a number')
    if options.max_copy_rate is not None and not 0 <= options.max_copy_rate <= 1:
        raise InputError(f'max-copy-rate {options.max_copy_rate} must be in 0..1')


def audit(found: Generator, options: AuditOptions) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Audit a generator.

    Returns:
        The report, as JSON holds it; and the images that the page shows.

    Raises:
        InputError: the data are not here, or are others than the generator's; or a limit was given that nothing can be
            compared with.
    """
    fakes = of_generator(found, options.n, options.seed)
    known = data_of_training(Path(options.source), found.card)
    config = choose_data(options.source, known, options.data, fakes, {})
    source = open_source(config)
    train = Reals(source, options.train, excluded=left_out(source, config, known))
    held_out = open_held_out(config, options.held_out)
    _check(train.source, fakes, held_out, options)
    pixels = _pixels(train)
    others = None if held_out is None else _pixels(Reals(held_out))
    labels = labels_for(fakes, train)
    generated = _drawn(fakes, labels)
    fpr = options.fpr if others is None else max(options.fpr, smallest_fpr(len(others)))
    limit = 0.0 if options.max_copy_rate is None else options.max_copy_rate
    report, shown = examine(
        pixels,
        others,
        generated,
        Settings(fpr, options.fpr, limit, options.seed, options.least_ct),
        order(train),
    )
    real = None if others is None else (pixels, others)
    report['recovery'] = recovery(found, real, options.recovery, options.seed)
    both = None if held_out is None else (train, Reals(held_out))
    report['membership'] = membership(found, both, generated) if options.membership else None
    report = _about(found, train, held_out, options) | report
    return report | {'summary': summary(report)}, shown


def _about(
    found: Generator, train: Reals, held_out: ImageSource | None, options: AuditOptions
) -> dict[str, Any]:
    """Say what was compared, and how: what another audit must have in common to be compared with."""
    trained = found.card['trained']
    return {
        'format_version': 1,
        'jaxgan': __version__,
        'model': found.digest,
        'step': trained['step'],
        'images_seen': trained['images_seen'],
        'recipe': recipe_of(Path(options.source)),
        'data': _of_source(train)
        | {'images': len(order(train)), 'of': len(train.source) - len(train.excluded)},
        'held_out_data': None if held_out is None else _of_source(Reals(held_out)),
        'hold_out': HOLD_OUT,
        'protocol': {
            'features': f'luma {CELLS}x{CELLS}, colour {COLOURS}x{COLOURS}, revision {REVISION}',
            'views': len(VIEWS),
            'candidates': CANDIDATES,
            'generated': options.n,
            'seed': options.seed,
            'confidence': 0.95,
        },
    }


SIZED = (
    'split',
    'subset',
    'exclude',
    'data_dir',
    'residence',
)  # of the data: how many they are, and where they lie
APART = {'seed', 'sharding', 'grid', *PRESENTATION} - {'images'}


def recipe_of(run: Path) -> str | None:
    """Compute a SHA-256 of a run's configuration but for how many images it has, its seed and what changes no step; None: it is no run."""
    if not (run / CONFIG).is_file():
        return None
    values = to_dict(read_config(run / CONFIG))
    kept = {name: value for name, value in values.items() if name not in APART}
    kept['data'] = {name: value for name, value in values['data'].items() if name not in SIZED}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def _of_source(reals: Reals) -> dict[str, Any]:
    info = reals.source.info
    return {
        'name': without_folders(info.name),
        'split': info.split,
        'images': len(reals.source),
        'fingerprint': reals.fingerprint,
    }


def _check(source: ImageSource, fakes: Fakes, held_out: ImageSource | None, options: AuditOptions) -> None:
    info = source.info
    if (info.size, info.channels) != (fakes.size, fakes.channels) or info.size < 4 or info.channels == 2:
        raise InputError(
            f'generated images are {fakes.size}x{fakes.size} with {fakes.channels} channels, {info.name} '
            f'{info.size}x{info.size} with {info.channels}: copies are looked for among pictures of one size'
        )
    wants = {
        '--max-copy-rate': options.max_copy_rate is not None,
        '--least-ct': options.least_ct not in (None, LEAST_CT),
        '--membership': options.membership,
    }
    if held_out is None and any(wants.values()):
        name = next(name for name, wanted in wants.items() if wanted)
        raise InputError(f'{name} needs images that no training saw, and there are none: {HOLD_OUT}')


HOLD_OUT = 'train on a part, such as --data.split train[:90%], and name the rest by --held-out train[90%:]'


def _pixels(reals: Reals) -> np.ndarray:
    places = order(reals)
    return np.concatenate(
        [read_bytes(reals.source, places[i : i + 1024])[0] for i in range(0, len(places), 1024)]
    )


def _drawn(fakes: Fakes, labels: np.ndarray | None) -> np.ndarray:
    parts = []
    for i in range(0, fakes.count, BATCH):
        end = min(i + BATCH, fakes.count)
        numbers = np.arange(fakes.first + i, fakes.first + end)
        parts.append(fakes.draw(numbers, None if labels is None else labels[i:end]))
    return np.concatenate(parts)
