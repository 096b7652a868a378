"""How a process learns that it is one of several: from options, or from what a launcher has put into its environment.

Nothing here waits or connects. A job of one process, and a login shell within a larger job, count as alone.
"""

import re
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from jaxgan.errors import InputError

PORT = 8476  # of the coordinator, where the launcher names a host only
Method = Literal['auto', 'off', 'jax']


class Job(NamedTuple):
    """A process among several."""

    coordinator: str
    """host:port at which process 0 listens; empty: JAX finds out everything by itself."""
    processes: int
    process: int
    source: str
    """Who said so."""
    devices: tuple[int, ...] | None = None
    """Which accelerators of its machine this process takes; None: all that it sees."""

    def __str__(self) -> str:
        return f'process {self.process} of {self.processes}'


def find_job(
    method: Method,
    coordinator: str | None,
    processes: int | None,
    process: int | None,
    environ: Mapping[str, str],
) -> Job | None:
    """Decide whether this process is one of several; None: it is alone.

    Args:
        method: auto: options, then the environment; off: alone; jax: leave it to ``jax.distributed.initialize``.
        coordinator: host:port of process 0; with it, the next two are needed.
        processes: how many.
        process: which one, from 0.
        environ: the environment.

    Raises:
        InputError: half of what is needed is given, or it contradicts itself.
    """
    given = {'--coordinator': coordinator, '--processes': processes, '--process-id': process}
    missing = [name for name, value in given.items() if value is None]
    if method == 'off':
        if len(missing) < 3:
            raise InputError(f'--distributed off excludes {", ".join(sorted(set(given) - set(missing)))}')
        return None
    if method == 'jax':
        return Job('', 0, 0, 'JAX')
    if not missing:
        return _checked(Job(str(coordinator), int(processes or 0), int(process or 0), 'the options'))
    if len(missing) < 3:
        raise InputError(
            f'{", ".join(missing)} missing: --coordinator, --processes and --process-id belong together'
        )
    found = next(filter(None, (read(environ) for read in READERS)), None)
    if found is None and 'JAX_COORDINATOR_ADDRESS' in environ and 'JAX_NUM_PROCESSES' not in environ:
        raise InputError(
            'JAX_COORDINATOR_ADDRESS is set and JAX_NUM_PROCESSES is not: set both, or give --distributed off'
        )
    return _checked(found) if found is not None and found.processes != 1 else None


def _checked(job: Job) -> Job:
    if not re.fullmatch(r'.+:\d{1,5}', job.coordinator):
        raise InputError(f'coordinator {job.coordinator!r} (from {job.source}) must be HOST:PORT')
    if not 0 <= job.process < job.processes:
        raise InputError(
            f'process {job.process} of {job.processes} (from {job.source}): it must be in 0..{job.processes - 1}'
        )
    return job


def _number(environ: Mapping[str, str], *names: str) -> int | None:
    """Read the first of several variables that is set, as a number."""
    for name in names:
        if name in environ:
            try:
                return int(environ[name])
            except ValueError:
                raise InputError(f'environment variable {name} is {environ[name]!r}, no number') from None
    return None


def _jax(environ: Mapping[str, str]) -> Job | None:
    """Read JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES, and JAX_PROCESS_ID or the index of a Kubernetes job's pod."""
    coordinator, processes = environ.get('JAX_COORDINATOR_ADDRESS'), _number(environ, 'JAX_NUM_PROCESSES')
    if coordinator is None or processes is None:
        return None
    process = _number(environ, 'JAX_PROCESS_ID', 'JOB_COMPLETION_INDEX')
    if process is None:
        raise InputError(
            'JAX_COORDINATOR_ADDRESS is set, and neither JAX_PROCESS_ID nor JOB_COMPLETION_INDEX'
        )
    source = 'JAX_PROCESS_ID' if 'JAX_PROCESS_ID' in environ else 'Kubernetes'
    return Job(coordinator, processes, process, source)


