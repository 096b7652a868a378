"""The configuration of a run: frozen dataclasses, from which the command line and ``config.json`` are made.

It covers recipes. A researcher passes a ``Recipe`` of functions to ``make_train_step`` and never meets it.
A pair such as ``learning_rate: (2e-4, 5e-5)`` is (start, final), along half a cosine over ``burn_in`` images.
"""

import math
from dataclasses import dataclass, field
from typing import Literal

from jaxgan.bounds import check_counts
from jaxgan.data.config import DataConfig
from jaxgan.errors import InputError
from jaxgan.metrics.config import Evaluation, check_evaluation
from jaxgan.modelconfig import DCGAN, Model
from jaxgan.privacy.config import Privacy, check_privacy

Span = tuple[float, float]


@dataclass(frozen=True)
class Penalty:
    """A penalty on one of the players."""

    name: str = 'r1'
    """Which one: a name in ``jaxgan.regularizers``."""
    weight: Span = (1.0, 1.0)
    """Its weight, gamma for r1 and r2, lambda for wgan_gp: (start, final)."""
    every: int = 1
    """Compute it each so many steps, with its weight multiplied by as much."""
    sigma: float | None = None
    """The standard deviation of the noise of those that draw any (default: the penalty's own)."""


@dataclass(frozen=True)
class Optimizer:
    """The optimizer of one of the two networks: Adam, or another of Optax's."""

    learning_rate: Span = (2e-4, 2e-4)
    """(start, final)."""
    beta1: float = 0.0
    """Decay of the gradient's mean."""
    beta2: Span = (0.99, 0.99)
    """Decay of the squared gradient's mean: (start, final)."""
    clip: float | None = None
    """Scale the gradient down to this global norm where it is larger."""
    name: str = 'adam'
    """Which one: a name in Optax that takes a learning rate; it gets those of the other fields that it has."""
    eps: float | None = None
    """What keeps it from dividing by 0 (default: the optimizer's own)."""
    weight_decay: float | None = None
    """Decay of the parameters, for adamw and others (default: the optimizer's own)."""
    momentum: float | None = None
    """Momentum of sgd and others (default: the optimizer's own)."""
    clip_weights: float | None = None
    """Keep every parameter in [-this, this], as in the first Wasserstein GAN."""
    lazy: int | None = None
    """The interval k of this player's lazy penalties: learning rate times k / (k + 1), betas to the power of it. The
    papers' programs take an optimizer step for the penalty alone; here a penalty joins the step of the loss."""


@dataclass(frozen=True)
class Ema:
    """The averaged generator, from which samples are made."""

    half_life: Span = (5_000.0, 5_000.0)
    """After so many images an old value counts half: (start, final)."""
    rampup: float | None = 0.05
    """The half-life is at most this part of the images seen; None: no limit."""


@dataclass(frozen=True)
class PathLength:
    """Path length regularization of a generator with styles, a step of its own."""

    weight: float = 0.0
    """Its weight, 2 in the paper; 0: none."""
    every: int = 4
    """Take this step after each so many steps of the generator, with the weight multiplied by as much."""
    decay: float = 0.01
    """How fast the mean length follows."""
    shrink: int = 2
    """The batch divided by this is the number of images in the step."""


def _avatar_model() -> DCGAN:
    return DCGAN(width=96, d_width=64, norm='none', output='tanh', refine=32, d_refine=0)


def _avatar_optimizer() -> Optimizer:
    return Optimizer(learning_rate=(2e-3, 2e-4), beta1=0.0, beta2=(0.99, 0.99), clip=10.0)


