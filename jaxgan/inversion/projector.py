"""Projection of images into a generator's spaces, by Adam from several starts at once.

An image is what it is, whatever stands beside it: its loss, its learning rate and its end depend on itself alone.

References:
    Karras et al. 2020, arXiv 1912.04958, appendix D (noise on w, its maps, the ramps of the learning rate); Abdal, Qin and
    Wonka 2019, arXiv 1904.03189 (w+); Lipton and Tripathi 2017, arXiv 1702.04782 (z).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxgan.inversion.objective import Objective
from jaxgan.spaces import Space, Statistics, kept_noise, paint_one
from jaxgan.types import Key

RAMP_UP, RAMP_DOWN, JITTER_END = 0.05, 0.25, 0.75


class Settings(NamedTuple):
    """How a projection goes: what a program is compiled for."""

    steps: int = 500
    """At most; an image whose loss no longer falls takes fewer."""
    rate: float = 0.05
    """The learning rate, in standard deviations of a code's values."""
    jitter: float = 0.05
    """Noise on codes at first, in standard deviations, which falls to 0 until 3/4 of the steps."""
    prior: float = 0.0
    """Weight of the mean square of a code's values, in standard deviations from the mean."""
    between: float = 0.0
    """Weight of the mean variance between the styles of an image, likewise; of 'w+' alone."""
    noise: float | None = None
    """Fit noise maps too, with this weight of their autocorrelation; None: they stay as they are."""
    patience: int = 60
    """So many steps in which the loss falls by less than ``tolerance`` of itself, and the learning rate goes down."""
    tolerance: float = 0.02


class Projection(NamedTuple):
    """What was found, the best of all starts of each image."""

    codes: Any  # [B, ...]
    noise: Any  # maps [B, h, w] by layer, or None where they were not fitted
    images: Any  # [B, H, W, C]
    losses: Any  # [B]: penalties included
    steps: Any  # int32 [B]: of each image
    starts: Any  # int32 [B]: which start was the best


class _Found(NamedTuple):
    loss: Any  # [B, S]
    moved: Any  # what is optimized: codes [B, S, ...] in standard deviations, noise maps [B, S, h, w]


class _State(NamedTuple):
    moved: Any
    adam: Any
    best: _Found
    clock: Any  # [B]: where in the schedule an image is
    record: Any  # [B]: the loss at the last fall that counted
    since: Any  # [B]: steps since then
    steps: Any  # [B]


def make_projector(space: Space, objective: Objective, settings: Settings) -> Callable[..., Projection]:
    """Make a pure function that projects images; jit it once, for every image and every parameters of a shape.

    Args:
        space: of a generator.
        objective: how far images are from targets.
        settings: how it goes.

    Returns:
        ``project(params, aux, eye, spread, targets, starts, labels, key, mask=None) -> Projection``: the generator's
        ``params`` and ``aux``; the objective's ``eye``; ``spread``, a ``Statistics`` of the space; ``targets``
        [B, H, W, C]; ``starts``, codes [B, S, ...]; ``labels``, int32 [B, S] or None, of each start; ``key`` of the jitter,
        the same for every image; ``mask`` [B, H, W, 1] or None.
    """
    adam = optax.scale_by_adam(b1=0.9, b2=0.999)

    def project(
        params: Any, aux: Any, eye: Any, spread: Statistics, targets: Any, starts: Any, labels: Any, key: Key,
        mask: Any = None,
    ) -> Projection:  # fmt: skip
        deviation = jnp.maximum(spread.deviation, 1e-3 * jnp.max(spread.deviation) + 1e-12)
        painter = _Painter(space, params, aux, spread.mean, deviation)
        mean, deviation = (jnp.asarray(a) for a in (spread.mean, deviation))
        moved = {'code': (starts - mean[None, None]) / deviation[None, None]}
        if settings.noise is not None:
            moved['noise'] = jax.tree.map(
                lambda m: jnp.broadcast_to(m, (*starts.shape[:2], *m.shape)), kept_noise(aux)
            )

        def loss(moved: Any, target: Any, label: Any, shown: Any) -> Any:
            image = painter.paint(moved, label)
            distance = objective(eye, image, target[None], None if shown is None else shown[None])[0]
            return distance + penalty(moved, settings)

        gradients = jax.vmap(jax.vmap(jax.value_and_grad(loss), (0, None, 0, None)), (0, 0, 0, 0))

        def step(state: _State) -> _State:
            shaken = _shaken(state, key, settings)
            losses, slopes = gradients(shaken, targets, labels, mask)
            return _advance(state, shaken, losses, slopes, adam, settings)

        first = _begin(moved, adam)
        last = jax.lax.while_loop(lambda state: jnp.any(state.clock < settings.steps), step, first)
        chosen = jnp.argmin(last.best.loss, axis=1)
        found, label = jax.tree.map(lambda a: _pick(a, chosen), (last.best, labels))
        images = jax.vmap(painter.paint)(found.moved, label)[:, 0]
        codes = mean[None] + deviation[None] * found.moved['code']
        return Projection(codes, found.moved.get('noise'), images, found.loss, last.steps, chosen)

    return project


