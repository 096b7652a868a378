"""Suite ``sample``: images from a DCGAN-64 generator, one at a time and 64 at once."""

from collections.abc import Iterator
from typing import Any

import jax

from jaxgan import build
from jaxgan.bench.cases import Case, configuration, networks
from jaxgan.bench.session import Row, Session, measure
from jaxgan.bench.timing import parameters_of

NAMES = ('1', '64', '1-bf16', '64-bf16')


def run(session: Session) -> Iterator[Row]:
    """Measure each batch and dtype."""
    for name in NAMES:
        if session.wants(name):
            batch, _, short = name.partition('-')
            yield one(session, name, int(batch), 'bfloat16' if short else 'float32')


def one(session: Session, name: str, batch: int, dtype: str) -> Row:
    """Measure one: latents are there, and images stay on the device as floats."""
    case = Case('dcgan', batch, dtype)
    generator, _ = networks(case)
    latents = build.build_latents(configuration(case).model)
    z = latents(jax.random.key(0), batch)
    params, aux = jax.jit(lambda key: generator.init(key, z, None))(jax.random.key(1))
    infer = jax.jit(generator.infer)
    row = measure(
        session,
        f'batch {name}',
        lambda: infer(params, aux, z, None),
        case={'kind': 'sample', 'batch': batch, 'dtype': dtype},
        variants=variants(session, dtype),
        parameters=parameters_of([params])[0],
        batch=batch,
        dtype=dtype,
    )
    return row | {'images_per_s': batch / row['ours']['median'] * 1e3}


def variants(session: Session, dtype: str) -> dict[str, dict[str, Any]]:
    """Name the runtimes that a trained PyTorch generator may use; the fastest one counts."""
    names = ['eager'] if session.quick else ['eager', 'compile']
    if session.peer is not None and 'onnxruntime' in session.peer.hello['versions'] and dtype == 'float32':
        names.append('onnxruntime')
    return {name: {'runtime': name} for name in names}
