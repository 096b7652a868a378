"""What privacy costs in images of the embedded avatars, and what it does against telling who was in the training.

    python docs/scripts/private.py FOLDER [STEPS]

Trains with equal steps of 128 images (1,000 by default) without privacy, and for epsilon 100, 10 and 1; once more for epsilon 10 with four updates of D for one of G
and as many updates of D; with clipping and hardly any noise; then two small models on 300 images, without privacy and for epsilon 10. The runs stay in FOLDER; one that is
there is not trained again.
"""

import json
import os
import sys
from pathlib import Path

from jaxgan.cli import main

COMMON = [
    '--loss',
    'non_saturating',
    '--ema.half-life',
    '5000',
    '5000',
    '--log-every',
    '6400',
    '--sample-every',
    '64000',
    '--checkpoint-every',
    '1000000',
]
LARGE = ['--model.width', '48', '--model.d-width', '32', '--batch-size', '128', '--burn-in', '128000']
SMALL = [
    '--data.split',
    'train[:300]',
    '--model.width',
    '16',
    '--model.d-width',
    '32',
    '--batch-size',
    '32',
    '--burn-in',
    '48000',
    '--steps',
    '1500',
]


def trained(folder: Path, name: str, options: list[str], private: list[str]) -> Path:
    """Train a run, with a secret of its own where it is private."""
    run, key = folder / name, folder / f'{name}.key'
    if not key.exists():
        key.write_bytes(os.urandom(32))
    own = [*private, '--dp.key', str(key)] if private else []
    if main(['train', '--workdir', str(run), *COMMON, *options, *own]):
        raise SystemExit(f'{run} was not trained')
    return run


def spent(run: Path) -> str:
    """Read what a run has spent, from its newest checkpoint."""
    newest = max((run / 'checkpoints').iterdir(), key=lambda path: int(path.name))
    told = json.loads((newest / 'meta' / 'record.json').read_text())['meta'].get('privacy')
    return (
        'no bound'
        if told is None or told['epsilon'] is None
        else f'{told["epsilon"]:.2f}, noise {told["noise"]}'
    )


def figures(run: Path) -> str:
    """Measure a run, and read the newest number of each kind."""
    main(['evaluate', str(run)])
    lines = map(json.loads, (run / 'evaluations.jsonl').read_text().splitlines())
    found = {line['metric']: line['value'] for line in lines}
    names = ('FD-Avatars', 'KID-Avatars', 'precision-Avatars', 'recall-Avatars')
    return ' | '.join(f'{found[name]:.3g}' for name in names)


def members(run: Path) -> str:
    """Attack a run, and read the areas under the curves."""
    main(['audit', str(run), '--membership', '--recovery', '0', '--n', '500'])
    return json.dumps(json.loads((run / 'audit.json').read_text())['membership'])


def table(folder: Path, steps: int) -> None:
    """Train all, and print both tables."""
    folder.mkdir(parents=True, exist_ok=True)
    runs = {
        'not private': ([], ['--steps', str(steps)]),
        'clipped, noise 0.02': (['--dp.noise', '0.02'], ['--steps', str(steps)]),
        **{f'epsilon {e}': (['--dp.epsilon', str(e)], ['--steps', str(steps)]) for e in (100, 10, 1)},
        'epsilon 10, 4 updates of D for one of G': (['--dp.epsilon', '10'], ['--d-steps', '4', '--steps', str(steps // 4)]),
    }  # fmt: skip
    rows = []
    for number, (name, (private, options)) in enumerate(runs.items()):
        run = trained(folder, f'large{number}', [*LARGE, *options], private)
        rows.append(f'| {name} | {spent(run)} | {figures(run)} |')
    for name, private in (('not private', []), ('epsilon 10', ['--dp.epsilon', '10'])):
        run = trained(folder, 'small-private' if private else 'small', SMALL, private)
        rows.append(f'{name}: {members(run)}')
    print('\n'.join(rows))


if __name__ == '__main__':
    table(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1_000)
