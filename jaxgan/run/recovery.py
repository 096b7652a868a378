"""After a step that failed: say what was not finite, keep a file of it, and go back to the last checkpoint.

The state that is restored takes the place after the failed step, so that training goes on behind the data, and with the
other random numbers, of a later window; nothing more has to be remembered, and a run that is killed meanwhile comes
the same way again.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.checkpoints.checkpoint import Checkpoints
from jaxgan.config import Config, step_images
from jaxgan.data import DataInfo
from jaxgan.errors import DamagedError, DivergedError
from jaxgan.files import append_lines
from jaxgan.parallel.distributed import ALONE, Alone
from jaxgan.parallel.placing import spread
from jaxgan.run.cadence import cadence
from jaxgan.run.diagnosis import Fault, Finding, diagnose, phase_names
from jaxgan.run.faultfile import write_fault
from jaxgan.run.runlog import rewind
from jaxgan.run.trainer import Trainer
from jaxgan.state import GanState

FAULTS = 'faults.jsonl'
FOLDER = 'faults'
ROLLBACKS = 3  # to one checkpoint
KEPT = 4  # files: those of a training that gives up
ADVICE = 'lower the learning rates, clip gradients (--g-optimizer.clip 10 --d-optimizer.clip 10), or train in float32'


class Recovery:
    """What a run does about failed steps."""

    def __init__(
        self,
        trainer: Trainer,
        workdir: Path,
        step: int,
        checkpoints: Callable[[], Checkpoints],
        say: Callable[[str], None],
        crew: Alone = ALONE,
    ) -> None:
        """Begin after ``step``: lines of later steps are dropped, as the log does.

        Args:
            trainer: of the run.
            workdir: the run's folder.
            step: where the run stands.
            checkpoints: opens them.
            say: shows a line.
            crew: the processes that train together; all call ``recover``.
        """
        self._lines = rewind(workdir / FAULTS, step)[0] if crew.writes else []
        self._trainer, self._workdir, self._say, self._crew = trainer, workdir, say, crew
        self._checkpoints = checkpoints
        # those that a run makes that nobody stops come first, so that a stopped and continued run goes the same way
        self._scheduled = cadence(trainer, trainer.evaluator.measure is not None).scheduled

    def recover(self, state: GanState, seconds: float) -> GanState:
        """Go back, behind the step at which a state has stopped.

        Args:
            state: its ``fault`` is set.
            seconds: of training so far, for the record.

        Raises:
            DivergedError: it has gone back there too often already.
        """
        step = int(state.step) + 1
        frozen = self._gather(state)
        del state
        found: list[GanState] = []
        self._crew.decide(lambda: self._settle(Fault(step, *frozen), seconds, found))
        back = self._crew.restored(self._trainer.abstract, lambda: found[0] if found else None)
        back = self._trainer.init() if back is None else back
        seen = step * step_images(self._trainer.config)
        return back.replace(step=_like(back.step, step), images_seen=_like(back.images_seen, seen))

    def _settle(self, fault: Fault, seconds: float, found: list[GanState]) -> None:
        """Say what happened, write it down, and find the state to go on from; none: the initial one."""
        finding = diagnose(fault)
        what = f'step {fault.step:,}, phase {fault.phase}: {finding}'
        file = self._keep(fault, finding)
        restored = self._restore(fault.step - 1, found)
        before = sum(line.get('restored') == restored for line in self._lines)
        place = f'checkpoint {restored}' if restored else 'the initial state'
        self._note(fault, finding, file, restored, seconds)
        if before >= ROLLBACKS:
            further = '; deleting the newest checkpoints goes back further' if restored else ''
            hint = f'; jaxgan reproduce {file} shows it again' if file else ''
            raise DivergedError(
                f'{what}; going back to {place} has not helped {before} times: {ADVICE}{further}{hint}'
            )
        if fault.step >= self._trainer.total_steps:
            raise DivergedError(f'{what}; it was the last step, so the training ends with {place}')
        self._say(f'{what}; going on from {place}, behind that step ({before + 1} of {ROLLBACKS} times)')

    def _gather(self, state: GanState) -> tuple[str, Config, DataInfo, GanState, Any]:
        """Fetch all of a fault but its step: phase, configuration, data, the state as the phase met it, the batch."""
        trainer, crew = self._trainer, self._crew
        phase = phase_names(trainer.config, trainer.info)[int(state.fault) - 1]
        batch = crew.for_saving(trainer.batch(state, int(state.step)))
        keyless = crew.for_saving(state.replace(key=jax.random.key_data(state.key)))
        if not crew.writes:
            return phase, trainer.config, trainer.info, keyless, batch
        host = jax.device_get(keyless.replace(fault=np.int32(0)))
        host = host.replace(key=jax.random.wrap_key_data(host.key))
        return phase, trainer.config, trainer.info, host, jax.device_get(batch)

    def _keep(self, fault: Fault, finding: Finding) -> str:
        """Write the file; that it cannot be written is said, and stops nothing. Of a private training none is written: it would hold real images and keys."""
        if self._trainer.plan is not None:
            return ''
        folder = self._workdir / FOLDER
        path = folder / f'step_{fault.step:09d}.npz'
        try:
            write_fault(path, fault, finding)
            for old in sorted(folder.glob('step_*.npz'))[:-KEPT]:
                old.unlink()
        except OSError as error:
            self._say(f'{path} was not written: {error.strerror}')
            return ''
        return str(path)

    def _note(self, fault: Fault, finding: Finding, file: str, restored: int, seconds: float) -> None:
        line = {
            'step': fault.step,
            'images_seen': fault.step * step_images(self._trainer.config),
            'seconds': round(seconds, 3),
            'phase': fault.phase,
            'tensor': finding.first,
            'found': str(finding),
            'restored': restored,
            'file': Path(file).name,
        }
        self._lines.append(line)
        try:
            append_lines(self._workdir / FAULTS, [line])
        except OSError as error:
            self._say(f'warning: {FAULTS} cannot be written: {error.strerror}')

    def _restore(self, step: int, found: list[GanState]) -> int:
        """Find the newest good checkpoint up to a step; 0: there is none, and the initial state takes its place."""
        checkpoints = self._checkpoints()
        steps = [one for one in checkpoints.steps() if one <= step]
        like = self._crew.local_form(self._trainer.abstract)
        damaged: DamagedError | None = None
        for one in sorted(steps, key=lambda one: (self._scheduled(one), one), reverse=True):
            try:
                found.append(checkpoints.restore(like, one)[0])
                return one
            except DamagedError as error:
                self._say(f'passed over: {error}')
                damaged = error
        if damaged is not None:  # as a start does: nothing is begun anew beside checkpoints
            raise damaged
        return 0


def sound(state: GanState, saving: bool, crew: Alone) -> bool:
    """Say whether no step has failed, and before a state is saved, whether every number of it is finite."""
    # reading a value that is not there yet would hold Python's lock, and nobody could see that another process has died
    jax.block_until_ready(state.fault)
    return not int(state.fault) and (not saving or crew.every(finite_on_host(state)))


def healthy_part(pending: list[tuple[Any, int]], steps: int) -> list[tuple[Any, int]]:
    """Take the metrics of so many steps from those of dispatches of so many steps each; the last one may have ended early."""
    kept = []
    for metrics, count in pending:
        if steps > 0:
            kept.append((metrics, min(count, steps)))
        steps -= count
    return kept


def finite_on_host(state: GanState) -> bool:
    """Say whether every number of a state is finite, of what this process holds of it; nothing is compiled."""
    leaves = [leaf for leaf in jax.tree.leaves(state) if jnp.issubdtype(leaf.dtype, jnp.inexact)]
    return all(np.isfinite(part).all() for leaf in leaves for part in _here(leaf))


def _here(leaf: jax.Array) -> list[Any]:
    """Fetch what this process has of an array; whole ones remember it, so that saving them fetches nothing again."""
    if leaf.is_fully_addressable or leaf.is_fully_replicated:
        return [np.asarray(leaf)]
    return [np.asarray(part.data) for part in leaf.addressable_shards if part.replica_id == 0]


def _like(leaf: Any, value: int) -> Any:
    return spread(np.asarray(value, leaf.dtype), leaf.sharding)
