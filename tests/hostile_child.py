"""Runs every hostile case in one process that may take a gigabyte more than it has at the start; prints a JSON object a case.

python tests/hostile_child.py FOLDER [PART-OF-A-NAME]
"""

import contextlib
import faulthandler
import json
import resource
import shutil
import sys
from pathlib import Path

import conftest  # noqa: F401  JAX on the CPU, as in the tests
import hostile_configs
import hostile_data
import hostile_exports
import hostile_files
import hostile_making
import hostile_runs
from hostile_case import GIVE_UP, Case, faults, play

GIGABYTE = 2**30
SUITES = {
    'configurations': hostile_configs,
    'data': hostile_data,
    'exports': hostile_exports,
    'making': hostile_making,
    'runs': hostile_runs,
}
CASES = [(kind, case) for kind, suite in SUITES.items() for case in suite.CASES]


def main(folder: Path, part: str) -> None:
    """Warm up, set the limit, run."""
    hostile_files.prepare()
    print(json.dumps(one('warm-up', CASES[0][1], folder / 'warm-up')))  # imports what commands import
    status = memory()
    limit = status['VmSize'] + GIGABYTE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for i, (kind, case) in enumerate(CASES):
        if part in case.name:
            print(json.dumps({'kind': kind, **one(kind, case, folder / str(i))}), flush=True)


def one(kind: str, case: Case, folder: Path) -> dict:
    """Run a case and measure it."""
    faulthandler.dump_traceback_later(2 * GIVE_UP, exit=True)  # a thread that hangs cannot be interrupted
    Path('/proc/self/clear_refs').write_text('5')  # the peak begins anew
    before = memory()['VmHWM']
    try:
        outcome = play(case, folder)
        found, seconds = faults(case, outcome), outcome.seconds
    except BaseException as error:
        found, seconds = [f'{case.name}: raised {type(error).__name__}: {str(error)[:300]}'], 0.0
    grown = memory()['VmHWM'] - before
    if list(folder.parent.glob('**/canary')):
        found.append(f'{case.name}: it ran a program')
    if grown > GIGABYTE:
        found.append(f'{case.name}: {grown / GIGABYTE:.1f} GB')
    faulthandler.cancel_dump_traceback_later()
    with contextlib.suppress(OSError):
        shutil.rmtree(folder)
    return {'name': case.name, 'faults': found, 'seconds': round(seconds, 3), 'grown': grown}


def memory() -> dict[str, int]:
    """Read this process's memory in bytes."""
    lines = Path('/proc/self/status').read_text().splitlines()
    pairs = [line.split(':') for line in lines if line.startswith('Vm')]
    return {name: int(value.split()[0]) * 1024 for name, value in pairs}


if __name__ == '__main__':
    main(Path(sys.argv[1]).absolute(), sys.argv[2] if len(sys.argv) > 2 else '')
