"""How processes find each other, and how they part."""

import contextlib
import os
import socket
from collections.abc import Iterator
from typing import Any

import jax

from jaxgan.errors import MachineError
from jaxgan.parallel.distributed import ALONE, Alone, Crew, client_state, lost
from jaxgan.parallel.launch import Job
from jaxgan.run import crash


@contextlib.contextmanager
def joined(job: Job | None, seconds: int) -> Iterator[Alone]:
    """Join the others of a job, and leave with them; only process 0 prints, but for errors.

    Args:
        job: of ``find_job``; None: this process is alone.
        seconds: how long to wait for all to come.

    Raises:
        MachineError: they have not come. Errors within end all processes, and this one by itself.
    """
    if job is None:
        yield ALONE
        return
    job = connect(job, seconds)
    crew = Crew(job)
    crash.name_abort(lambda: _last_word(job))
    try:
        with contextlib.ExitStack() as stack:
            if job.process:
                stack.enter_context(contextlib.redirect_stdout(stack.enter_context(open(os.devnull, 'w'))))
            print(f'{job}, coordinator {job.coordinator}, from {job.source}', flush=True)
            yield crew
    except BaseException as error:
        crew.leave(error)
    crew.finish()


def connect(job: Job, seconds: int) -> Job:
    """Call ``jax.distributed.initialize``, and return the job as JAX knows it.

    Raises:
        MachineError: not all processes came in time, or the coordinator could not listen.
    """
    config: Any = jax.config
    config.update('jax_cpu_collectives_implementation', 'gloo')
    config.update('jax_enable_preemption_service', False)  # it would take SIGTERM; we stop and save ourselves
    chosen: dict[str, Any] = {'initialization_timeout': seconds}
    if job.coordinator:
        chosen |= {
            'coordinator_address': job.coordinator,
            'num_processes': job.processes,
            'process_id': job.process,
            'local_device_ids': job.devices,
            'cluster_detection_method': 'deactivate',
        }
    where = f' at {job.coordinator}' if job.coordinator else ''
    missed = f'{job} did not find the others{where} within {seconds} s'
    crash.name_abort(lambda: missed)  # how JAX's client gives up
    try:
        jax.distributed.initialize(**chosen)
    except (RuntimeError, ValueError, TypeError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise MachineError(
            f'{missed if job.coordinator else "JAX finds no job"} ({lines[0][:120]})'
        ) from None
    if job.coordinator:
        return job
    state = client_state()
    return job._replace(
        coordinator=state.coordinator_address, processes=state.num_processes, process=state.process_id
    )


def _last_word(job: Job) -> str:
    """Say why this process is being aborted: mostly because process 0, which holds the store, is gone."""
    host, port = job.coordinator.rsplit(':', 1)
    try:
        socket.create_connection((host.strip('[]'), int(port)), timeout=2).close()
    except OSError:
        return lost(job)
    return f'{job} was aborted by code of JAX, which has said why above'
