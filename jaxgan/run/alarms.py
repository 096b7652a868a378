"""Signs of trouble in a training, each with a remedy: what a run's metrics and images say to one who watches them.

Nothing here stops a training. A sign is told when it appears, and again only after it has gone.
"""

import collections
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
FEW = 0.25  # kinds of samples below this part of the kinds of as many real images: few modes
ALIKE = 0.05  # images nearer than this part of the real ones' mean distance are of one kind
STILL = 1e-6  # G's gradient norm below this: nothing reaches G
LEAP = 8.0  # robust standard deviations from the median of the reports before
HISTORY = (8, 32)  # reports: so many are needed, and so many are remembered
IMAGES = 64  # that are compared with each other
PATIENCE = 3  # reports in a row; 2 looks at images
LEAPING = ('d/loss', 'g/loss', 'd/grad_norm', 'g/grad_norm')
REMEDIES = {
    'd_wins': 'D tells real and generated images apart almost always, so G hardly learns. Raise the weights of the penalties on D, '
    'add augmentation (--augment color translation cutout, or --ada bgc), or lower D\'s learning rate',
    'g_wins': 'D is worse than one that knows nothing, so G learns from noise. Lower the weights of the penalties on D, raise its '
    'learning rate, or give it more steps (--d-steps 2)',
    'g_stalls': 'no gradient reaches G. Lower its learning rate, raise the weights of the penalties on D, or take a loss that does '
    'not saturate (--loss relativistic)',
    'leap': 'a loss or gradient has left its course. Lower the learning rates, clip gradients (--g-optimizer.clip 10 '
    '--d-optimizer.clip 10), or go back to a checkpoint before',
    'collapse': 'samples are far more alike than real images. Take the relativistic loss with R1 and R2, raise the weights of the '
    'penalties, or go back to a checkpoint before',
    'few_kinds': 'most samples are copies of a few. Take the relativistic loss with R1 and R2, raise the weights of the penalties, or '
    'go back to a checkpoint before',
}  # fmt: skip


class Sign(NamedTuple):
    """A sign of trouble."""

    signal: str
    """Its name in ``REMEDIES``."""
    message: str
    """What was seen, and what to do."""