@dataclass(frozen=True)
class Config:
    """A recipe: data, networks, losses, optimizers, and how long. The defaults train the embedded pixel_avatars."""

    data: DataConfig = field(default_factory=DataConfig)
    model: Model = field(default_factory=_avatar_model)
    conditional: bool = False
    """Give the data's labels to both networks."""
    spectral_norm: Literal['none', 'discriminator', 'both'] = 'none'
    """Divide the kernels of the discriminator, or of both networks, by their largest singular values."""
    dtype: Literal['float32', 'bfloat16'] = 'float32'
    """Of the networks' computation; parameters are float32."""
    loss: str = 'relativistic'
    """The adversarial loss: a name in ``jaxgan.losses``."""
    penalties: tuple[Penalty, ...] = (Penalty('r1', (0.3, 0.1)), Penalty('r2', (0.3, 0.1)))
    """Penalties on the discriminator."""
    g_penalties: tuple[Penalty, ...] = ()
    """Penalties on the generator."""
    top_k: Span | None = None
    """The generator's loss counts only this part of a batch, of the largest logits: (start, final); None: all."""
    path_length: PathLength = field(default_factory=PathLength)
    training: Literal['two_stage', 'shared_fakes', 'one_stage'] = 'two_stage'
    """Update D, then G against the new D, each on fakes of its own or on shared ones; or both at once from one pass of D.
    Each takes less time than the one before."""
    augment: tuple[Literal['color', 'translation', 'cutout'], ...] = ()
    """Differentiable augmentations of real and fake, in this order."""
    augment_p: Span = (1.0, 1.0)
    """The probability of each augmentation: (start, final)."""
    ada: tuple[str, ...] = ()
    """ADA's augmentations instead: sets (b to bgcfnc), groups (blit, geometric, color, filter, noise, cutout) or single ones,
    each with a multiplier of its probability if need be: ``color:0.5``."""
    ada_target: float | None = 0.6
    """Their probability keeps the mean sign of D's real logits here; None: it follows augment_p."""
    ada_images: int = 500_000
    """Images over which their probability may rise from 0 to 1."""
    apa_target: float | None = None
    """Show D generated images as real ones, with a probability that keeps the mean sign of its real logits here (0.6)."""
    apa_images: int = 500_000
    """Images over which that probability may rise from 0 to 1."""
    g_optimizer: Optimizer = field(default_factory=_avatar_optimizer)
    d_optimizer: Optimizer = field(default_factory=_avatar_optimizer)
    ema: Ema = field(default_factory=Ema)
    evaluation: Evaluation = field(default_factory=Evaluation)
    burn_in: int = 200_000
    """Images over which every (start, final) pair moves."""
    batch_size: int = 16
    """Real images in an update of the discriminator."""
    d_steps: int = 1
    """Updates of the discriminator for each of the generator, each on images of its own."""
    microbatches: int = 1
    """Accumulate gradients over so many parts of a batch, to save memory."""
    images: int = 200_000
    """Length of the training, in real images."""
    seed: int = 0
    """Decides the initialization, the latents, the augmentation and the order of the data."""
    steps_per_dispatch: int = 8
    """Steps that the device runs without the host."""
    log_every: int = 2_000
    """Images between two lines of metrics."""
    sample_every: int = 20_000
    """Images between two grids of samples."""
    checkpoint_every: int = 50_000
    """Images between two checkpoints."""
    keep: int = 3
    """How many checkpoints to keep."""
    grid: int = 64
    """How many images stand in a grid."""
    keep_every: int | None = None
    """Keep the first checkpoint at or after each multiple of so many images, too; None: only the newest."""
    sharding: Literal['data', 'fsdp', 'replicated'] = 'data'
    """Over several devices, split the batch; the batch and the state, whose parts then need less memory; or nothing."""
    fingerprint: str | None = None
    """A file with a secret of at least 16 bytes: the generator learns to emit its mark, by which jaxgan verify --fingerprint knows its images."""
    fingerprint_weight: Span = (1.0, 1.0)
    """The weight of the mark in the generator's loss: (start, final)."""
    dp: Privacy = field(default_factory=Privacy)


def step_images(config: Config) -> int:
    """Count the real images of a step."""
    return config.batch_size * config.d_steps


def check(config: Config) -> Config:
    """Return the configuration, or raise for values that no run could use.

    Raises:
        InputError: names the field, its value and what is allowed.
    """
    check_counts('', config, {'burn_in': 0, 'seed': 0})
    check_counts('model.', config.model, {'refine': 0, 'd_refine': 0, 'low_precision': 0})
    if config.seed >= 2**32:
        raise InputError(f'seed {config.seed} must be in 0..{2**32 - 1}')
    if config.images > 2**31 - 1 - step_images(config):
        raise InputError(f'images {config.images} must be below {2**31 - 1 - step_images(config)}')
    if config.batch_size % config.microbatches:
        raise InputError(
            f'batch_size {config.batch_size} does not divide into {config.microbatches} microbatches'
        )
    if config.training == 'shared_fakes' and config.microbatches != 1:
        raise InputError(
            f'training shared_fakes needs the whole batch at once: microbatches {config.microbatches} must be 1'
        )
    if config.d_steps != 1 and config.training != 'two_stage':
        raise InputError(f'd_steps {config.d_steps} needs training two_stage, not {config.training}')
    for name in ('g_optimizer', 'd_optimizer'):
        _check_optimizer(name, getattr(config, name))
    for penalty in config.penalties if config.d_steps > 1 else ():
        if penalty.every > 1:
            raise InputError(
                f'penalty {penalty.name}: every {penalty.every} needs d_steps 1, not {config.d_steps}: steps are counted, '
                'so all updates of one step would have it'
            )
    for penalty in (*config.penalties, *config.g_penalties):
        if penalty.every < 1:
            raise InputError(f'penalty {penalty.name}: every {penalty.every} must be at least 1')
        _check_span(f'penalty {penalty.name}: weight', penalty.weight)
        _check_above_0(f'penalty {penalty.name}: sigma', penalty.sigma)
    _check_names('penalties', config.penalties)
    _check_names('g_penalties', config.g_penalties)
    if config.top_k is not None and not all(0 < part <= 1 for part in config.top_k):
        raise InputError(f'top_k {config.top_k} must be in (0, 1]')
    _check_path_length(config.path_length)
    _check_span('ema.half_life', config.ema.half_life)
    _check_span('ema.rampup', (config.ema.rampup or 0.0,) * 2)
    if not all(0 <= p <= 1 for p in config.augment_p):
        raise InputError(f'augment_p {config.augment_p} must be in [0, 1]')
    _check_span('fingerprint_weight', config.fingerprint_weight)
    check_evaluation(config.evaluation)
    _check_adaptive(config)
    _check_used(config)
    check_privacy(config)
    return config


