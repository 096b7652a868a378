"""Suite ``modes``: the loss ablation on stacked digits, in a form for two cores.

An image is two digits drawn at random, one a channel, so there are 100 modes; a classifier of digits says which one a
sample shows. Four losses train the same small norm-free residual pair with the same optimizer from the same seed.

References:
    Huang et al. 2025, arXiv 2501.05441, table 1 (1000 modes, 32x32): relativistic with R1 and R2 covers 1000, its
    KL 0.0781; non-saturating with R1 and R2 693, 0.9270; both diverge with R1 alone. Stacked-MNIST: Lin et al. 2018
    (PacGAN), arXiv 1712.04086, section 4.1.
"""

import functools
import math
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import build
from jaxgan.bench.digits import Classifier, fit, open_digits
from jaxgan.bench.session import Row, Session
from jaxgan.config import Config, Ema, Optimizer, Penalty
from jaxgan.metrics.modes import label_modes, stacked_modes
from jaxgan.modelconfig import R3GAN
from jaxgan.phases import named_key, scan_steps
from jaxgan.state import init_state

COMPARED = False  # no times: losses among themselves
LOSSES = {
    'relativistic-r1-r2': ('relativistic', ('r1', 'r2')),
    'non-saturating-r1-r2': ('non_saturating', ('r1', 'r2')),
    'relativistic-r1': ('relativistic', ('r1',)),
    'non-saturating-r1': ('non_saturating', ('r1',)),
}
NAMES = tuple(LOSSES)
DIGITS = 2
LIMIT = 1000.0  # mean logits of real and fake this far apart: diverged


class Form(NamedTuple):
    """How long to train, and how finely to look."""

    steps: int = 4000
    dispatch: int = 100  # steps between two looks at the metrics
    batch: int = 32
    samples: int = 26 * 10**DIGITS


def run(session: Session) -> Iterator[Row]:
    """Train with each loss, and count the modes of its samples."""
    if session.data is None:
        session.say(
            'modes: skipped, for it needs digits: give --data mnist.npz (x_train, y_train, x_test, y_test) or mnist'
        )
        return
    form = Form(steps=100) if session.quick else Form()
    train, test = open_digits(session.data)
    classifier, accuracy = fit(train, test)
    session.say(
        f'{DIGITS} digits of 16x16 stacked, {10**DIGITS} modes; {form.steps} steps of {form.batch} images; {form.samples:,} samples; '
        f'the classifier is right on {accuracy:.1%} of the test digits'
    )
    for name in NAMES:
        if session.wants(name):
            yield one(name, form, train.images, classifier)


def one(name: str, form: Form, images: np.ndarray, classifier: Classifier) -> Row:
    """Train with one loss and judge the averaged generator.

    Returns:
        ``name``, ``modes``, ``kl`` (of the samples' modes to uniform, in nats), ``diverged_at`` (the step, or 'no'),
        ``train_seconds``, compilation included, and the last ``metrics``.
    """
    started = time.perf_counter()
    state, metrics, diverged = train_one(configuration(name, form), form, images)
    samples = sample(configuration(name, form), state, form.samples)
    found, kl = label_modes(stacked_modes(samples, classifier), 10**DIGITS)
    return {
        'name': name,
        'modes': found,
        'kl': kl,
        'diverged_at': 'no' if diverged is None else str(diverged),
        'train_seconds': round(time.perf_counter() - started, 1),
        'metrics': metrics,
    }


def configuration(name: str, form: Form) -> Config:
    """Make the recipe of a loss; everything but the loss and its penalties is the same in all."""
    loss, penalties = LOSSES[name]
    adam = Optimizer((1e-3, 1e-3), 0.0, (0.99, 0.99))
    return Config(
        model=R3GAN(latent_dim=64, widths=(64, 32, 16), groups=(16, 8, 4), blocks_per_stage=1),
        loss=loss,
        penalties=tuple(Penalty(penalty, GAMMA) for penalty in penalties),
        training='shared_fakes',
        g_optimizer=adam,
        d_optimizer=adam,
        ema=Ema((5_000.0, 5_000.0)),
        batch_size=form.batch,
        burn_in=form.steps * form.batch // 2,
    )


GAMMA = (1.0, 0.1)  # as in the paper's table 9


def train_one(config: Config, form: Form, images: np.ndarray) -> tuple[Any, dict[str, float], int | None]:
    """Train until the end or until it diverges; return the state, the last metrics, and the step of divergence."""
    generator, discriminator, recipe = parts(config)
    side = images.shape[1]
    example = {'image': jnp.zeros((form.batch, side, side, DIGITS))}
    start = functools.partial(init_state, generator=generator, discriminator=discriminator, recipe=recipe)
    state = jax.jit(functools.partial(start, batch=example))(jax.random.key(config.seed))
    step = build.build_step(config, generator, discriminator, recipe)
    dispatch = jax.jit(scan_steps(step, stacks(form.batch, len(images)), form.dispatch), donate_argnums=0)
    data, metrics, done = jnp.asarray(images), {}, 0
    while done < form.steps:
        state, found = dispatch(state, data)
        metrics, done = {name: float(value) for name, value in found.items()}, done + form.dispatch
        if has_diverged(metrics):
            return state, metrics, done
    return state, metrics, None


def parts(config: Config) -> tuple[Any, Any, Any]:
    """Make generator, discriminator and recipe."""
    generator, discriminator = build.build_networks(config.model, 16, DIGITS, 0, config.dtype)
    return generator, discriminator, build.build_recipe(config)


def has_diverged(metrics: dict[str, float]) -> bool:
    """Say whether means over a dispatch are no numbers, or D's logits of real and fake lie more than ``LIMIT`` apart.

    >>> has_diverged({'d/real': 2.0, 'd/fake': -1.0}), has_diverged({'d/real': float('nan'), 'd/fake': 0.0})
    (False, True)
    """
    finite = all(map(math.isfinite, metrics.values()))
    return not finite or abs(metrics['d/real'] - metrics['d/fake']) > LIMIT


def stacks(batch: int, count: int) -> Callable:
    """Make ``batch_of(images, state, i)``: for each channel of each image one of the digits, drawn at random."""

    def batch_of(images: Any, state: Any, i: Any) -> dict[str, Any]:
        del i
        key = jax.random.fold_in(named_key(state.key, 'stacks'), state.step)
        drawn = images[jax.random.randint(key, (batch, DIGITS), 0, count)]
        return {'image': jnp.moveaxis(drawn, 1, -1)}

    return batch_of


def sample(config: Config, state: Any, count: int) -> np.ndarray:
    """Draw so many samples of the averaged generator."""
    generator, _, recipe = parts(config)
    draw = jax.jit(lambda ema, key: generator.infer(ema.params, ema.aux, recipe.latents(key, 200), None))
    keys = jax.random.split(jax.random.key(config.seed + 1), math.ceil(count / 200))
    return np.concatenate([np.asarray(draw(state.g_ema, key)) for key in keys])[:count]
