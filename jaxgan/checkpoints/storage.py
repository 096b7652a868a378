"""The arrays of a checkpoint, written and read by Orbax; the one place that knows it.

Orbax restores flipped bits without a word, and its errors are long: what is stored beside the arrays, and what is
believed of them, is decided in ``checkpoint``.
"""

import contextlib
import dataclasses
import errno
import functools
import gc
import json
import logging
import os
import re
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgan.checkpoints.manifest import RECORD
from jaxgan.errors import InputError
from jaxgan.files import reason

STATE, META = 'state', 'meta'  # the items of a checkpoint
SECONDS = 5.0  # for threads of a save that failed
REASONS = (
    'ENOSPC',
    'EDQUOT',
    'EIO',
    'EROFS',
    'EACCES',
    'EPERM',
    'EMFILE',
    'ENOENT',
    'ENOTDIR',
    'ENAMETOOLONG',
)


def check_path(folder: Path) -> None:
    """Refuse a folder from which Orbax could not read back what it writes there.

    Raises:
        InputError: its path holds a bracket, which Orbax takes for a pattern.
    """
    if '[' in str(folder):
        raise InputError(
            f"{folder} cannot hold checkpoints: a path with '[' is a pattern to Orbax; name another"
        )


class StorageError(Exception):
    """What Orbax could not do, in a few words."""


class Writer:
    """Writes one checkpoint at a time, in the background."""

    def __init__(self) -> None:
        """Load Orbax, which takes 0.4 s."""
        import orbax.checkpoint as ocp

        self._ocp = ocp
        self._orbax = self._open()
        self._under_way = contextlib.ExitStack()

    def _open(self) -> Any:
        items, options = _of_one_process() if jax.process_count() > 1 else ({}, {})
        # with folders made in the background, threads would wait five minutes for one that cannot be made
        options['async_options'] = self._ocp.options.AsyncOptions(create_directories_asynchronously=False)
        composite = self._ocp.CompositeOptions(**options)
        handler = self._ocp.CompositeCheckpointHandler(composite_options=composite, **items)
        return self._ocp.AsyncCheckpointer(handler, **options)

    def start(self, target: Path, state: Any, record: Callable[[], dict]) -> None:
        """Begin to write; ``state`` may be donated as soon as this returns, ``record`` is called in the background.

        Raises:
            StorageError: it failed.
        """
        args = self._ocp.args
        items = args.Composite(**{STATE: _save_args(args)(state), META: _record_args()[1](record)})
        self._under_way.enter_context(_silence)  # threads may fail at any time from now on
        with self._renewing():
            self._orbax.save(target, items)

    def wait(self) -> None:
        """Wait until all is written.

        Raises:
            StorageError: it failed.
        """
        with self._under_way, self._renewing():
            self._orbax.wait_until_finished()

    def close(self) -> None:
        """Wait, and let go of threads."""
        with quiet(), contextlib.suppress(StorageError):
            self._orbax.close()

    @contextlib.contextmanager
    def _renewing(self) -> Iterator[None]:
        """Take another of Orbax's writers after a failure, which leaves half of a save in the old one."""
        try:
            with quiet():
                yield
        except StorageError:
            self.close()
            self._orbax = self._open()
            self._under_way.close()
            raise


def read_state(folder: Path, like: Any) -> Any:
    """Read the whole state of a checkpoint, placed as ``like`` says.

    Raises:
        StorageError: it cannot be read.
    """
    import orbax.checkpoint as ocp

    abstract = jax.tree.map(_abstract, like)
    with quiet(), ocp.Checkpointer(ocp.StandardCheckpointHandler(**_alone()), **_alone()) as reader:
        state = reader.restore(folder / STATE, args=ocp.args.StandardRestore(abstract))
    return jax.tree.map(_as_key, state, abstract)


def read_arrays(folder: Path, part: str | None = None) -> Any:
    """Read a checkpoint, or one part of its state, as nested dicts of NumPy arrays, a key as its numbers.

    Raises:
        StorageError: it cannot be read.
    """
    import orbax.checkpoint as ocp

    with quiet(), ocp.Checkpointer(ocp.PyTreeCheckpointHandler(**_alone()), **_alone()) as reader:
        path = folder / STATE
        item = reader.metadata(path).item_metadata.tree
        item = item if part is None else {part: item[part]}
        as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), item)
        args = ocp.args.PyTreeRestore(item=item, restore_args=as_numpy, partial_restore=part is not None)
        return reader.restore(path, args=args)


def _alone() -> dict[str, Any]:
    """Make the options by which Orbax waits for no other process: one of several writes and reads by itself."""
    import orbax.checkpoint as ocp

    if jax.process_count() == 1:
        return {}
    here = jax.process_index()
    options = ocp.options.MultiprocessingOptions(
        primary_host=here, active_processes={here}, barrier_sync_key_prefix='jaxgan'
    )
    return {'multiprocessing_options': options}


