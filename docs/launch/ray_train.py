"""A training over machines of a Ray cluster, one process a machine: ``python docs/launch/ray_train.py [options of train.py]``.

Ray places the processes, and ends the others where one fails; what they say to each other is JAX's. MACHINES and GPUS
(a machine) are environment variables. The repository and its data must lie at the same path of each machine.
"""

import os
import socket
import subprocess
import sys

import ray


@ray.remote(max_restarts=0)
class Machine:
    """One process of the training."""

    def address(self) -> str:
        """Name this machine, with a port that is free."""
        with socket.socket() as probe:
            probe.bind(('', 0))
            return f'{ray.util.get_node_ip_address()}:{probe.getsockname()[1]}'

    def train(self, coordinator: str, processes: int, process: int, options: list[str]) -> int:
        """Run ``train.py`` and return its exit code."""
        place = ['--coordinator', coordinator, '--processes', str(processes), '--process-id', str(process)]
        return subprocess.run([sys.executable, 'train.py', *options, *place], check=False).returncode


def main(options: list[str]) -> int:
    """Start the processes, wait for all, and return the first exit code that is not 0."""
    machines, gpus = int(os.environ.get('MACHINES', 2)), float(os.environ.get('GPUS', 1))
    ray.init()
    workers = [Machine.options(num_gpus=gpus, scheduling_strategy='SPREAD').remote() for _ in range(machines)]
    coordinator = ray.get(workers[0].address.remote())
    codes = ray.get(
        [worker.train.remote(coordinator, machines, i, options) for i, worker in enumerate(workers)]
    )
    return next((code for code in codes if code), 0)


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
