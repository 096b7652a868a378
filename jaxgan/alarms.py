"""Signs of trouble in a training, each with a remedy: what a run's metrics and grids say to one who watches them.

Nothing here stops a training. A sign is told when it appears, and again only after it has gone.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.files import append_lines
from jaxgan.images import to_float
from jaxgan.types import Loss

WARNINGS = 'warnings.jsonl'
WON = 0.1  # D's loss below this part of that of a D that knows nothing: D has won
LOST = 1.1  # above this: D is worse than one that knows nothing
NARROW = 0.25  # samples' mean distance below this part of that of real images: collapse
PATIENCE = 3  # reports in a row, and 2 grids
REMEDIES = {
    'non_finite': 'a metric is no number; the last checkpoints are older. Lower the learning rates, clip gradients '
    '(--g-optimizer.clip 10 --d-optimizer.clip 10), or train in float32',
    'd_wins': 'D tells real and generated images apart almost always, so G hardly learns. Raise the weights of the penalties on D, '
    'add augmentation (--augment color translation cutout, or --ada bgc), or lower D\'s learning rate',
    'g_wins': 'D is worse than one that knows nothing, so G learns from noise. Lower the weights of the penalties on D, raise its '
    'learning rate, or give it more steps (--d-steps 2)',
    'collapse': 'samples are far more alike than real images. Take the relativistic loss with R1 and R2, raise the weights of the '
    'penalties, or go back to a checkpoint before',
}  # fmt: skip


class Sign(NamedTuple):
    """A sign of trouble."""

    signal: str
    """Its name in ``REMEDIES``."""
    message: str
    """What was seen, and what to do."""


class Alarms:
    """Watches a training."""

    def __init__(self, loss: Loss, batch_size: int, real_distance: float | None):
        """Begin.

        Args:
            loss: of the training: what D's is while all logits are 0 is what one that knows nothing has.
            batch_size: samples of a step.
            real_distance: the mean pairwise distance of real images (``distance``); None: collapse is not watched for.
        """

        def ignorant() -> Any:
            zeros = jnp.zeros(batch_size)
            return jnp.mean(loss.discriminator(zeros, zeros))

        self._ignorant = float(jax.jit(ignorant)())
        self._real_distance = real_distance
        self._in_a_row: dict[str, int] = {}

    def metrics(self, means: Mapping[str, float]) -> list[Sign]:
        """Look at the means of a report."""
        wrong = sorted(name for name, value in means.items() if not math.isfinite(value))
        found = [self._sign('non_finite', bool(wrong), 1, f'{", ".join(wrong[:3])} not finite')]
        loss = means.get('d/loss', math.nan)
        if self._ignorant > 0 and math.isfinite(loss):  # Wasserstein's is 0: its scale says nothing
            share = loss / self._ignorant
            seen = f"D's loss {loss:.3g} is {share:.2f} of that of a D that knows nothing"
            found.append(self._sign('d_wins', share < WON, PATIENCE, seen))
            found.append(self._sign('g_wins', share > LOST, PATIENCE, seen))
        return [sign for sign in found if sign is not None]

    def grid(self, images: np.ndarray) -> list[Sign]:
        """Look at a grid's images, uint8 [n, H, W, C]."""
        if not self._real_distance or len(images) < 2:
            return []
        share = distance(images) / self._real_distance
        seen = f"the samples' mean distance is {share:.2f} of that of real images"
        sign = self._sign('collapse', share < NARROW, 2, seen)
        return [] if sign is None else [sign]

    def _sign(self, signal: str, seen: bool, patience: int, what: str) -> Sign | None:
        count = self._in_a_row[signal] = self._in_a_row.get(signal, 0) + 1 if seen else 0
        return Sign(signal, f'{what}: {REMEDIES[signal]}') if count == patience else None


def distance(images: np.ndarray) -> float:
    """Compute the mean over pairs of the root mean squared difference of images, in units of their range [-1, 1].

    Of images larger than 64 pixels every so many pixels count, which is enough to see a collapse.
    """
    stride = max(1, images.shape[1] // 64)
    x = to_float(images[:, ::stride, ::stride]).reshape(len(images), -1)
    squares = np.asarray(np.sum(x * x, axis=1, dtype=np.float64))
    of_pairs = (squares[:, None] + squares - 2.0 * (x @ x.T))[np.triu_indices(len(x), 1)]
    return float(np.mean(np.sqrt(np.maximum(of_pairs, 0.0) / x.shape[1])))


def write_down(folder: Path, sign: Sign, step: int, images_seen: int, seconds: float) -> None:
    """Add a sign to a run's ``warnings.jsonl``."""
    line = {'step': step, 'images_seen': images_seen, 'seconds': round(seconds, 3), **sign._asdict()}
    append_lines(folder / WARNINGS, [line])
