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

from jaxgan.checkpoint import Checkpoints
from jaxgan.config import step_images
from jaxgan.diagnosis import Fault, Finding, diagnose, phase_names
from jaxgan.errors import DivergedError, Failure
from jaxgan.faultfile import write_fault
from jaxgan.files import append_lines
from jaxgan.runlog import rewind
from jaxgan.state import GanState
from jaxgan.trainer import Trainer

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
        scheduled: Callable[[int], bool],
        say: Callable[[str], None],
    ) -> None:
        """Begin after ``step``: lines of later steps are dropped, as the log does.

        Args:
            trainer: of the run.
            workdir: the run's folder.
            step: where the run stands.
            checkpoints: opens them.
            scheduled: whether a run that nobody stops saves at a step: only such checkpoints are gone back to, so that
                a stopped and continued run goes the same way.
            say: shows a line.
        """
        self._lines, _ = rewind(workdir / FAULTS, step)
        self._trainer, self._workdir, self._say = trainer, workdir, say
        self._checkpoints, self._scheduled = checkpoints, scheduled

    def recover(self, state: GanState, seconds: float) -> GanState:
        """Go back, behind the step at which a state has stopped.

        Args:
            state: its ``fault`` is set.
            seconds: of training so far, for the record.

        Raises:
            DivergedError: it has gone back there too often already.
        """
        fault = self._freeze(state)
        del state
        finding = diagnose(fault)
        what = f'step {fault.step:,}, phase {fault.phase}: {finding}'
        file = self._keep(fault, finding)
        restored, back = self._restore(fault.step - 1)
        before = sum(line.get('restored') == restored for line in self._lines)
        place = f'checkpoint {restored}' if restored else 'the initial state'
        self._note(fault, finding, file, restored, seconds)
        if before >= ROLLBACKS:
            further = '; deleting the newest checkpoints goes back further' if restored else ''
            hint = f'; jaxgan reproduce {file} shows it again' if file else ''
            raise DivergedError(
                f'{what}; going back to {place} has not helped {before} times: {ADVICE}{further}{hint}'
            )
        self._say(f'{what}; going on from {place}, behind that step ({before + 1} of {ROLLBACKS} times)')
        seen = fault.step * step_images(self._trainer.config)
        return back.replace(step=_like(back.step, fault.step), images_seen=_like(back.images_seen, seen))

    def _freeze(self, state: GanState) -> Fault:
        trainer, step = self._trainer, int(state.step)
        names = phase_names(trainer.config, trainer.info)
        phase = names[int(state.fault) - 1]
        batch = jax.device_get(trainer.batch(state, step))
        keyless = state.replace(key=jax.random.key_data(state.key))
        host = jax.device_get(keyless.replace(fault=np.int32(0)))
        host = host.replace(key=jax.random.wrap_key_data(host.key))
        return Fault(step + 1, phase, trainer.config, trainer.info, host, batch)

    def _keep(self, fault: Fault, finding: Finding) -> str:
        """Write the file; that it cannot be written is said, and stops nothing."""
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
        append_lines(self._workdir / FAULTS, [line])
        self._lines.append(line)

    def _restore(self, step: int) -> tuple[int, GanState]:
        """Restore the newest good checkpoint up to a step, or the initial state, which counts as step 0."""
        checkpoints = self._checkpoints()
        found = [one for one in checkpoints.steps() if one <= step]
        for one in sorted(found, key=lambda one: (self._scheduled(one), one), reverse=True):
            try:
                return one, checkpoints.restore(self._trainer.abstract, one)[0]
            except Failure as error:
                self._say(f'passed over: {error}')
        return 0, self._trainer.init()


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
    return jax.device_put(np.asarray(value, leaf.dtype), leaf.sharding)
