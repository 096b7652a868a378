"""Checkpoints: the whole state of a run, written while training goes on, and verified when it is read.

Orbax writes the arrays, asynchronously and atomically: what a killed save left is removed when the folder is
opened again. But Orbax restores flipped bits without a word, so our own manifest with a SHA-256 of each leaf
lies beside each state, and nothing that does not match it is handed out.
"""

import contextlib
import dataclasses
import functools
import gc
import json
import logging
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
import numpy as np

from jaxgan.errors import InputError
from jaxgan.manifest import Manifest, check_fit, leaves_on_host, make_record, read_record, verify
from jaxgan.state import GanState

RECORD = 'record.json'


class Checkpoints:
    """The checkpoints of one run; a context manager that waits for the last save on exit.

    One process at a time may write to a folder. Arrays that are spread over several hosts are not supported.
    """

    def __init__(self, folder: str | Path, keep: int = 3):
        """Open a folder, make it where it does not exist, and remove what a killed save left.

        Args:
            folder: holds one folder a step.
            keep: the newest so many checkpoints stay; at least 1.

        Raises:
            InputError: the folder cannot be made or written to.
        """
        import orbax.checkpoint as ocp  # 0.4 s: not for those who only import the library
        from orbax.checkpoint import checkpoint_managers as policies

        if keep < 1:
            raise InputError(f'cannot keep {keep} checkpoints; at least 1')
        self.folder = Path(folder).absolute()  # Orbax refuses relative paths
        self._ocp = ocp
        options = ocp.CheckpointManagerOptions(
            save_decision_policy=policies.FixedIntervalPolicy(1),
            preservation_policy=policies.LatestN(keep),
            cleanup_tmp_directories=True,
            enable_async_checkpointing=True,
        )
        with _orbax(f'checkpoint folder {self.folder} cannot be opened'):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._manager = ocp.CheckpointManager(self.folder, options=options)

    def __enter__(self) -> 'Checkpoints':
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            with _orbax(f'the last checkpoint in {self.folder} was not saved'):
                self._manager.close()
        except InputError:
            if kind is None:  # an error that is on its way out says more than the one it may have caused
                raise

    def save(self, step: int, state: GanState, meta: dict) -> None:
        """Save a state; the writing goes on in the background, and ``state`` may be donated at once.

        Args:
            step: names the checkpoint; larger than all that are there.
            state: a tree of arrays.
            meta: whatever belongs to it, as JSON: data position, configuration, versions.

        Raises:
            InputError: the step is not newer than the newest checkpoint, or this or the save before failed.
        """
        latest = self.latest()
        if latest is not None and step <= latest:
            raise InputError(f'checkpoint {step} is not newer than {latest}, the newest in {self.folder}')
        meta = json.loads(json.dumps(meta))
        leaves = leaves_on_host(state)  # now: the state may be donated as soon as this returns
        record = _record_args()(functools.partial(make_record, leaves, meta))
        args = self._ocp.args
        with _orbax(f'checkpoint {step} was not saved in {self.folder}'):
            saved = self._manager.save(
                step,
                args=args.Composite(state=args.StandardSave(state), meta=record),
            )
        if not saved:
            raise InputError(f'checkpoint {step} was refused in {self.folder}')

    def latest(self) -> int | None:
        """Return the newest step, or ``None`` where there is none."""
        return max(self.steps(), default=None)

    def steps(self) -> list[int]:
        """Return the steps that there are, oldest first."""
        return sorted(self._manager.all_steps())

    def drop_after(self, step: int) -> None:
        """Delete the checkpoints of later steps, which a run that continues here will not have had."""
        for later in [found for found in self.steps() if found > step]:
            with _orbax(f'checkpoint {later} in {self.folder} cannot be deleted'):
                self._manager.delete(later)

    def restore(self, like: Any, step: int | None = None) -> tuple[GanState, dict]:
        """Read a state back, and verify every leaf of it.

        Args:
            like: a state, or its tree of ``jax.ShapeDtypeStruct``; where a leaf has a sharding, the restored
                one has it too, otherwise it is put on the first device.
            step: which checkpoint; the newest by default.

        Returns:
            The state and its meta.

        Raises:
            InputError: there is no such checkpoint, it does not fit ``like``, or it is damaged.
        """
        self.wait()  # a save in progress is listed, and cannot be read yet
        step = choose_step(self.folder, self.steps(), step)
        name = f'checkpoint {self.folder / str(step)}'
        args = self._ocp.args
        meta, manifest = read_record(_load_record(self.folder / str(step), name), name)
        abstract = jax.tree.map(_abstract, like)
        check_fit(manifest, abstract, name)
        with _orbax(f'{name} is damaged or incomplete'):
            restore = args.Composite(state=args.StandardRestore(abstract))
            state = self._manager.restore(step, args=restore)['state']
        verify(state, manifest, name)
        return state, meta

    def wait(self) -> None:
        """Wait until the last save is on disk.

        Raises:
            InputError: it failed.
        """
        with _orbax(f'the last checkpoint in {self.folder} was not saved'):
            self._manager.wait_until_finished()


