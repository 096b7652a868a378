"""Suite ``variants``: what each way of running the same training, or a convolution in groups, gains or costs."""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator
from typing import Any

import jax

from jaxgan.bench.cases import Case, Training
from jaxgan.bench.grouped import DIRECTIONS, Grouped
from jaxgan.bench.session import Row, Session, measure
from jaxgan.kernels import enable
from jaxgan.onestage import one_stage_phase
from jaxgan.ops import native
from jaxgan.phases import sequence
from jaxgan.steps import discriminator_phase, generator_phase

COMPARED = False  # our ways among themselves
GROUPED = tuple(f'grouped-{direction}' for direction in DIRECTIONS)
NAMES = ('dtype', 'dispatch', 'donation', 'one-stage', 'native', *GROUPED)


def run(session: Session) -> Iterator[Row]:
    """Measure each group of ways; the first of a group is what the others are compared with."""
    groups = {
        'dtype': dtypes,
        'dispatch': dispatches,
        'donation': donations,
        'one-stage': stages,
        'native': kernels,
        **{name: functools.partial(grouped, direction=name.partition('-')[2]) for name in GROUPED},
    }
    for name, group in groups.items():
        if session.wants(name):
            first = None
            for label, training, context in group(session):
                with context:
                    row = one(session, f'{name}: {label}', training)
                first = first or row['ours']['median']
                yield row | {'group': name, 'of_first': first / row['ours']['median']}


def one(session: Session, name: str, make: Any) -> Row:
    """Measure one way; a step's time where a dispatch holds several."""
    training = make()
    return measure(session, name, training, steps=training.steps) | training.facts()


Way = tuple[str, Any, Any]  # label, how to build the training, a context to do it in


def base(session: Session) -> Case:
    """Choose a pair that does not mix samples, so that every way can run it."""
    case = Case('dcgan', 64, norm='none')
    return dataclasses.replace(case, batch=16, size=32, width=32) if session.quick else case


def dtypes(session: Session) -> Iterator[Way]:
    """Compare what the networks compute in."""
    case = base(session)
    for dtype in ('float32', 'bfloat16'):
        yield (
            dtype,
            lambda dtype=dtype: Training(dataclasses.replace(case, dtype=dtype)),
            contextlib.nullcontext(),
        )


def dispatches(session: Session) -> Iterator[Way]:
    """Compare how many steps the device makes without the host, for small steps."""
    del session
    case = Case('default', 16, size=16)
    for steps in (1, 8):
        label = f'{steps} step{"s" * (steps > 1)} a dispatch, default recipe'
        yield label, lambda steps=steps: Training(case, steps=steps), contextlib.nullcontext()


def donations(session: Session) -> Iterator[Way]:
    """Compare a new state in the old one's memory with a new state beside it."""
    case = base(session)
    for donate in (True, False):
        label = 'state donated' if donate else 'state kept'
        yield label, lambda donate=donate: Training(case, donate=donate), contextlib.nullcontext()


def stages(session: Session) -> Iterator[Way]:
    """Compare one update after the other with both from one backward pass of D."""
    case = base(session)
    yield 'two stages', lambda: Training(case, phase=two_stages), contextlib.nullcontext()
    yield 'two stages, shared fakes', lambda: Training(case), contextlib.nullcontext()
    yield 'one stage', lambda: Training(case, phase=one_stage_phase), contextlib.nullcontext()


def two_stages(generator: Any, discriminator: Any, recipe: Any) -> Any:
    """Make the two usual updates, each on fakes of its own."""
    players = (phase(generator, discriminator, recipe) for phase in (discriminator_phase, generator_phase))
    return sequence(**dict(zip('dg', players, strict=True)))


def kernels(session: Session) -> Iterator[Way]:
    """Compare the convolutions that XLA compiles with the kernels compiled for this CPU."""
    found = enable()
    if not found.enabled:
        session.say(f'no rows for native: {found}')
        return
    case = base(session)
    for form in ('xla', 'native'):
        yield f'{form} convolutions', lambda: Training(case), native.form(form)


def grouped(session: Session, direction: str) -> Iterator[Way]:
    """Compare ways to do one direction of a convolution in groups; on accelerators as wide as R3GAN's for CIFAR-10."""
    features = 1536 if jax.default_backend() != 'cpu' else 256
    batch, size = (16, 16) if session.quick else (64, 32)
    for dtype in ('float32',) if session.quick else ('float32', 'bfloat16'):
        for form in ('library', 'merged', 'places'):
            make = functools.partial(Grouped, form, direction, batch, size, features, dtype)
            yield f'{form}, {dtype}', make, contextlib.nullcontext()
