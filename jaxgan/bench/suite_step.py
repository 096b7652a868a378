"""Suite ``step``: a whole training step of both networks, as many of them in a dispatch as ``train`` makes.

The large cases, R3GAN for CIFAR-10 and StyleGAN2 for 256x256 pixels, are for accelerators; on a CPU they are measured only by name.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import jax

from jaxgan.bench.cases import Case, Training
from jaxgan.bench.machine import matrix_peak, peak_memory
from jaxgan.bench.session import Row, Session, measure
from jaxgan.config import Config

TOGETHER = Config().steps_per_dispatch  # as ``train`` makes them
CASES: Mapping[str, Case] = {
    'dcgan64': Case('dcgan', 64, steps=TOGETHER),
    'dcgan64-bf16': Case('dcgan', 64, 'bfloat16', steps=TOGETHER),
    'r3gan32': Case('r3gan', 32, size=32, width=128, steps=TOGETHER),
    'mlp-128': Case('mlp', 128, steps=TOGETHER),
    'mlp-512': Case('mlp', 512, steps=TOGETHER),
    'default': Case('default', 16, size=16, steps=TOGETHER),
}
R3GAN_CIFAR = Case('r3gan', 64, size=32, width=768, blocks=2, steps=TOGETHER)
STYLEGAN2_256 = Case('stylegan2', 16, size=256, steps=16)
LARGE: Mapping[str, Case] = {
    f'{name}{suffix}': dataclasses.replace(case, dtype=dtype)
    for name, case in (('r3gan-cifar', R3GAN_CIFAR), ('stylegan2-256', STYLEGAN2_256))
    for suffix, dtype in (('', 'float32'), ('-bf16', 'bfloat16'))
}
ALL: Mapping[str, Case] = {**CASES, **LARGE}
NAMES = tuple(ALL)
SECOND = ('dcgan64-bf16', 'mlp-512')  # of their kind: --quick measures them only by name


def run(session: Session) -> Iterator[Row]:
    """Measure each case, and the machine's matrix peak for its dtype."""
    cpu = jax.default_backend() == 'cpu'
    for name, case in ALL.items():
        if cpu and name in LARGE and name not in session.only:
            continue
        if session.wants(name, quickly=name not in SECOND):
            yield one(session, name, smaller(name, cpu) if session.quick else case)
    session.tell_left_out(SECOND)
    if cpu and not session.only:
        session.say(f'{", ".join(LARGE)}: on a CPU only by name, as --only {next(iter(LARGE))}')


def smaller(name: str, cpu: bool) -> Case:
    """Make a case that takes less long: one step a call unless penalties are lazy, a quarter of the images; on a CPU also fewer pixels and features of a large one."""
    case = ALL[name]
    if case.model != 'stylegan2':
        case = dataclasses.replace(case, steps=1)
    if case.model in ('mlp', 'default'):
        return case
    quarter = dataclasses.replace(case, batch=case.batch // 4)
    large = cpu and name in LARGE
    return dataclasses.replace(quarter, size=32, width=case.width // 4) if large else quarter


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
        steps=case.steps,
        batch=case.batch,
        dtype=case.dtype,
        **training.facts(),
    )
    peak = max(peak, matrix_peak(case.dtype))  # before and after: a busy moment must not pass for the peak
    seconds = row['ours']['median'] / 1e3
    row |= {'images_per_s': case.batch / seconds, 'peak_gflops_per_s': peak / 1e9, **peak_memory()}
    if name in LARGE:
        row['s_per_kimg'] = 1000 * seconds / case.batch
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
        if case.model == 'stylegan2':
            ways['compile, shifts'] = {'compile': True, 'shifts': True}
    return ways
