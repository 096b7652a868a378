"""What a process does for speed on a CPU, before JAX runs: chosen by the command line, never by an import."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # glibc's malloc.h


def keep_freed_memory() -> bool:
    """Tell glibc's allocator to keep big freed blocks instead of returning them to the kernel.

    XLA:CPU allocates each call's temporaries anew, and glibc by default maps and unmaps them, so that every step
    faults its pages in again; keeping them was measured a fifth faster. The process stays at its peak size.

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
