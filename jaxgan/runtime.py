"""What a process does for speed, chosen by the command line, never by an import."""

import contextlib
import ctypes
import os
import platform
import sys
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jaxlib

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # glibc's malloc.h
CACHE_BYTES = 2**30  # compiled programs that are kept; the default recipe's take 1 MB
CACHE_SECONDS = 0.1  # what compiles faster is not worth a file


def keep_freed_memory() -> bool:
    """Tell glibc's allocator to keep big freed blocks instead of returning them to the kernel.

    XLA:CPU allocates each call's temporaries anew, and glibc by default maps and unmaps them, so that every step
    faults its pages in again; keeping them was measured a fifth faster. The process stays at its peak size.
    What a thread of XLA's asks for at once beyond 64 MB, where a thread's heap ends, glibc maps and unmaps all the same,
    once a dispatch.

    Returns:
        Whether it was done (only under glibc on Linux).
    """
    if not sys.platform.startswith('linux'):
        return False
    libc = ctypes.CDLL(None)
    if not hasattr(libc, 'gnu_get_libc_version'):
        return False
    settings = ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 64 << 20))
    return all([libc.mallopt(option, value) for option, value in settings])


class ProgramCache(NamedTuple):
    """Where compiled programs are kept; no folder: they are not, and why."""

    folder: Path | None
    reason: str = ''

    def __str__(self) -> str:
        return f'kept in {self.folder}' if self.folder else f'not kept: {self.reason}'


def keep_programs() -> ProgramCache:
    """Keep compiled programs in the user's cache folder, so that the next process loads instead of compiling them.

    The folder is ``$XDG_CACHE_HOME/jaxgan/xla/MACHINE`` (``~/.cache`` without the variable); at most ``CACHE_BYTES``
    stay in it. JAX's own settings win: a folder in ``JAX_COMPILATION_CACHE_DIR``, and
    ``JAX_ENABLE_COMPILATION_CACHE=false``, which turns it off. A folder that cannot be written is no error.
    """
    config: Any = jax.config
    if not config.jax_enable_compilation_cache:
        return ProgramCache(None, 'JAX_ENABLE_COMPILATION_CACHE is off')
    if config.jax_compilation_cache_dir:
        return ProgramCache(Path(config.jax_compilation_cache_dir))
    try:
        folder = cache_folder() / 'xla' / machine()
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f'.probe{os.getpid()}'
        probe.touch()
        probe.unlink()
    except (OSError, RuntimeError) as error:  # RuntimeError: the user has no home
        return ProgramCache(None, f'{getattr(error, "filename", None) or "no home"} cannot be written')
    prune(folder, CACHE_BYTES)
    jax.config.update('jax_compilation_cache_dir', str(folder))
    jax.config.update('jax_persistent_cache_min_compile_time_secs', CACHE_SECONDS)
    return ProgramCache(folder)


def cache_folder() -> Path:
    """Name the user's cache folder for jaxgan: ``$JAXGAN_CACHE``, ``$XDG_CACHE_HOME/jaxgan``, or ``~/.cache/jaxgan``.

    Raises:
        RuntimeError: the user has no home.
    """
    if named := os.environ.get('JAXGAN_CACHE'):
        return Path(named)
    return Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'jaxgan'


def machine() -> str:
    """Name the kind of processor: programs for one may not run on another that shares the home folder."""
    facts = processor()
    features = facts.get('flags') or facts.get('Features')
    return platform.machine() + (f'-{zlib.crc32(features.encode()):08x}' if features else '')


def processor() -> dict[str, str]:
    """Read what Linux says of the first processor, such as its model and features; empty elsewhere."""
    try:
        lines = Path('/proc/cpuinfo').read_text().split('\n\n')[0].splitlines()
    except OSError:
        return {}
    pairs = [line.partition(':') for line in lines]
    return {name.strip(): value.strip() for name, _, value in pairs}


def prune(folder: Path, limit: int) -> None:
    """Delete the oldest files of a folder until the others fit into a limit; another process may do the same."""
    sizes = []
    for path in folder.glob('*-cache'):
        with contextlib.suppress(OSError):
            sizes.append((path.stat().st_mtime, path.stat().st_size, path))
    total = sum(size for _, size, _ in sizes)
    for _, size, path in sorted(sizes):
        if total <= limit:
            return
        with contextlib.suppress(OSError):
            path.unlink()
        total -= size


def compile_well() -> dict[str, Any]:
    """Return compiler options for a program that runs often: on a CPU, fewer copies of what is updated in place.

    XLA:CPU by default copies moments and parameters whose memory the new ones take, because it does not look whether
    both are alive at once. A step of the default recipe takes 7% less, and so does that of an MLP of 2 million
    parameters, their compilation 8% (jax 0.10.2, 2 cores); the results stay the same, bit for bit. ``XLA_FLAGS`` win.
    """
    return _on_cpu('xla_cpu_copy_insertion_use_region_analysis', True)


def compile_quickly() -> dict[str, Any]:
    """Return compiler options for a program that runs once: on a CPU, LLVM's lowest level and, where XLA has them, its plain emitters.

    The default recipe's initialization takes 0.5 s of a core to compile instead of 2.5, and 0.05 s to run instead of 0.01
    (jax 0.10.2; 1 s on jax 0.12, which has no other emitters); the results stay the same, bit for bit. ``XLA_FLAGS`` win.
    """
    plain = _on_cpu('xla_cpu_use_fusion_emitters', False) if jaxlib.__version__.startswith('0.10.') else {}
    return _on_cpu('xla_backend_optimization_level', 0) | plain


def _on_cpu(option: str, value: Any) -> dict[str, Any]:
    """Return a compiler option, unless this is no CPU or the user has set it."""
    chosen = option in os.environ.get('XLA_FLAGS', '')
    return {} if chosen or jax.default_backend() != 'cpu' else {option: value}