class _Painter(NamedTuple):
    """From what is optimized to an image."""

    space: Space
    params: Any
    aux: Any
    mean: Any
    deviation: Any

    def paint(self, moved: Any, label: Any) -> Any:
        """Make the image [1, H, W, C] of one code."""
        code = self.mean + self.deviation * moved['code']
        return paint_one(self.space, self.params, self.aux, code, label, moved.get('noise'))[None]


def penalty(moved: Any, settings: Settings) -> Any:
    """Add up what a code costs by itself: for being far from the mean, for styles that differ, for noise with a pattern."""
    code = moved['code']
    total = settings.prior * jnp.mean(jnp.square(code))
    if code.ndim == 2 and settings.between:
        total += settings.between * jnp.mean(jnp.var(code, axis=0))
    if 'noise' in moved and settings.noise:
        total += settings.noise * sum(autocorrelation(m) for m in jax.tree.leaves(moved['noise']))
    return total


def autocorrelation(noise: Any) -> Any:
    """Measure how much a map's neighbours have in common, over a pyramid of averages down to 8 pixels.

    ``sum_k mean(n_k n_k>)^2 + mean(n_k n_kv)^2``, shifted by one pixel to the right and down; averages are doubled, so that
    white noise keeps its variance.

    Args:
        noise: [h, w].

    References:
        Karras et al. 2020, arXiv 1912.04958, appendix D.
    """
    total = jnp.zeros((), jnp.float32)
    while True:
        total += sum(jnp.square(jnp.mean(noise * jnp.roll(noise, 1, axis))) for axis in (0, 1))
        if min(noise.shape) <= 8:
            return total
        noise = noise.reshape(noise.shape[0] // 2, 2, noise.shape[1] // 2, 2).mean(axis=(1, 3)) * 2


def ramps(clock: Any, steps: int) -> Any:
    """Give the learning rate's factor: up in the first 5% of the steps, down by a cosine in the last 25%."""
    part = clock.astype(jnp.float32) / steps
    down = jnp.minimum((1 - part) / RAMP_DOWN, 1.0)
    return (0.5 - 0.5 * jnp.cos(jnp.pi * down)) * jnp.minimum((part + 1 / steps) / RAMP_UP, 1.0)


def _begin(moved: Any, adam: optax.GradientTransformation) -> _State:
    n, starts = moved['code'].shape[:2]
    best = _Found(jnp.full((n, starts), jnp.inf, jnp.float32), moved)
    record, zeros = jnp.full((n,), jnp.inf, jnp.float32), jnp.zeros((n,), jnp.int32)
    return _State(moved, adam.init(moved), best, zeros, record, zeros, zeros)


def _shaken(state: _State, key: Key, settings: Settings) -> Any:
    """Add noise to codes, the same for every image; it ends at 3/4 of an image's schedule."""
    if not settings.jitter:
        return state.moved
    code = state.moved['code']
    left = jnp.maximum(1 - state.clock.astype(jnp.float32) / (settings.steps * JITTER_END), 0.0)
    noise = jax.random.normal(jax.random.fold_in(key, jnp.max(state.steps)), code.shape[1:])
    return {**state.moved, 'code': code + settings.jitter * _wide(jnp.square(left), code) * noise[None]}


def _advance(
    state: _State, seen: Any, losses: Any, slopes: Any, adam: optax.GradientTransformation, settings: Settings
) -> _State:
    """Take a step for each image that still moves, and keep what is best."""
    moving = state.clock < settings.steps
    losses = jnp.where(jnp.isnan(losses), jnp.inf, losses)
    better = (losses < state.best.loss) & moving[:, None]
    best = _Found(
        jnp.where(better, losses, state.best.loss),
        jax.tree.map(lambda new, old: jnp.where(_wide(better, old), new, old), seen, state.best.moved),
    )
    with jax.numpy_dtype_promotion('standard'):  # Optax takes powers of a float by its integer count
        updates, opt = adam.update(slopes, state.adam)
    rate = jnp.where(moving, settings.rate * ramps(state.clock, settings.steps), 0.0)
    moved = jax.tree.map(lambda m, u: m - _wide(rate, m) * u, state.moved, updates)
    if 'noise' in moved:
        moved = {**moved, 'noise': jax.tree.map(_whitened, moved['noise'])}
    low = jnp.min(best.loss, axis=1)
    fell = low < (1 - settings.tolerance) * state.record
    since = jnp.where(fell, 0, state.since + 1)
    landing = round(settings.steps * (1 - RAMP_DOWN))
    early = (since >= settings.patience) & (state.clock < landing)
    clock = jnp.where(moving, jnp.where(early, landing, state.clock + 1), state.clock)
    record = jnp.where(fell, low, state.record)
    return _State(moved, opt, best, clock, record, since, state.steps + moving.astype(jnp.int32))


def _whitened(noise: Any) -> Any:
    """Give each map mean 0 and variance 1."""
    noise = noise - jnp.mean(noise, axis=(-2, -1), keepdims=True)
    return noise * jax.lax.rsqrt(jnp.mean(jnp.square(noise), axis=(-2, -1), keepdims=True) + 1e-8)


def _wide(values: Any, like: Any) -> Any:
    return values.reshape(values.shape + (1,) * (like.ndim - values.ndim))


def _pick(values: Any, chosen: Any) -> Any:
    return jax.vmap(lambda row, i: row[i])(values, chosen)