def _slurm(environ: Mapping[str, str]) -> Job | None:
    """Read SLURM's step: not its job, whose number of tasks a login shell within it sees, too."""
    nodes, process = environ.get('SLURM_STEP_NODELIST'), _number(environ, 'SLURM_PROCID')
    processes = _number(environ, 'SLURM_STEP_NUM_TASKS', 'SLURM_NTASKS')
    if nodes is None or process is None or processes is None:
        return None
    found = re.match(r'([^,\[]+)(?:\[(\d+))?', nodes)  # node7,node9 or node[007-009,011]
    if found is None:
        raise InputError(f'SLURM_STEP_NODELIST {nodes!r} names no host')
    # not one port for all: several jobs may share the first machine
    port = (
        61440
        + (31 * (_number(environ, 'SLURM_JOB_ID') or 0) + (_number(environ, 'SLURM_STEP_ID') or 0)) % 4096
    )
    return Job(
        _coordinator(environ, found[1] + (found[2] or ''), port),
        processes,
        process,
        'SLURM',
        _share(environ, 'SLURM_LOCALID'),
    )


def _mpi(environ: Mapping[str, str]) -> Job | None:
    """Read what Open MPI's mpirun sets."""
    processes, process = (_number(environ, f'OMPI_COMM_WORLD_{name}') for name in ('SIZE', 'RANK'))
    if processes is None or process is None:
        return None
    here = _number(environ, 'OMPI_COMM_WORLD_LOCAL_SIZE') == processes
    uri = environ.get('OMPI_MCA_orte_hnp_uri', '')  # 1531576320.0;tcp://10.96.0.1,10.148.0.1:34911
    address = re.search(r'tcp6?://\[?([^,\]:]+|[0-9a-f:]+)', uri)
    host = '127.0.0.1' if here else address[1] if address else ''
    if not host and processes > 1 and 'JAX_COORDINATOR_ADDRESS' not in environ:
        raise InputError(
            'Open MPI does not say where its first process runs: give mpirun -x JAX_COORDINATOR_ADDRESS=HOST:PORT'
        )
    port = 61440 + int(uri.split('.')[0]) // 4096 % 4096 if uri.split('.')[0].isdecimal() else PORT
    return Job(
        _coordinator(environ, host, port),
        processes,
        process,
        'Open MPI',
        _share(environ, 'OMPI_COMM_WORLD_LOCAL_RANK'),
    )


def _tpu(environ: Mapping[str, str]) -> Job | None:
    """Read what a pod of TPU machines is told on GKE, of one slice or several."""
    hosts = [host for host in environ.get('TPU_WORKER_HOSTNAMES', '').split(',') if host]
    worker = _number(environ, 'TPU_WORKER_ID')
    if not hosts or worker is None:
        return None
    slices, number = (
        _number(environ, 'MEGASCALE_NUM_SLICES') or 1,
        _number(environ, 'MEGASCALE_SLICE_ID') or 0,
    )
    first = environ.get('MEGASCALE_COORDINATOR_ADDRESS', hosts[0]).split(':')[0]
    return Job(
        _coordinator(environ, first, PORT), slices * len(hosts), number * len(hosts) + worker, 'the TPU pod'
    )


READERS: tuple[Callable[[Mapping[str, str]], Job | None], ...] = (_jax, _slurm, _mpi, _tpu)


def _coordinator(environ: Mapping[str, str], host: str, port: int) -> str:
    return environ.get('JAX_COORDINATOR_ADDRESS') or f'{host}:{environ.get("JAX_COORDINATOR_PORT", port)}'


def _share(environ: Mapping[str, str], local: str) -> tuple[int, ...] | None:
    """Choose one accelerator for each process of a machine, unless the launcher has shown it a single one."""
    visible = environ.get('CUDA_VISIBLE_DEVICES', '').split(',')
    number = _number(environ, local)
    return None if number is None or len(visible) < 2 else (number,)
