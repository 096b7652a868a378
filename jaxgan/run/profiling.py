"""Where a step's time goes: a trace of some dispatches, and a table by phase and by kind of operation.

A trace names the operations of the compiled program. The program's text says of each what it is and, in its
metadata, which ``jax.named_scope`` it was traced in; ``phases.sequence`` opens one for each phase.
"""

import collections
import gzip
import json
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxgan.errors import InputError
from jaxgan.run.trainer import Trainer

DISPATCHES = 3  # that are traced, after one that warms up
STEPS = 8  # of a dispatch at most: Chrome's format ends at a million events
UNKNOWN = 'not attributed'
OUTSIDE = 'outside the phases'
CONTROL = frozenset({'while', 'conditional', 'call'})
MOVES = frozenset({'parameter', 'constant', 'tuple', 'get-tuple-element', 'iota', 'bitcast', 'bitcast-convert', 'copy',
                   'copy-start', 'copy-done', 'transpose', 'reshape', 'slice', 'dynamic-slice', 'dynamic-update-slice',
                   'pad', 'concatenate', 'broadcast', 'reverse', 'gather'})  # fmt: skip


class Operation(NamedTuple):
    """An operation of a compiled program."""

    phase: str
    kind: str
    source: str  # the names it was traced under; empty: the compiler made it


class Cost(NamedTuple):
    """What an operation took in a trace."""

    seconds: float
    calls: int


class Profile(NamedTuple):
    """The times of a trace, joined with the program."""

    steps: int
    seconds: float  # wall clock of the dispatches
    feed_seconds: float  # of them, on the host, for batches
    costs: dict[str, Cost]  # operation -> cost; together they are more than the wall clock where threads work
    operations: dict[str, Operation]

    def shares(self, field: str) -> dict[str, Cost]:
        """Sum the costs by ``phase`` or by ``kind``, largest first."""
        sums: dict[str, Cost] = {}
        for name, cost in self.costs.items():
            operation = self.operations.get(name)
            key = getattr(operation, field) if operation else UNKNOWN
            old = sums.get(key, Cost(0.0, 0))
            sums[key] = Cost(old.seconds + cost.seconds, old.calls + cost.calls)
        return dict(sorted(sums.items(), key=lambda item: -item[1].seconds))


def profile(trainer: Trainer, folder: Path) -> Profile:
    """Trace a few dispatches of a new state, and write the trace, ``table.txt`` and ``table.json`` into a folder.

    Raises:
        InputError: the folder cannot be written, or the trace holds no operation of the program.
    """
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    except OSError as error:
        raise InputError(f'cannot write the profile to {folder}: {error.strerror}') from error
    count = min(trainer.length, STEPS)
    state, _ = jax.block_until_ready(trainer.dispatch(trainer.init(), 0, count))
    options = jax.profiler.ProfileOptions()
    options.python_tracer_level = 0  # Python's own calls would only slow the host down
    with jax.profiler.trace(str(folder), profiler_options=options):
        started = time.perf_counter()
        for i in range(1, DISPATCHES + 1):
            with jax.profiler.StepTraceAnnotation('dispatch', step_num=i):
                state, _ = jax.block_until_ready(trainer.dispatch(state, i * count, count))
        seconds = time.perf_counter() - started
    events = read_trace(folder)
    text = trainer.program.compiled().as_text() or ''
    costs = self_times(events, _module(text))
    if not costs:
        raise InputError(f'the trace in {folder} holds no operation of the step: this backend reports none')
    feed = sum(event['dur'] for event in events if event['name'] == 'feed') / 1e6
    found = Profile(DISPATCHES * count, seconds, feed, costs, read_program(text))
    (folder / 'table.txt').write_text(table(found))
    (folder / 'table.json').write_text(json.dumps(_as_json(found), indent=1))
    return found


def read_trace(folder: Path) -> list[dict[str, Any]]:
    """Read the timed events of the trace in a folder."""
    (path,) = folder.rglob('*.trace.json.gz')
    with gzip.open(path) as file:
        return [event for event in json.load(file)['traceEvents'] if event.get('ph') == 'X']


def self_times(events: Iterable[Mapping[str, Any]], module: str) -> dict[str, Cost]:
    """Sum what each operation of a program took itself, without those that ran inside it on the same thread.

    Args:
        events: with microseconds ``ts`` and ``dur``, ``pid`` and ``tid``, and ``args`` with ``hlo_op``.
        module: the program's name; others are left out.
    """
    threads: dict[Any, list[Mapping[str, Any]]] = collections.defaultdict(list)
    for event in events:
        args = event.get('args', {})
        if 'hlo_op' in args and args.get('hlo_module', module).startswith(module):
            threads[event.get('pid'), event.get('tid')].append(event)
    sums: dict[str, list[float]] = collections.defaultdict(lambda: [0.0, 0])
    for thread in threads.values():
        open_events: list[tuple[float, str]] = []  # (end, name)
        for event in sorted(thread, key=lambda event: (event['ts'], -event['dur'])):
            while open_events and open_events[-1][0] <= event['ts']:
                open_events.pop()
            if open_events:
                sums[open_events[-1][1]][0] -= event['dur']
            name = event['args']['hlo_op']
            sums[name][0] += event['dur']
            sums[name][1] += 1
            open_events.append((event['ts'] + event['dur'], name))
    return {name: Cost(max(micros, 0.0) / 1e6, int(calls)) for name, (micros, calls) in sums.items()}


