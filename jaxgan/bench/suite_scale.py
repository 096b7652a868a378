"""Suite ``scale``: how time and memory of a DCGAN step grow with batch, resolution, channels and devices."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import jax

from jaxgan.bench.cases import Case, Training
from jaxgan.bench.machine import cores, peak_memory
from jaxgan.bench.session import Row, Session, measure
from jaxgan.bench.timing import SideError

NAMES = ('batch', 'resolution', 'channels', 'devices')
FIELDS = {'batch': 'batch', 'resolution': 'size', 'channels': 'width'}
DEVICES = (1, 2, 4, 8)
BASE = Case('dcgan', 64)


def axes(quick: bool) -> dict[str, list[Case]]:
    """List the cases along each axis but the devices'."""
    base = dataclasses.replace(BASE, batch=8, size=32, width=32) if quick else BASE

    def along(field: str, values: tuple[int, ...]) -> list[Case]:
        return [dataclasses.replace(base, **{field: value}) for value in values]

    if quick:
        return {
            'batch': along('batch', (4, 8, 16)),
            'resolution': along('size', (16, 32, 64)),
            'channels': along('width', (16, 32, 64)),
        }
    return {
        'batch': along('batch', (8, 16, 32, 64, 128, 256)),
        'resolution': along('size', (16, 32, 64, 128)),
        'channels': along('width', (16, 32, 64, 128)),
    }


def run(session: Session) -> Iterator[Row]:
    """Measure each axis."""
    measured: dict[Case, Row] = {}  # the axes meet in one case
    for axis, cases in axes(session.quick).items():
        for case in cases if session.wants(axis) else ():
            if case not in measured:
                measured[case] = one(session, case)
            value = getattr(case, FIELDS[axis])
            yield measured[case] | {'name': f'{axis} {value}', 'axis': axis, 'value': value}
    if session.wants('devices'):
        if jax.default_backend() == 'cpu':
            session.say(
                f'devices: {cores()} cores pretend to be up to {DEVICES[-1]} devices: '
                'this shows what splitting costs, not what more hardware gains'
            )
            for count in DEVICES[::3] if session.quick else DEVICES:
                try:
                    yield in_process(session, count)
                except SideError as error:
                    session.say(str(error))
        else:
            for count in sorted({1, len(jax.devices())}):
                yield spread(session, count)


def one(session: Session, case: Case) -> Row:
    """Measure one case."""
    training = Training(case)
    row = measure(
        session,
        f'batch {case.batch}, {case.size} pixels, width {case.width}',
        training,
        case=case.asked(),
        parameters=training.parameters(),
        batch=case.batch,
        size=case.size,
        width=case.width,
        **training.facts(),
    )
    return row | {'images_per_s': case.batch / row['ours']['median'] * 1e3, **peak_memory()}


def device_case(quick: bool) -> Case:
    """Choose what is split over devices: one batch, whose parts get smaller as there are more."""
    return Case('dcgan', 32 if quick else 64, size=32, width=32)


def spread(session: Session, count: int) -> Row:
    """Measure a step on one device, or with its batch split over all ``count`` of them."""
    case = device_case(session.quick)
    training = Training(case, spread=count > 1)
    row = measure(session, f'devices {count}', training, axis='devices', value=count)
    facts = training.facts()
    return row | facts | {'images_per_s': case.batch / row['ours']['median'] * 1e3}


def in_process(session: Session, count: int) -> Row:
    """Measure the same with virtual devices, whose number a process must know before it starts."""
    flags = [flag for flag in os.environ.get('XLA_FLAGS', '').split() if 'device_count' not in flag]
    flags.append(f'--xla_force_host_platform_device_count={count}')
    environment = {
        **os.environ,
        'XLA_FLAGS': ' '.join(flags),
        'PYTHONPATH': os.pathsep.join(path for path in sys.path if path),
    }
    request = {'count': count, 'quick': session.quick, 'rounds': session.rounds, 'seconds': session.seconds}
    command = [sys.executable, '-m', 'jaxgan.bench.suite_scale', json.dumps(request)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ['it said nothing'])[-1]
        raise SideError(f'{count} virtual devices: {last}')
    return json.loads(done.stdout.splitlines()[-1])


def main(request: dict[str, Any]) -> None:
    """Measure one number of devices and print the row."""
    from jaxgan.runtime import keep_freed_memory

    keep_freed_memory()
    session = Session(request['quick'], request['rounds'], request['seconds'], (), None, lambda line: None)
    print(json.dumps(spread(session, request['count'])))


if __name__ == '__main__':
    main(json.loads(sys.argv[1]))