class Alarms:
    """Watches a training."""

    def __init__(self, loss: Loss, batch_size: int, real: np.ndarray | None):
        """Begin.

        Args:
            loss: of the training: what D's is while all logits are 0 is what one that knows nothing has.
            batch_size: samples of a step.
            real: some real images, uint8 [n, H, W, C]; None: images are not looked at.
        """

        def ignorant() -> Any:
            zeros = jnp.zeros(batch_size)
            return jnp.mean(loss.discriminator(zeros, zeros))

        self._ignorant = float(jax.jit(ignorant)())
        self._real = None if real is None else distances(real[:IMAGES])
        self._in_a_row: dict[str, int] = {}
        self.figures: dict[str, float] = {}  # what the last looks compared with the thresholds
        self._past = {name: collections.deque[float](maxlen=HISTORY[1]) for name in LEAPING}

    def metrics(self, means: Mapping[str, float]) -> list[Sign]:
        """Look at the means of a report."""
        found = []
        loss = means.get('d/loss', math.nan)
        if self._ignorant > 0 and math.isfinite(loss):  # Wasserstein's is 0: its scale says nothing
            share = self.figures['loss'] = loss / self._ignorant
            seen = f"D's loss {loss:.3g} is {share:.2f} of that of a D that knows nothing"
            found.append(self._sign('d_wins', share < WON, PATIENCE, seen))
            found.append(self._sign('g_wins', share > LOST, PATIENCE, seen))
        norm = means.get('g/grad_norm', math.nan)
        found.append(self._sign('g_stalls', norm < STILL, 2, f"G's gradient norm is {norm:.2g}"))
        leaps = {name: self._leap(name, means[name]) for name in LEAPING if name in means}
        far = max(leaps, key=lambda name: leaps[name], default='')
        self.figures |= {'norm': norm, 'leap': leaps.get(far, 0.0)}
        seen = f'{far} is {leaps[far]:.0f} deviations from the median of before' if far else ''
        found.append(self._sign('leap', leaps.get(far, 0.0) > LEAP, 2, seen))
        return [sign for sign in found if sign is not None]

    def images(self, images: np.ndarray) -> list[Sign]:
        """Look at samples of fixed latents, uint8 [n, H, W, C]; the first 64 count."""
        if self._real is None or len(images) < 2:
            return []
        found = distances(images[:IMAGES])
        n = min(len(found), len(self._real))
        alike = ALIKE * mean(self._real)
        share = mean(found) / mean(self._real) if alike else 1.0
        many = kinds(found[:n, :n], alike) / kinds(self._real[:n, :n], alike)
        self.figures |= {'distance': share, 'kinds': many}
        narrow = f"the samples' mean distance is {share:.2f} of that of real images"
        few = f'{n} samples have {many:.2f} times as many kinds as {n} real images'
        signs = [
            self._sign('collapse', share < NARROW, 2, narrow),
            self._sign('few_kinds', many < FEW and share >= NARROW, 2, few),
        ]
        return [sign for sign in signs if sign is not None]

    def _sign(self, signal: str, seen: bool, patience: int, what: str) -> Sign | None:
        count = self._in_a_row[signal] = self._in_a_row.get(signal, 0) + 1 if seen else 0
        return Sign(signal, f'{what}: {REMEDIES[signal]}') if count == patience else None

    def _leap(self, name: str, value: float) -> float:
        """Say how far a value is from its past, by median and median deviation, and remember it; norms by their logarithm."""
        if not math.isfinite(value):
            return 0.0
        norm = name.endswith('norm')
        value = math.log(max(value, 1e-12)) if norm else value
        past = np.array(self._past[name])
        self._past[name].append(value)
        if len(past) < HISTORY[0]:
            return 0.0
        median = float(np.median(past))
        deviation = 1.4826 * float(np.median(np.abs(past - median)))
        least = 0.1 if norm else 0.1 * max(abs(median), 0.1)  # a tenth is nothing, however calm the past was
        return abs(value - median) / (deviation + least)


def distance(images: np.ndarray) -> float:
    """Compute the mean over pairs of the root mean squared difference of images, in units of their range [-1, 1].

    Of images larger than 64 pixels every so many pixels count, which is enough to see a collapse.
    """
    return mean(distances(images))


def distances(images: np.ndarray) -> np.ndarray:
    """Compute the root mean squared differences of all pairs of images: [n, n], as ``distance`` says."""
    stride = max(1, images.shape[1] // 64)
    x = to_float(images[:, ::stride, ::stride]).reshape(len(images), -1)
    squares = np.asarray(np.sum(x * x, axis=1, dtype=np.float64))
    pairs = squares[:, None] + squares - 2.0 * (x @ x.T)
    return np.sqrt(np.maximum(pairs, 0.0) / x.shape[1])


def mean(distances: np.ndarray) -> float:
    """Average over the pairs."""
    return float(np.mean(distances[np.triu_indices(len(distances), 1)]))


def kinds(distances: np.ndarray, alike: float) -> int:
    """Count groups of images: those that are alike belong to one, and so do those that are linked by such pairs.

    >>> kinds(np.array([[0.0, 0.1, 0.9], [0.1, 0.0, 0.9], [0.9, 0.9, 0.0]]), 0.2)
    2
    """
    linked = distances <= alike
    group = np.arange(len(distances))
    while True:  # each takes the lowest number among those it is linked to, until nothing changes
        lowest = np.min(np.where(linked, group, len(group)), axis=1)
        lowest = np.minimum(lowest, group)
        if np.array_equal(lowest, group):
            return len(np.unique(group))
        group = lowest


def write_down(folder: Path, sign: Sign, step: int, images_seen: int, seconds: float) -> None:
    """Add a sign to a run's ``warnings.jsonl``."""
    line = {'step': step, 'images_seen': images_seen, 'seconds': round(seconds, 3), **sign._asdict()}
    append_lines(folder / WARNINGS, [line])
