"""What ``jaxgan bench`` does: run suites, print a table of each, write JSON."""

import contextlib
import importlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
from rich.console import Console

from jaxgan import kernels
from jaxgan.bench.machine import describe_machine
from jaxgan.bench.session import Session, open_peer
from jaxgan.bench.table import described, table
from jaxgan.errors import InputError, unknown
from jaxgan.runtime import keep_freed_memory

SUITES = ('ops', 'step', 'sample', 'input', 'startup', 'scale', 'variants', 'modes')


def bench_command(
    suite: str,
    torch: str | None,
    out: str | None,
    out_dir: str | None,
    quick: bool,
    only: str | None,
    rounds: int | None,
    data: str | None,
) -> int:
    """Run one suite, or all of them, each with a peer of its own.

    Raises:
        InputError: the suite or a case is unknown, or an option does not fit.
    """
    chosen = SUITES if suite == 'all' else (suite,)
    if suite not in (*SUITES, 'all'):
        raise unknown('suite', suite, (*SUITES, 'all'))
    cases = tuple(only.split(',')) if only else ()
    _check(suite, cases, out, rounds)
    # PyTorch's process needs room on the same GPU; set before a backend starts
    os.environ.setdefault('XLA_PYTHON_CLIENT_PREALLOCATE', 'false')
    kept = jax.default_backend() == 'cpu' and keep_freed_memory()
    settings = {'freed_memory_kept': kept, 'kernels': str(kernels.enable())}
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 140  # a file or a pipe has no width of its own
    for name in chosen:
        session = Session(
            quick, rounds or (3 if quick else 7), 0.2 if quick else 1.5, cases, None, console.print, data
        )
        document = run_suite(name, session, torch, settings)
        console.print(table(document))
        for path in _targets(name, out, out_dir):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(document, indent=1) + '\n')
            console.print(f'wrote {path}')
    return 0


def run_suite(name: str, session: Session, torch: str | None, settings: dict[str, Any]) -> dict[str, Any]:
    """Run a suite and return its document.

    Args:
        name: of the suite.
        session: its settings; the peer is started here.
        torch: path of a Python that has PyTorch.
        settings: further entries of the document's ``settings``.

    Returns:
        ``suite``, ``versions``, ``platform``, ``device``, ``devices``, ``cpu``, ``cores``, ``load`` in the minute before, ``date``, ``seconds`` that
        it took, ``settings``, ``rows`` and ``notes``, the lines that were said.
    """
    started, notes = time.perf_counter(), []

    def say(line: str) -> None:
        notes.append(line)
        session.say(line)

    module = importlib.import_module(f'jaxgan.bench.suite_{name}')
    machine = describe_machine()
    if (machine['load'] or 0) > 0.5:
        say(f'the machine is busy (load {machine["load"]}): expect noise, most of it on the side of PyTorch')
    with contextlib.ExitStack() as stack:
        peer = open_peer(torch, say) if getattr(module, 'COMPARED', True) else None
        if peer is not None:
            stack.enter_context(peer)
            machine['versions'] |= {k: v for k, v in peer.hello['versions'].items() if k != 'python'}
            machine['versions']['peer_python'] = peer.hello['versions']['python']
        rows = list(_progress(module.run(session._replace(peer=peer, say=say)), session))
    used = {'quick': session.quick, 'rounds': session.rounds, 'seconds_a_round': session.seconds}
    return {
        'suite': name,
        **machine,
        'seconds': round(time.perf_counter() - started, 1),
        'settings': {**used, 'only': list(session.only), **settings},
        'rows': rows,
        'notes': notes,
    }


def _progress(rows: Iterator[Any], session: Session) -> Iterator[Any]:
    for row in rows:
        ratio = f', {row["ratio"]:.2f} of PyTorch' if 'ratio' in row else ''
        found = f'{row["ours"]["median"]:.3g} ms{ratio}' if 'ours' in row else described(row)
        session.say(f'{row["name"]}: {found}')
        yield row


def _targets(name: str, out: str | None, out_dir: str | None) -> list[Path]:
    found = [Path(out)] if out else []
    return found + ([Path(out_dir) / f'{name}.json'] if out_dir else [])


def _check(suite: str, cases: tuple[str, ...], out: str | None, rounds: int | None) -> None:
    if rounds is not None and rounds < 1:
        raise InputError(f'rounds {rounds} must be at least 1')
    if suite == 'all' and (cases or out):
        raise InputError('all suites at once take neither --only nor --out; give --out-dir')
    if out and Path(out).suffix != '.json':
        raise InputError(f'out {out} must be a FILE.json')
    if cases:
        names = importlib.import_module(f'jaxgan.bench.suite_{suite}').NAMES
        for case in cases:
            if case not in names:
                raise unknown(f'case of {suite}', case, names)