def _of_one_process() -> tuple[dict[str, Any], dict[str, Any]]:
    """Make the handlers and options by which one of several processes writes a checkpoint like any other."""
    import orbax.checkpoint as ocp

    alone, types = _alone(), ocp.type_handlers
    # by default each process writes a part of an array that all have, and a check counts them
    arrays = types.ArrayHandler(primary_host=jax.process_index(), use_replica_parallel=False)
    registry = types.create_type_handler_registry((jax.Array, arrays), (np.ndarray, types.NumpyHandler()))
    state = ocp.PyTreeCheckpointHandler(type_handler_registry=registry, **alone)
    return {STATE: state, META: _record_args()[0](**alone)}, alone


def _save_args(args: Any) -> Any:
    return args.StandardSave if jax.process_count() == 1 else args.PyTreeSave


def _as_key(leaf: Any, form: jax.ShapeDtypeStruct) -> Any:
    """Make a typed key of the numbers that are stored for one where one of several processes saved."""
    is_key = jax.dtypes.issubdtype(form.dtype, jax.dtypes.prng_key)
    if not is_key or leaf.dtype == form.dtype:
        return leaf
    return jax.device_put(jax.random.wrap_key_data(leaf), form.sharding)


def _abstract(leaf: Any) -> jax.ShapeDtypeStruct:
    # without a sharding Orbax would take the one of the machine that saved
    sharding = getattr(leaf, 'sharding', None) or jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)


@functools.cache
def _record_args() -> Any:
    """Make the handler and the argument by which Orbax writes a record; in a function, as importing Orbax takes 0.4 s."""
    import orbax.checkpoint as ocp
    from orbax.checkpoint.future import CommitFutureAwaitingContractedSignals as InBackground

    class RecordHandler(ocp.JsonCheckpointHandler):
        """Makes the record in the background: hashing a state takes longer than handing it over."""

        async def async_save(self, directory: Any, item: Any = None, args: Any = None) -> list:
            async def write() -> None:
                (directory / RECORD).write_text(json.dumps(args.make()))

            return [InBackground(write(), name='jaxgan_record')]

    @ocp.args.register_with_handler(RecordHandler, for_save=True, for_restore=True)
    @dataclasses.dataclass
    class RecordArgs(ocp.args.CheckpointArgs):
        make: Callable[[], dict]

    return RecordHandler, RecordArgs


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Turn what Orbax raises into a few words, and keep what it prints from the terminal.

    Raises:
        StorageError: whatever Orbax raised.
    """
    with _silence:
        try:
            yield
        except Exception as error:  # what comes depends on the damage: ValueError, KeyError, bare Exception
            # without its traceback, which would keep alive tasks that complain when they are collected
            raise StorageError(_words(error)) from error.with_traceback(None)


def _words(error: Exception) -> str:
    """Find the system's reason in a long message, or take the message's first line."""
    if isinstance(error, OSError):
        return reason(error)
    text = str(error)
    numbers = [getattr(errno, name) for name in REASONS if hasattr(errno, name)]
    known = [os.strerror(number) for number in numbers if os.strerror(number) in text]
    return known[0] if known else re.sub(r'\s*\[(source|tensorstore).*', '', reason(error))[:120]


class _Silence:
    """Mutes warnings of Orbax, and the thousands of lines that tensorstore's threads print after an error.

    Several threads may want it at the same time: the first one mutes, the last one undoes it.
    """

    def __init__(self) -> None:
        self._lock, self._users = threading.Lock(), 0
        self._loggers = [logging.getLogger(name) for name in ('absl', 'asyncio')]
        self._before: Any = None

    def __enter__(self) -> None:
        with self._lock:
            self._users += 1
            if self._users == 1:
                levels = [logger.level for logger in self._loggers]
                self._before = levels, sys.unraisablehook, sys.excepthook
                sys.unraisablehook = sys.excepthook = lambda *_: None
                for logger in self._loggers:
                    logger.setLevel(logging.CRITICAL + 1)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is not None:
            _await_threads()  # they fail, too, and each of them says so
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')  # 'coroutine was never awaited'
                gc.collect()
        with self._lock:
            self._users -= 1
            if self._users == 0:
                levels, sys.unraisablehook, sys.excepthook = self._before
                for logger, level in zip(self._loggers, levels, strict=True):
                    logger.setLevel(level)


def _await_threads() -> None:
    """Wait until Orbax's threads of a save that failed are done, at most some seconds."""
    time.sleep(0.1)
    deadline = time.monotonic() + SECONDS
    while any(_is_orbax(thread) for thread in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.02)


def _is_orbax(thread: threading.Thread) -> bool:
    return type(thread).__module__.startswith('orbax.') and thread is not threading.current_thread()


_silence = _Silence()