_LINE = re.compile(r'\s+(?:ROOT )?%?([\w.-]+) = .*? ([a-z][\w-]*)\(')
_HEAD = re.compile(r'(?:ENTRY )?%?([\w.-]+) \(.*\{$')


def read_program(text: str) -> dict[str, Operation]:
    """Read from a compiled program's text what its operations are and in which phase they were traced."""
    inside: dict[str, list[tuple[str, str]]] = collections.defaultdict(
        list
    )  # computation -> (opcode, source)
    lines: dict[str, tuple[str, str, str]] = {}
    computation = ''
    for line in text.splitlines():
        if head := _HEAD.match(line):
            computation = head[1]
        elif match := _LINE.match(line):
            name, opcode = match.groups()
            source = re.search(r'op_name="([^"]*)"', line)
            inside[computation].append((opcode, source[1] if source else ''))
            lines[name] = (opcode, source[1] if source else '', line)
    return {name: _operation(*found, inside) for name, found in lines.items()}


def _operation(opcode: str, source: str, line: str, inside: Mapping[str, Any]) -> Operation:
    parts = [(opcode, source)]
    if opcode == 'fusion' and (calls := re.search(r'calls=%?([\w.-]+)', line)):
        parts = inside[calls[1]]
    sources = [source] if source else [part for _, part in parts if part]
    phases = collections.Counter(_phase(part) for part in sources)
    target = re.search(r'custom_call_target="([^"]*)"', line)
    kind = _kind({code for code, _ in parts}, target[1] if target else '')
    phase = phases.most_common(1)[0][0] if phases else UNKNOWN
    return Operation(phase, kind, sources[0] if sources else '')


def _phase(source: str) -> str:
    found = re.search(r'phase\.(\w+)', source)
    return found[1] if found else OUTSIDE


def _kind(opcodes: set[str], target: str) -> str:
    if 'convolution' in opcodes or 'conv' in target:
        return 'convolution'
    if 'dot' in opcodes or re.search('matmul|gemm|dot', target, re.IGNORECASE):
        return 'matrix product'
    if opcodes & CONTROL:
        return 'loops and calls'
    if 'custom-call' in opcodes or any(code.startswith(('all-', 'reduce-scatter')) for code in opcodes):
        return 'other'
    return 'copy' if opcodes <= MOVES else 'elementwise'


def _module(text: str) -> str:
    found = re.match(r'HloModule ([\w.-]+)', text)
    return found[1] if found else ''


def table(found: Profile, top: int = 10) -> str:
    """Write a profile as text: by phase, by kind, and the operations that take the most."""
    total = sum(cost.seconds for cost in found.costs.values())
    per = 1e3 / found.steps
    lines = [
        f'{found.steps} steps, {found.seconds * per:.2f} ms each; batches from the host {found.feed_seconds * per:.2f} ms',
        f'operations {total * per:.2f} ms a step, summed over threads:',
    ]
    for field in ('phase', 'kind'):
        lines += ['', f'{"by " + field:<24}{"ms/step":>9}{"share":>9}{"calls/step":>12}']
        for name, cost in found.shares(field).items():
            calls = cost.calls / found.steps
            lines.append(
                f'{name:<24}{cost.seconds * per:>9.3f}{100 * cost.seconds / total:>8.1f}%{calls:>12.1f}'
            )
    lines += ['', f'{"operation":<36}{"ms/step":>9}{"share":>9}  phase, kind, where it comes from']
    for name, cost in sorted(found.costs.items(), key=lambda item: -item[1].seconds)[:top]:
        operation = found.operations.get(name, Operation(UNKNOWN, UNKNOWN, ''))
        where = f'{operation.phase}, {operation.kind}, {_short(operation.source)}'
        lines.append(f'{name:<36}{cost.seconds * per:>9.3f}{100 * cost.seconds / total:>8.1f}%  {where}')
    return '\n'.join(lines) + '\n'


def _short(source: str) -> str:
    """Drop what comes before the phase from a source's names."""
    return re.sub(r'^.*phase\.\w+/', '', source) or 'the compiler'


def _as_json(found: Profile) -> dict[str, Any]:
    total = sum(cost.seconds for cost in found.costs.values())
    sums = {
        field: {
            name: {**cost._asdict(), 'share': cost.seconds / total}
            for name, cost in found.shares(field).items()
        }
        for field in ('phase', 'kind')
    }
    operations = {
        name: {**cost._asdict(), **found.operations.get(name, Operation(UNKNOWN, UNKNOWN, ''))._asdict()}
        for name, cost in found.costs.items()
    }
    head = {'steps': found.steps, 'seconds': found.seconds, 'feed_seconds': found.feed_seconds}
    return head | sums | {'operations': operations}
