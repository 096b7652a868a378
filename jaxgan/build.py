"""Make functions from a configuration: the one place where names become losses, penalties and networks."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
import optax

from jaxgan import latents, losses, regularizers
from jaxgan.augment import diffaugment
from jaxgan.config import Config, Ema, Model, Optimizer, Penalty
from jaxgan.configjson import to_dict
from jaxgan.ema import half_life
from jaxgan.errors import InputError, unknown
from jaxgan.models import DCGANDiscriminator, DCGANGenerator, R3GANDiscriminator, R3GANGenerator
from jaxgan.networks import from_linen
from jaxgan.onestage import make_one_stage_step
from jaxgan.schedules import cosine, scheduled
from jaxgan.sharedfakes import make_shared_fakes_step
from jaxgan.steps import Recipe, make_train_step, no_augment
from jaxgan.types import Loss, Network, Regularizer, Sampler, Schedule

LOSSES: Mapping[str, Loss] = MappingProxyType(
    {
        'hinge': losses.hinge,
        'least_squares': losses.least_squares,
        'minimax': losses.minimax,
        'non_saturating': losses.non_saturating,
        'relativistic': losses.relativistic,
        'wasserstein': losses.wasserstein,
    }
)
PENALTIES: Mapping[str, Any] = MappingProxyType(
    {'r1': regularizers.r1, 'r2': regularizers.r2, 'wgan_gp': regularizers.wgan_gp}
)
STEPS: Mapping[str, Callable] = MappingProxyType(
    {
        'two_stage': make_train_step,
        'shared_fakes': make_shared_fakes_step,
        'one_stage': make_one_stage_step,
    }
)
MODELS: Mapping[str, tuple[Any, Any]] = MappingProxyType(
    {'dcgan': (DCGANGenerator, DCGANDiscriminator), 'r3gan': (R3GANGenerator, R3GANDiscriminator)}
)


def build_networks(
    model: Model, size: int, channels: int, classes: int, dtype: str
) -> tuple[Network, Network]:
    """Make generator and discriminator for images of a size, number of channels and number of classes.

    Raises:
        InputError: the architecture cannot make such images.
    """
    card = architecture(model, size, channels, classes, dtype)
    return build_generator(card), build_discriminator(card)


def architecture(model: Model, size: int, channels: int, classes: int, dtype: str) -> dict[str, Any]:
    """Describe a pair of networks in JSON values: what an export keeps, and ``build_generator`` reads."""
    return {**to_dict(model), 'size': size, 'channels': channels, 'classes': classes, 'dtype': dtype}


def build_generator(card: Mapping[str, Any]) -> Network:
    """Make the generator of an ``architecture`` description."""
    return _network(card, 0)


def build_discriminator(card: Mapping[str, Any]) -> Network:
    """Make the discriminator of an ``architecture`` description."""
    return _network(card, 1)


def _network(card: Mapping[str, Any], player: int) -> Network:
    arguments = dict(card)
    kind = arguments.pop('kind', None)
    if kind not in MODELS:
        raise unknown('architecture', kind, MODELS)
    arguments.pop('latent_dim', None)
    cls = MODELS[kind][player]
    own = {name[2:]: arguments.pop(name) for name in list(arguments) if name.startswith('d_')}
    if player:  # what a configuration gives as d_width is the discriminator's width
        arguments |= {name: value for name, value in own.items() if value is not None}
    arguments = {name: tuple(v) if isinstance(v, list) else v for name, v in arguments.items()}
    arguments['dtype'] = jnp.dtype(arguments['dtype'])
    fields = set(cls.__dataclass_fields__)
    return from_linen(cls(**{name: value for name, value in arguments.items() if name in fields}))


def check_size(model: Model, size: int) -> None:
    """Raise where a model cannot make images of a size.

    Raises:
        InputError: the size is not a power of two from 16, or the stages do not match it.
    """
    from jaxgan.models.layers import resolutions

    try:
        sides = resolutions(size)
    except ValueError as error:
        raise InputError(f'{error}; give --data.size') from None
    for name in ('widths', 'groups'):
        values = getattr(model, name, sides)
        if len(values) != len(sides):
            raise InputError(
                f'model.{name} {values} must name {len(sides)} stages, one for each side of {sides}'
            )
    for width, groups in zip(getattr(model, 'widths', ()), getattr(model, 'groups', ())):
        if 2 * width % groups:
            raise InputError(f'model.groups {groups} does not divide {2 * width}, twice its width {width}')


def build_latents(model: Model | Mapping[str, Any]) -> Sampler:
    """Make the latent distribution of a model or of an architecture description."""
    return latents.normal(model['latent_dim'] if isinstance(model, Mapping) else model.latent_dim)


def build_recipe(config: Config) -> Recipe:
    """Make all that the step needs from a configuration."""
    burn_in = config.burn_in
    augment = no_augment
    if config.augment:
        augment = diffaugment(config.augment, _schedule(config.augment_p, burn_in))
    return Recipe(
        loss=LOSSES[config.loss],
        g_tx=_optimizer(config.g_optimizer, burn_in),
        d_tx=_optimizer(config.d_optimizer, burn_in),
        latents=build_latents(config.model),
        d_regularizers=tuple(_regularizer(penalty, burn_in) for penalty in config.penalties),
        augment=augment,
        ema=_average(config.ema, burn_in),
        microbatches=config.microbatches,
        per_sample=getattr(config.model, 'norm', 'none') == 'none',
    )


def build_step(config: Config, generator: Network, discriminator: Network, recipe: Recipe) -> Callable:
    """Make the training step that a configuration asks for; not jitted."""
    return STEPS[config.training](generator, discriminator, recipe)


def _schedule(span: tuple[float, float], burn_in: int) -> Schedule:
    return cosine(*span, burn_in)


def _regularizer(penalty: Penalty, burn_in: int) -> Regularizer:
    return Regularizer(PENALTIES[penalty.name], _schedule(penalty.weight, burn_in), penalty.every)


def _average(ema: Ema, burn_in: int) -> Any:
    return half_life(_schedule(ema.half_life, burn_in), ema.rampup)


def _optimizer(optimizer: Optimizer, burn_in: int) -> optax.GradientTransformation:
    adam = scheduled(
        optax.adam,
        learning_rate=_schedule(optimizer.learning_rate, burn_in),
        b1=optimizer.beta1,
        b2=_schedule(optimizer.beta2, burn_in),
    )
    return adam if optimizer.clip is None else optax.chain(optax.clip_by_global_norm(optimizer.clip), adam)


__all__ = [
    'LOSSES',
    'MODELS',
    'PENALTIES',
    'architecture',
    'build_discriminator',
    'build_generator',
    'build_latents',
    'build_networks',
    'build_recipe',
    'build_step',
    'check_size',
]
