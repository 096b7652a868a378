"""What bits depend on besides the run: versions, processor, devices, flags. Said with each checkpoint, and compared."""

import importlib.metadata
import os
import platform
import sys
from collections.abc import Mapping
from typing import Any

import jax

from jaxgan.ops import native
from jaxgan.runtime import machine

PACKAGES = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint')
VARIABLES = ('XLA_FLAGS', 'LIBTPU_INIT_ARGS')


def environment() -> dict[str, Any]:
    """Describe this process: equal descriptions mean that a run continues bit for bit."""
    devices = jax.devices()
    config: Any = jax.config
    return {
        **{package: _version(package) for package in PACKAGES},
        'python': '.'.join(map(str, sys.version_info[:2])),
        'system': platform.system(),
        'machine': machine(),
        'backend': jax.default_backend(),
        'device': devices[0].device_kind,
        'devices': len(devices),
        'processes': jax.process_count(),
        'cores': cores(),
        **{name: os.environ.get(name, '') for name in VARIABLES},
        'kernels': native.form.value or 'xla',
        'matmul_precision': config.jax_default_matmul_precision,
        'x64': config.jax_enable_x64,
    }


def cores() -> int:
    """Count the cores that this process may use: the order of sums depends on them."""
    affinity = getattr(os, 'sched_getaffinity', None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def changes(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """List the fields in which two environments differ.

    >>> changes({'jax': '0.10.2', 'cores': 2}, {'jax': '0.10.2', 'cores': 1})
    ['cores: 2 -> 1']
    """
    names = [name for name in {**there, **here} if there.get(name) != here.get(name)]
    return [f'{name}: {_show(there.get(name))} -> {_show(here.get(name))}' for name in names]


def _show(value: Any) -> str:
    return 'not set' if value in (None, '') else str(value)


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return 'unknown'
