"""The launch files in docs/launch: each is parsed, and its command run by two processes here, as its launcher would start them."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jobs
import pytest

pytestmark = pytest.mark.multiprocess
LAUNCH = jobs.ROOT / 'docs' / 'launch'
RAY = """
import concurrent.futures
pool = concurrent.futures.ThreadPoolExecutor(8)

class _Method:
    def __init__(self, function):
        self.function = function
    def remote(self, *arguments):
        return pool.submit(self.function, *arguments)

class _Actor:
    def __init__(self, instance):
        self.instance = instance
    def __getattr__(self, name):
        return _Method(getattr(self.instance, name))

def remote(**options):
    assert set(options) <= {'max_restarts'}
    def wrap(cls):
        class Handle:
            @staticmethod
            def options(num_gpus, scheduling_strategy):
                assert scheduling_strategy == 'SPREAD'
                return Handle
            @staticmethod
            def remote():
                return _Actor(cls())
        return Handle
    return wrap

def init():
    pass

def get(found):
    return [one.result() for one in found] if isinstance(found, list) else found.result()

class util:
    @staticmethod
    def get_node_ip_address():
        return '127.0.0.1'
"""


@pytest.fixture(scope='module')
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp('reference')
    command = [jobs.ROOT / 'train.py', '--config', jobs.recipe(folder), '--workdir', 'run']
    ((code, _, err),) = jobs.finish([jobs.start(command, folder, devices=2)])
    assert code == 0, err
    return jobs.leaves(folder / 'run', 5)


@pytest.fixture
def place(tmp_path):
    """A folder with ``train.py``, a ``python`` that is this one, and what the files take from the environment."""
    for name in ('train.py', 'jaxgan'):
        (tmp_path / name).symlink_to(jobs.ROOT / name)
    tools = tmp_path / 'bin'
    tools.mkdir()
    script(tools / 'python', f'exec {sys.executable} "$@"')
    return tmp_path


def script(path, text):
    path.write_text(f'#!/bin/bash\n{text}\n')
    path.chmod(0o755)


def bash(place, arguments, **env):
    made = jobs.environment(1, CONFIG=jobs.recipe(place), WORKDIR='run', **env)
    made['PATH'] = f'{place / "bin"}:{os.environ["PATH"]}'
    return subprocess.Popen(
        ['bash', *map(str, arguments)],
        env=made,
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def check(processes, place, reference, count=2):
    found = jobs.finish(processes)
    assert [code for code, _, _ in found] == [0] * len(processes), found
    assert f'process 0 of {count}, coordinator ' in found[0][1]
    assert jobs.leaves(place / 'run', 5) == reference


def both(place, command, **each):
    """Write a tool that starts what follows ``command``'s own options twice, as two tasks, with what each is told."""
    told = '\n'.join(f'export {name}={value}' for name, value in each.items())
    script(
        place / 'bin' / command,
        f'while [[ $1 == --* ]]; do shift; done\nfor i in 0 1; do\n(\n{told}\n"$@"\n) & done\nwait %1 && wait %2',
    )


def test_slurm(place, reference):
    text = (LAUNCH / 'slurm.sbatch').read_text()
    options = dict(re.findall(r'^#SBATCH --([\w-]+)=(\S+)$', text, re.M))
    assert (
        options['nodes'] == '2' and options['ntasks-per-node'] == '1'
    )  # as many tasks as the environment below says
    both(place, 'srun', SLURM_JOB_ID=5, SLURM_STEP_ID=0, SLURM_NTASKS=2, SLURM_STEP_NUM_TASKS=2, SLURM_PROCID='$i', SLURM_LOCALID=0,
         SLURM_STEP_NODELIST='localhost,node2', JAX_COORDINATOR_PORT=jobs.free_port())  # fmt: skip
    # the batch script itself sees the job's variables, and must not take itself for a task
    check(
        [bash(place, [LAUNCH / 'slurm.sbatch'], OPTIONS='', SLURM_NTASKS=2, SLURM_PROCID=0)], place, reference
    )


