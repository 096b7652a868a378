"""What computes: versions, names, and how fast its matrix products are."""

import datetime
import os
import platform
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.bench.timing import timed, warm
from jaxgan.runtime import processor
from jaxgan.version import __version__


def describe_machine() -> dict[str, Any]:
    """Describe versions, platform, device, processor and date."""
    return {
        'versions': {'jaxgan': __version__, 'jax': jax.__version__, 'python': platform.python_version()},
        'platform': jax.default_backend(),
        'device': jax.devices()[0].device_kind,
        'devices': len(jax.devices()),
        'cpu': processor_name(),
        'cores': cores(),
        'load': round(os.getloadavg()[0], 2) if hasattr(os, 'getloadavg') else None,
        'date': datetime.date.today().isoformat(),
    }


def cores() -> int:
    """Count the processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def processor_name() -> str:
    """Name the processor, as far as the system does."""
    fields = processor()
    if not fields:
        return platform.processor() or platform.machine()
    parts = [fields.get('model name') or platform.machine()]
    parts += [f'{name} {fields[name]}' for name in ('cpu family', 'model') if name in fields]
    return ', '.join(parts)


def matrix_peak(dtype: str, seconds: float = 0.25) -> float:
    """Measure the fastest product of two square matrices, in FLOP/s: what a step's share is a share of."""
    n = 2048 if jax.default_backend() == 'cpu' else 8192
    a = jax.random.normal(jax.random.key(0), (n, n)).astype(dtype)
    product = jax.jit(jnp.matmul)
    warm(lambda: product(a, a))
    return 2 * n**3 / min(timed(lambda: product(a, a), seconds, least=5))


def program_facts(program: Any) -> dict[str, Any]:
    """Read FLOPs and memory of a compiled program, as far as the backend tells."""
    cost = program.cost_analysis()
    cost = cost[0] if isinstance(cost, list | tuple) else cost
    facts: dict[str, Any] = {'flops': float((cost or {}).get('flops', 0.0))}
    memory = program.memory_analysis()
    if memory is not None:
        used = memory.temp_size_in_bytes + memory.argument_size_in_bytes + memory.output_size_in_bytes
        facts['memory_mib'] = (used - memory.alias_size_in_bytes) / 2**20
    return facts


def peak_memory() -> dict[str, float]:
    """Read the most memory that the device had in use, where it keeps count (GPU, TPU)."""
    found = jax.local_devices()[0].memory_stats() or {}
    peak = found.get('peak_bytes_in_use')
    return {} if peak is None else {'device_peak_mib': peak / 2**20}
