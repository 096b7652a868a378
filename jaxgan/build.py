"""Make functions from a configuration: the one place where names become losses, penalties and networks."""

import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp
import optax

from jaxgan import latents, losses, regularizers
from jaxgan.augment import diffaugment
from jaxgan.config import Config, Ema, Optimizer, Penalty
from jaxgan.configjson import to_dict
from jaxgan.ema import half_life
from jaxgan.errors import InputError, unknown
from jaxgan.extensions import discriminator_steps
from jaxgan.modelconfig import Model
from jaxgan.models import (
    DCGANDiscriminator,
    DCGANGenerator,
    FastGANDiscriminator,
    FastGANGenerator,
    MLPDiscriminator,
    MLPGenerator,
    R3GANDiscriminator,
    R3GANGenerator,
    TransformerDiscriminator,
    TransformerGenerator,
)
from jaxgan.networks import from_linen
from jaxgan.onestage import make_one_stage_step
from jaxgan.schedules import cosine, scheduled
from jaxgan.sharedfakes import make_shared_fakes_step
from jaxgan.steps import Recipe, make_train_step, no_augment
from jaxgan.types import Extension, Loss, Network, Regularizer, Sampler, Schedule


def _members(module: Any, belongs: Callable[[Any], bool]) -> Mapping[str, Any]:
    """Collect a family: what its module defines, by name; so a new member is registered by being written."""
    found = {name: value for name, value in vars(module).items() if name[0] != '_' and belongs(value)}
    return MappingProxyType(dict(sorted(found.items())))


def _is_penalty(value: Any) -> bool:
    parameters = inspect.signature(value).parameters if inspect.isfunction(value) else {}
    return isinstance(value, Regularizer) or next(iter(parameters), None) == 'critic'


LOSSES: Mapping[str, Loss] = _members(losses, lambda value: isinstance(value, Loss))
PENALTIES: Mapping[str, Any] = _members(regularizers, _is_penalty)
STEPS: Mapping[str, Callable] = MappingProxyType(
    {
        'two_stage': make_train_step,
        'shared_fakes': make_shared_fakes_step,
        'one_stage': make_one_stage_step,
    }
)
MODELS: Mapping[str, tuple[Any, Any]] = MappingProxyType(
    {
        'dcgan': (DCGANGenerator, DCGANDiscriminator),
        'fastgan': (FastGANGenerator, FastGANDiscriminator),
        'mlp': (MLPGenerator, MLPDiscriminator),
        'r3gan': (R3GANGenerator, R3GANDiscriminator),
        'transformer': (TransformerGenerator, TransformerDiscriminator),
    }
)


def build_networks(
    model: Model, size: int, channels: int, classes: int, dtype: str
) -> tuple[Network, Network]:
    """Make generator and discriminator for images of a size, number of channels and number of classes.

    Where an architecture cannot make such images, its ``init`` raises ``InputError``.
    """
    card = architecture(model, size, channels, classes, dtype)
    return build_generator(card), build_discriminator(card)


def architecture(model: Model, size: int, channels: int, classes: int, dtype: str) -> dict[str, Any]:
    """Describe a pair of networks in JSON values: what an export keeps, and ``build_generator`` reads."""
    return {**to_dict(model), 'size': size, 'channels': channels, 'classes': classes, 'dtype': dtype}


def build_generator(card: Mapping[str, Any]) -> Network:
    """Make the generator of an ``architecture`` description."""
    return from_linen(_module(card, 0))


def build_discriminator(card: Mapping[str, Any]) -> Network:
    """Make the discriminator of an ``architecture`` description."""
    return from_linen(_module(card, 1))


def _module(card: Mapping[str, Any], player: int) -> Any:
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
    return cls(**{name: value for name, value in arguments.items() if name in fields})


def mixes_samples(model: Model) -> bool:
    """Say whether a model's discriminator lets samples see each other."""
    any_size = architecture(model, 32, 3, 0, 'float32')
    return bool(getattr(_module(any_size, 1), 'mixes_samples', False))


def build_latents(model: Model | Mapping[str, Any]) -> Sampler:
    """Make the latent distribution of a model or of an architecture description."""
    return latents.normal(model['latent_dim'] if isinstance(model, Mapping) else model.latent_dim)


def build_recipe(config: Config) -> Recipe:
    """Make all that the step needs from a configuration.

    Raises:
        InputError: a name is unknown, or parts do not go together.
    """
    mixes = mixes_samples(config.model)
    if mixes and config.training == 'one_stage':
        raise InputError(
            'training one_stage needs a discriminator that does not mix samples, and this one does (batch normalization, '
            'minibatch deviation): take it without, or training two_stage or shared_fakes'
        )
    if config.loss not in LOSSES:
        raise unknown('loss', config.loss, LOSSES)
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
        per_sample=not mixes,
        g_regularizers=tuple(_regularizer(penalty, burn_in) for penalty in config.g_penalties),
        extensions=_extensions(config),
    )


def build_step(config: Config, generator: Network, discriminator: Network, recipe: Recipe) -> Callable:
    """Make the training step that a configuration asks for; not jitted."""
    return STEPS[config.training](generator, discriminator, recipe)


def _schedule(span: tuple[float, float], burn_in: int) -> Schedule:
    return cosine(*span, burn_in)


def _regularizer(penalty: Penalty, burn_in: int) -> Regularizer:
    if penalty.name not in PENALTIES:
        raise unknown('penalty', penalty.name, PENALTIES)
    found = PENALTIES[penalty.name]
    made = found if isinstance(found, Regularizer) else Regularizer(found)
    return made._replace(weight=_schedule(penalty.weight, burn_in), every=penalty.every)


def _extensions(config: Config) -> tuple[Extension, ...]:
    return (discriminator_steps(config.d_steps),) if config.d_steps > 1 else ()


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
    'mixes_samples',
]
