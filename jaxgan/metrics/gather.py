"""From images to what metrics need: a stream through an extractor, batch by batch, on the device.

Moments are added up on the device. Features stay only where a metric asks for them, and images never stand in memory as
floats beyond one batch.
"""

import functools
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int, UInt8

from jaxgan.errors import InputError
from jaxgan.metrics import moments
from jaxgan.metrics.moments import Statistics
from jaxgan.metrics.types import Extractor

Batch = tuple[UInt8[np.ndarray, 'b h w c'], Int[np.ndarray, ' b'] | None]


class Sample(NamedTuple):
    """What was seen of one set of images."""

    count: int
    statistics: Statistics | None
    """None: there were fewer than two images."""
    features: Float[np.ndarray, 'n d'] | None
    """None: not kept."""
    logits: dict[str, Float[np.ndarray, 'n _']]
    labels: Int[np.ndarray, ' n'] | None

    @property
    def table(self) -> Float[np.ndarray, 'n d']:
        """The features; an error of the program, not of a user, where they were not kept."""
        assert self.features is not None, 'a measure that needs features must say so'
        return self.features


def heads(extractor: Extractor, shape: tuple[int, int, int]) -> dict[str, int]:
    """Tell what an extractor classifies in images of [H, W, C], and into how many classes; nothing is computed."""
    images = jax.ShapeDtypeStruct((2, *shape), np.uint8)
    found = jax.eval_shape(extractor.apply, extractor.params, images)
    return {name: logits.shape[-1] for name, logits in found.logits.items()}


def gather(extractor: Extractor, batches: Iterable[Batch], size: int, keep: bool) -> Sample:
    """Send images through an extractor.

    Args:
        extractor: what turns them into features.
        batches: uint8 images with their labels or None; each of at most ``size`` images, so that there is one program.
        size: images at once.
        keep: keep every image's features, not their moments only.

    Raises:
        InputError: there are no images, or more in a batch than ``size``.
    """
    step = _program(extractor.apply)
    state: Any = None
    features, logits, labels = [], [], []
    for images, label in batches:
        count = len(images)
        if count > size:
            raise InputError(f'a batch of {count} images (allowed: up to {size})')
        filled = np.concatenate([images, np.zeros((size - count, *images.shape[1:]), np.uint8)])
        if state is None:
            width = jax.eval_shape(extractor.apply, extractor.params, filled).pool.shape[-1]
            state = moments.init(width)
        state, found = step(extractor.params, state, filled, np.arange(size) < count)
        if keep:
            features.append(np.asarray(found.pool[:count], np.float32))
        logits.append({name: np.asarray(values[:count]) for name, values in found.logits.items()})
        if label is not None:
            labels.append(np.asarray(label))
    if state is None:
        raise InputError('no images to measure')
    count = int(state.count)
    return Sample(
        count=count,
        statistics=moments.finish(state) if count > 1 else None,
        features=np.concatenate(features) if keep else None,
        logits={name: np.concatenate([part[name] for part in logits]) for name in logits[0]},
        labels=np.concatenate(labels) if labels else None,
    )


@functools.lru_cache(maxsize=8)
def _program(apply: Callable) -> Callable:
    """Compile ``(params, moments, images, valid) -> (moments, features)`` once an extractor."""

    @functools.partial(jax.jit, donate_argnums=1)
    def step(params: Any, state: Any, images: Any, valid: Any) -> Any:
        found = apply(params, images)
        return moments.update(state, found.pool, valid), found

    return step