def restore_average(folder: str | Path, step: int | None = None) -> tuple[Any, Any, int, dict]:
    """Read only the averaged generator, without the networks or the optimizers that made it.

    It only reads: a run may go on saving into the folder.

    Args:
        folder: as ``Checkpoints`` takes it.
        step: which checkpoint; the newest by default.

    Returns:
        ``(params, aux, step, meta)``; params and aux are nested dicts of NumPy arrays.

    Raises:
        InputError: there is no such checkpoint, or it is damaged.
    """
    import orbax.checkpoint as ocp

    folder = Path(folder).absolute()
    step, meta, manifest = read_meta(folder, step)
    name = f'checkpoint {folder / str(step)}'
    with (
        _orbax(f'{name} is damaged or incomplete'),
        ocp.Checkpointer(ocp.PyTreeCheckpointHandler()) as reader,
    ):
        path = folder / str(step) / 'state'
        item = {'g_ema': reader.metadata(path).item_metadata.tree['g_ema']}
        as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), item)
        args = ocp.args.PyTreeRestore(item=item, restore_args=as_numpy, partial_restore=True)
        average = reader.restore(path, args=args)
    manifest = {leaf: entry for leaf, entry in manifest.items() if leaf.startswith('g_ema/')}
    check_fit(manifest, average, name)
    verify(average, manifest, name)
    return average['g_ema']['params'], average['g_ema']['aux'], step, meta


def read_meta(folder: str | Path, step: int | None = None) -> tuple[int, dict, Manifest]:
    """Read what stands beside a checkpoint, without its arrays.

    Args:
        folder: as ``Checkpoints`` takes it.
        step: which checkpoint; the newest by default.

    Returns:
        The step, the meta that ``save`` was given, and the manifest of all leaves.

    Raises:
        InputError: there is no such checkpoint, or its record is damaged.
    """
    folder = Path(folder).absolute()
    found = [int(path.name) for path in folder.glob('*') if path.name.isdecimal() and path.is_dir()]
    step = choose_step(folder, sorted(found), step)
    name = f'checkpoint {folder / str(step)}'
    return step, *read_record(_load_record(folder / str(step), name), name)


def choose_step(folder: Path, steps: list[int], step: int | None) -> int:
    """Return ``step``, or the newest, if it is there.

    Raises:
        InputError: it is not there, or there are none.
    """
    if not steps:
        raise InputError(f'no checkpoint in {folder}')
    if step is not None and step not in steps:
        raise InputError(f'no checkpoint {step} in {folder} (there are: {", ".join(map(str, steps))})')
    return steps[-1] if step is None else step


def _abstract(leaf: Any) -> jax.ShapeDtypeStruct:
    # without a sharding Orbax would take the one of the machine that saved
    sharding = getattr(leaf, 'sharding', None) or jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)


def _load_record(folder: Path, name: str) -> Any:
    try:
        return json.loads((folder / 'meta' / RECORD).read_text('utf-8'))
    except (OSError, ValueError) as error:
        raise InputError(
            f'{name} is damaged: its {RECORD} cannot be read ({type(error).__name__})'
        ) from error


@functools.cache
def _record_args() -> Any:
    """Make the argument by which Orbax writes a record; in a function, as importing Orbax takes 0.4 s."""
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

    return RecordArgs


@contextlib.contextmanager
def _orbax(problem: str) -> Iterator[None]:
    """Turn what Orbax raises into one line, and keep what it prints from the terminal."""
    with _silence():
        try:
            yield
        except InputError:
            raise
        except Exception as error:  # what comes depends on the damage: ValueError, KeyError, bare Exception
            lines = str(error).strip().splitlines() or [type(error).__name__]
            # without its traceback, which would keep alive tasks that complain when they are collected
            raise InputError(f'{problem} (Orbax: {lines[0][:120]})') from error.with_traceback(None)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Mute warnings of Orbax, and the thousands of lines that tensorstore's threads print after an error."""
    loggers = [logging.getLogger(name) for name in ('absl', 'asyncio')]
    before = [logger.level for logger in loggers], sys.unraisablehook, sys.excepthook
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    sys.unraisablehook = sys.excepthook = lambda *_: None
    try:
        yield
    except BaseException:
        time.sleep(0.2)  # the other threads fail, too, and each of them says so
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # 'coroutine was never awaited'
            gc.collect()
        raise
    finally:
        levels, sys.unraisablehook, sys.excepthook = before
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
