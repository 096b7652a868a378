"""Build and load the compiled CPU kernels, when a command or a user asks for it; never on import.

``jaxgan/ops/csrc`` is compiled for this machine by the C++ compiler at hand, once: a library for each type of numbers
is kept in the user's cache folder, named by a digest of all that decides it. Without a compiler, everything runs as before.
"""

import collections
import ctypes
import functools
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import jax
import jaxlib

from jaxgan.ops import native
from jaxgan.runtime import cache_folder, processor

SWITCH = 'JAXGAN_KERNELS'  # 'off' in the environment: never build, never load
COMPILERS = ('c++', 'g++', 'clang++')
FLAGS = ('-std=c++17', '-O3', '-ffp-contract=fast', '-fno-math-errno', '-fPIC', '-w')
DTYPES = ('float32', 'bfloat16')
SECONDS = 300  # for a compilation, which takes about 2


class Kernels(NamedTuple):
    """Whether programs traced from now on use compiled kernels on CPU, and why or why not."""

    enabled: bool
    reason: str

    def __str__(self) -> str:
        return f'compiled for this CPU ({self.reason})' if self.enabled else f'none of our own: {self.reason}'


@functools.cache
def enable(dtype: str = 'float32') -> Kernels:
    """Build, load and use the compiled kernels, where this machine can; say so.

    What was compiled before stays as it is. Nothing is raised: a machine without a compiler goes on with XLA's forms.

    Args:
        dtype: what is computed besides float32. Kernels for another are built when a program first asks for them.

    >>> enable().enabled in (True, False)
    True
    """
    if os.environ.get(SWITCH, '').lower() in ('off', '0', 'false', 'no'):
        return Kernels(False, f'switched off by {SWITCH}')
    if jax.default_backend() != 'cpu':
        return Kernels(False, f'they are for CPU, and this is {jax.default_backend()}')
    with ThreadPoolExecutor() as pool:
        first, *others = pool.map(load, dict.fromkeys(('float32', dtype)))
    if first.enabled:
        native.compute = lambda dtype: load(dtype).enabled
        native.form.set_global('native')
    missing = [f'; {dtype}: {kernels.reason}' for kernels in others if not kernels.enabled]
    return first._replace(reason=first.reason + ''.join(missing))


def load(dtype: str) -> Kernels:
    """Build the kernels for one type of numbers, unless that was done before, and make them known to XLA, once a process."""
    with _locks[dtype]:
        return _load(dtype)


_locks: dict[str, threading.Lock] = collections.defaultdict(threading.Lock)


@functools.cache
def _load(dtype: str) -> Kernels:
    if dtype not in DTYPES:
        return Kernels(False, f'there are none for {dtype}')
    try:
        path, how = build(dtype)
        native.register(dtype, ctypes.CDLL(str(path)))
    except AttributeError:  # the library is empty
        return Kernels(False, 'this processor has no instructions for it')
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        return Kernels(False, ' '.join(str(error).split())[:300])
    return Kernels(True, how)


@functools.cache
def enable_beside(dtype: str) -> Future[Kernels]:
    """``enable`` in a thread, once: what needs no kernels goes on while they are compiled.

    A batch that is split over several devices is left to XLA: it would gather it around a kernel that it does not know.
    """

    def work() -> Kernels:
        if jax.device_count() > 1:
            return Kernels(False, 'the batch is split over several devices')
        return enable(dtype)

    return ThreadPoolExecutor(1, 'kernels').submit(work)


def build(dtype: str) -> tuple[Path, str]:
    """Compile the kernels for one type of numbers for this machine, unless that was done before.

    Returns:
        The library, and the compiler that made it.

    Raises:
        OSError: there is no compiler, it fails, or the cache folder cannot be written.
    """
    folder = Path(str(files('jaxgan') / 'ops' / 'csrc'))
    compiler = next(filter(None, map(shutil.which, (os.environ.get('CXX', ''), *COMPILERS))), None)
    if compiler is None:
        raise OSError(f'no C++ compiler was found ({", ".join(COMPILERS)}, or CXX)')
    version = _run([compiler, '--version']).splitlines()[0]
    sources = sorted(folder.glob(f'{dtype}*.cc'))
    texts = [path.read_text() for path in (*sources, *sorted(folder.glob('*.h')))]
    facts = (*texts, version, jaxlib.__version__, _processor(), *FLAGS)
    digest = hashlib.sha256('\0'.join(facts).encode()).hexdigest()[:16]
    library = cache_folder() / 'kernels' / f'{dtype}-{digest}.so'
    if not library.exists():
        _compile(compiler, sources, library)
    return library, version


def _compile(compiler: str, sources: list[Path], library: Path) -> None:
    """Compile beside each other, link into a temporary file and move it into place: a library is whole or absent."""
    library.parent.mkdir(parents=True, exist_ok=True)
    tune = '-march=native' if platform.machine() in ('x86_64', 'AMD64') else '-mcpu=native'
    options = [*FLAGS, tune, f'-I{jax.ffi.include_dir()}']
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        objects = [str(Path(folder) / f'{source.stem}.o') for source in sources]
        with ThreadPoolExecutor() as workers:
            parts = zip(sources, objects, strict=True)
            list(
                workers.map(lambda part: _run([compiler, *options, '-c', '-o', part[1], str(part[0])]), parts)
            )
        out = Path(folder) / library.name
        _run([compiler, '-shared', '-o', str(out), *objects])
        out.replace(library)


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ['no message']
        told = next(
            (line for line in lines if 'error' in line), lines[0]
        )  # first may be where a header was included
        raise OSError(f'{Path(command[0]).name} failed: {told}')
    return done.stdout


def _processor() -> str:
    """Describe what ``-march=native`` looks at: the processor's model and features."""
    wanted = ('flags', 'Features', 'model name', 'cpu family', 'model', 'CPU part')
    facts = processor()
    found = [f'{name}: {facts[name]}' for name in wanted if name in facts]
    return '\n'.join(found) or platform.processor() + platform.machine()
