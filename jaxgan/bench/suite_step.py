"""Suite ``step``: a whole training step of both networks."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from jaxgan.bench.cases import Case, Training
from jaxgan.bench.machine import matrix_peak, peak_memory
from jaxgan.bench.session import Row, Session, measure

CASES: Mapping[str, Case] = {
    'dcgan64': Case('dcgan', 64),
    'dcgan64-bf16': Case('dcgan', 64, 'bfloat16'),
    'r3gan32': Case('r3gan', 32, size=32, width=128),
    'mlp-128': Case('mlp', 128),
    'mlp-512': Case('mlp', 512),
    'default': Case('default', 16, size=16),
}
NAMES = tuple(CASES)


def run(session: Session) -> Iterator[Row]:
    """Measure each case, and the machine's matrix peak for its dtype."""
    for name, case in CASES.items():
        if session.wants(name):
            if session.quick and case.model in ('dcgan', 'r3gan'):
                case = dataclasses.replace(case, batch=case.batch // 4)
            yield one(session, name, case)


def one(session: Session, name: str, case: Case) -> Row:
    """Measure one case."""
    training = Training(case)
    peak = matrix_peak(case.dtype)
    row = measure(
        session,
        name,
        training,
        case=case.asked(),
        variants=variants(session, case),
        parameters=training.parameters(),
        batch=case.batch,
        dtype=case.dtype,
        **training.facts(),
    )
    peak = max(peak, matrix_peak(case.dtype))  # before and after: a busy moment must not pass for the peak
    seconds = row['ours']['median'] / 1e3
    row |= {'images_per_s': case.batch / seconds, 'peak_gflops_per_s': peak / 1e9, **peak_memory()}
    if row['flops'] > 0:
        row['share_of_peak'] = row['flops'] / seconds / peak
    return row


def variants(session: Session, case: Case) -> dict[str, dict[str, Any]]:
    """Name the ways in which PyTorch may do a step; the fastest one counts."""
    ways: dict[str, dict[str, Any]] = {'eager': {}}
    if not session.quick:
        ways['compile'] = {'compile': True}
        if case.model == 'r3gan':
            ways['eager, contiguous'] = {'channels_last': False}
    return ways