def yaml_value(text, key):
    """The value of a key in the little YAML of our files: a JSON list or a plain string."""
    (value,) = re.findall(rf'^\s*{key}: (.*?)(?:\s+#.*)?$', text, re.M)
    return json.loads(value) if value[0] in '["' else value


def test_jobset(place, reference):
    text = (LAUNCH / 'jobset.yaml').read_text()
    command = yaml_value(text, 'command') + yaml_value(text, 'args')
    variables = dict(re.findall(r'- name: (JAX_\w+)\s+value: "?([^"\s]+)"?', text))
    assert (
        yaml_value(text, 'completionMode') == 'Indexed'
        and yaml_value(text, 'completions') == variables['JAX_NUM_PROCESSES']
    )
    names = re.findall(r'^(?:  |    - )name: (\w+)$', text, re.M)
    assert (
        variables['JAX_COORDINATOR_ADDRESS']
        == f'{names[0]}-{names[1]}-0-0.{names[0]}:{yaml_value(text, "- containerPort")}'
    )
    assert command[0] == 'bash'
    variables['JAX_COORDINATOR_ADDRESS'] = f'127.0.0.1:{jobs.free_port()}'  # no such name here
    check(
        [bash(place, command[1:], OPTIONS='', JOB_COMPLETION_INDEX=i, **variables) for i in range(2)],
        place,
        reference,
    )


def test_skypilot(place, reference):
    text = (LAUNCH / 'skypilot.yaml').read_text()
    run = re.search(r'^run: \|\n((?:  .*\n?)+)', text, re.M)
    assert run is not None and yaml_value(text, 'num_nodes') == '2'
    command, port = re.sub(r'^  ', '', run[1], flags=re.M), jobs.free_port()
    told = {'SKYPILOT_NODE_IPS': '127.0.0.1\n127.0.0.1', 'SKYPILOT_NUM_NODES': 2, 'PORT': port, 'OPTIONS': ''}
    check([bash(place, ['-c', command], SKYPILOT_NODE_RANK=i, **told) for i in range(2)], place, reference)


def test_tpu_vm(place, reference):
    """What JAX finds on a TPU machine cannot be had here: its own detection is shown SLURM's variables instead."""
    (place / 'jaxgan.home').mkdir()
    home = place / 'home'
    (home / 'jaxgan' / '.venv' / 'bin').mkdir(parents=True)
    (home / 'jaxgan' / '.venv' / 'bin' / 'activate').touch()
    (home / 'jaxgan' / 'train.py').symlink_to(jobs.ROOT / 'train.py')
    port = jobs.free_port()
    script(
        place / 'bin' / 'gcloud',
        'test "$1 $2 $3 $4 $5" = "compute tpus tpu-vm ssh my-slice" || exit 9\n'
        'while [ "$1" != --command ]; do [ "$1" = --worker=all ] && all=1; shift; done\ntest "$all" = 1 || exit 8\n'
        f'cd {home}\nfor i in 0 1; do (SLURM_PROCID=$i SLURM_LOCALID=$i bash -c "$2") & done\nwait %1 && wait %2',
    )
    told = {
        'SLURM_JOB_ID': 5,
        'SLURM_NTASKS': 2,
        'SLURM_STEP_NODELIST': 'localhost',
        'JAX_COORDINATOR_PORT': port,
        'SLURM_STEP_NUM_NODES': 1,
    }
    processes = [bash(place, [LAUNCH / 'tpu_vm.sh'], TPU='my-slice', ZONE='here', **told)]
    check(processes, home / 'jaxgan', reference)


def test_ray(place, reference):
    (place / 'ray.py').write_text(RAY)
    options = ['--config', str(jobs.recipe(place)), '--workdir', 'run']
    env = jobs.environment(1)
    env['PYTHONPATH'] = f'{place}:{jobs.ROOT}'
    command = [sys.executable, str(LAUNCH / 'ray_train.py'), *options]
    process = subprocess.Popen(
        command, env=env, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    check([process], place, reference)


def test_each_file_has_a_test():
    tested = {name.removeprefix('test_') for name in globals() if name.startswith('test_')}
    assert {Path(path).stem.removesuffix('_train') for path in LAUNCH.iterdir()} <= tested