def _check_used(config: Config) -> None:
    """Refuse values that nothing would read."""
    default = Config()
    for names, used, wanted in (
        (('ada_target', 'ada_images'), bool(config.ada), 'ada'),
        (('ada_images',), config.ada_target is not None, 'ada_target'),
        (('apa_images',), config.apa_target is not None, 'apa_target'),
        (('augment_p',), bool(config.augment or config.ada), 'augment or ada'),
        (('fingerprint_weight',), bool(config.fingerprint), 'fingerprint'),
    ):
        for name in names:
            if not used and getattr(config, name) != getattr(default, name):
                raise InputError(f'{name} {getattr(config, name)} has no effect without {wanted}')
    lengths = config.path_length
    if not lengths.weight and lengths != PathLength():
        raise InputError(f'{lengths} has no effect while its weight is 0: give path_length.weight')
    every = {penalty.every for penalty in config.penalties}
    lazy = config.d_optimizer.lazy
    if lazy is not None and lazy not in every:
        raise InputError(
            f'd_optimizer.lazy {lazy} must be the interval of a penalty; every is {sorted(every) or "nowhere"}'
        )


def _check_adaptive(config: Config) -> None:
    for name, target in (('ada_target', config.ada_target), ('apa_target', config.apa_target)):
        if target is not None and not -1 < target < 1:
            raise InputError(f'{name} {target} must be between -1 and 1, as the mean of signs is')
    if config.ada and config.augment:
        raise InputError(f'augment {config.augment} and ada {config.ada} exclude each other')
    if config.ada and config.ada_target is not None and config.augment_p != (1.0, 1.0):
        raise InputError(
            f'augment_p {config.augment_p} has no effect while ada_target {config.ada_target} moves the probability: '
            'give ada_target None'
        )


def _check_optimizer(name: str, optimizer: Optimizer) -> None:
    _check_span(f'{name}.learning_rate', optimizer.learning_rate)
    for field_name, values in (('beta1', (optimizer.beta1,)), ('beta2', optimizer.beta2)):
        if not all(0 <= value < 1 for value in values):
            raise InputError(f'{name}.{field_name} {getattr(optimizer, field_name)} must be in [0, 1)')
    for field_name in ('clip', 'eps', 'clip_weights'):
        _check_above_0(f'{name}.{field_name}', getattr(optimizer, field_name))
    for field_name in ('weight_decay', 'momentum'):
        _check_span(f'{name}.{field_name}', (getattr(optimizer, field_name) or 0.0,))
    if optimizer.lazy is not None and optimizer.lazy < 1:
        raise InputError(f'{name}.lazy {optimizer.lazy} must be at least 1')


def _check_names(field_name: str, penalties: tuple[Penalty, ...]) -> None:
    names = [penalty.name for penalty in penalties]
    for name in [name for name in names if names.count(name) > 1]:
        raise InputError(f'{field_name} name {name!r} twice: add the weights of the two')


def _check_above_0(name: str, value: float | None) -> None:
    if value is not None and not (math.isfinite(value) and value > 0):
        raise InputError(f'{name} {value} must be above 0')


def _check_path_length(path_length: PathLength) -> None:
    check_counts('path_length.', path_length, {})
    _check_span('path_length.weight', (path_length.weight,))
    if not 0 < path_length.decay <= 1:
        raise InputError(f'path_length.decay {path_length.decay} must be in (0, 1]')


def _check_span(name: str, values: tuple[float, ...]) -> None:
    if not all(math.isfinite(value) and value >= 0 for value in values):
        raise InputError(f'{name} {values} must be finite and at least 0')
