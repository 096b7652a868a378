"""Make functions from a configuration: the one place where names become losses, penalties and networks."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import jax.numpy as jnp

from jaxgan import extensions, latents, losses, regularizers
from jaxgan.augment import GROUPS as ADA_GROUPS
from jaxgan.augment import POLICIES, ada, ada_pipeline, diffaugment, shift_and_flip
from jaxgan.augment import SETS as ADA_SETS
from jaxgan.build_optimizer import OPTIMIZERS, build_optimizer
from jaxgan.config import Config, Penalty
from jaxgan.configjson import to_dict
from jaxgan.ema import half_life
from jaxgan.errors import InputError, unknown
from jaxgan.extensions import apa, discriminator_steps, path_length
from jaxgan.modelconfig import Model
from jaxgan.models import PAIRS as MODELS
from jaxgan.networks import from_linen, spectral_norm
from jaxgan.onestage import make_one_stage_step
from jaxgan.phases import Step
from jaxgan.schedules import cosine
from jaxgan.sharedfakes import make_shared_fakes_step
from jaxgan.steps import Recipe, equally, make_train_step, no_augment
from jaxgan.types import Augment, Extension, Loss, Memory, Network, Regularizer, Sampler, Schedule


def _members(module: Any, belongs: Callable[[Any], bool]) -> Mapping[str, Any]:
    """Collect a family: what its module defines, by name; so a new member is registered by being written."""
    found = {name: value for name, value in vars(module).items() if name[0] != '_' and belongs(value)}
    return MappingProxyType(dict(sorted(found.items())))


def _is_penalty(value: Any) -> bool:
    parameters = inspect.signature(value).parameters if inspect.isfunction(value) else {}
    return isinstance(value, Regularizer) or next(iter(parameters), None) == 'critic'


LOSSES: Mapping[str, Loss] = _members(losses, lambda value: isinstance(value, Loss))
PENALTIES: Mapping[str, Any] = _members(regularizers, _is_penalty)
AUGMENTATIONS: Mapping[str, Callable] = POLICIES
EXTENSIONS: Mapping[str, Callable] = _members(extensions, inspect.isfunction)
STEPS: Mapping[str, Callable] = MappingProxyType(
    {
        'two_stage': make_train_step,
        'shared_fakes': make_shared_fakes_step,
        'one_stage': make_one_stage_step,
    }
)


def build_networks(
    model: Model, size: int, channels: int, classes: int, dtype: str, spectral_norm: str = 'none'
) -> tuple[Network, Network]:
    """Make generator and discriminator for images of a size, number of channels and number of classes.

    Where an architecture cannot make such images, its ``init`` raises ``InputError``.
    """
    card = architecture(model, size, channels, classes, dtype, spectral_norm)
    return build_generator(card), build_discriminator(card)


def architecture(
    model: Model, size: int, channels: int, classes: int, dtype: str, spectral_norm: str = 'none'
) -> dict[str, Any]:
    """Describe a pair of networks in JSON values: what an export keeps, and ``build_generator`` reads."""
    card = {**to_dict(model), 'size': size, 'channels': channels, 'classes': classes, 'dtype': dtype}
    return {**card, 'spectral_norm': spectral_norm}


def build_generator(card: Mapping[str, Any]) -> Network:
    """Make the generator of an ``architecture`` description."""
    made = from_linen(_module(card, 0))
    return spectral_norm(made) if card.get('spectral_norm') == 'both' else made


def build_discriminator(card: Mapping[str, Any]) -> Network:
    """Make the discriminator of an ``architecture`` description."""
    made = from_linen(_module(card, 1))
    normalized = card.get('spectral_norm', 'none') != 'none'
    return spectral_norm(made, names=('kernel', 'embedding')) if normalized else made


def _module(card: Mapping[str, Any], player: int) -> Any:
    arguments = dict(card)
    kind = arguments.pop('kind', None)
    if kind not in MODELS:
        raise unknown('architecture', kind, MODELS)
    cls = MODELS[kind][player]
    if card.get('spectral_norm', 'none') != 'none' and getattr(cls, 'equalized', False):
        raise InputError(
            f'spectral_norm {card["spectral_norm"]} does not go with model {kind}, whose layers scale their kernels '
            'themselves (equalized learning rate): take none'
        )
    arguments.pop('latent_dim', None)
    own = {name[2:]: arguments.pop(name) for name in list(arguments) if name.startswith('d_')}
    if player:  # what a configuration gives as d_width is the discriminator's width
        arguments |= {name: value for name, value in own.items() if value is not None}
    arguments = {name: tuple(v) if isinstance(v, list) else v for name, v in arguments.items()}
    arguments['dtype'] = jnp.dtype(arguments['dtype'])
    fields = set(cls.__dataclass_fields__)
    return cls(**{name: value for name, value in arguments.items() if name in fields})


def mixes_samples(model: Model, conditional: bool = False) -> bool:
    """Say whether a model's discriminator lets samples see each other."""
    return bool(_property(model, conditional, 'mixes_samples'))


def _property(model: Model, conditional: bool, name: str) -> Any:
    """Read what a discriminator says of itself, which depends on neither size nor number of classes."""
    return getattr(_module(_any_size(model, conditional), 1), name, False)


def _any_size(model: Model, conditional: bool = False) -> dict[str, Any]:
    return architecture(model, 32, 3, 2 if conditional else 0, 'float32')


def latent_parts(card: Mapping[str, Any]) -> int:
    """Count the equal parts of a latent that go to different layers of a generator; 1: all of it goes to one."""
    return getattr(_module(card, 0), 'latent_parts', 1)


def build_latents(model: Model | Mapping[str, Any]) -> Sampler:
    """Make the latent distribution of a model or of an architecture description, from which images are sampled."""
    card = model if isinstance(model, Mapping) else vars(model)
    signs = card.get('signs', 0)
    return latents.with_signs(card['latent_dim'], signs) if signs else latents.normal(card['latent_dim'])


def build_temperatures(card: Mapping[str, Any], temperature: float) -> Any:
    """Make the factors of a latent's values at a temperature, of an architecture description."""
    return latents.temperatures(card['latent_dim'], card.get('signs', 0), temperature)


def build_training_latents(model: Model) -> Sampler:
    """Make what the generator is trained on: latents, with styles to mix and noise where it has a ``mixing``."""
    mixing = getattr(_module(_any_size(model), 0), 'mixing', None)
    return build_latents(model) if mixing is None else latents.styled(model.latent_dim, mixing)


def build_recipe(config: Config) -> Recipe:
    """Make all that the step needs from a configuration.

    Raises:
        InputError: a name is unknown, or parts do not go together.
    """
    _check_conditioning(config)
    _check_players(config)
    mixes = mixes_samples(config.model, config.conditional)
    if mixes and config.training == 'one_stage':
        raise InputError(
            'training one_stage needs a discriminator that does not mix samples, and this one does (batch normalization, '
            'minibatch deviation): take it without, or training two_stage or shared_fakes'
        )
    if config.loss not in LOSSES:
        raise unknown('loss', config.loss, LOSSES)
    burn_in = config.burn_in
    augment, remembered = _augmentation(config)
    return Recipe(
        loss=LOSSES[config.loss],
        g_tx=build_optimizer(config.g_optimizer, burn_in),
        d_tx=build_optimizer(config.d_optimizer, burn_in),
        latents=build_training_latents(config.model),
        d_regularizers=tuple(_regularizer(penalty, burn_in) for penalty in config.penalties),
        augment=augment,
        ema=half_life(_schedule(config.ema.half_life, burn_in), config.ema.rampup),
        microbatches=config.microbatches,
        per_sample=not mixes,
        g_regularizers=tuple(_regularizer(penalty, burn_in) for penalty in config.g_penalties),
        g_weights=equally if config.top_k is None else losses.top_k(_schedule(config.top_k, burn_in)),
        memories=remembered,
        extensions=_extensions(config),
    )


def _check_players(config: Config) -> None:
    """Refuse a penalty in the list of a player whose parameters do not enter it."""
    for field, other, without in (
        ('penalties', 'g_penalties', regularizers.FAKE_ONLY),
        ('g_penalties', 'penalties', regularizers.REAL_ONLY),
    ):
        for penalty in getattr(config, field):
            if PENALTIES.get(penalty.name) in without:
                raise InputError(
                    f"penalty {penalty.name} has no effect in {field}: that player's parameters do not enter it; "
                    f'move it to {other}'
                )


def _check_conditioning(config: Config) -> None:
    """Refuse an auxiliary loss that nothing would train, and conditioning that has no labels."""
    model = config.model
    conditioning = getattr(model, 'conditioning', None)
    what = f'model {to_dict(model)["kind"]}' if conditioning is None else f'model.conditioning {conditioning}'
    if conditioning not in (None, 'projection') and not config.conditional:
        raise InputError(f'{what} needs labels: give --conditional, or take projection')
    asked = [penalty.name for penalty in config.penalties]
    if _property(model, config.conditional, 'returns_auxiliary') and 'auxiliary_real' not in asked:
        also = '' if conditioning is None else ", and 'auxiliary_fake' to g_penalties"
        raise InputError(
            f'{what} gives the discriminator a loss of its own, and none of its penalties {asked} asks for it: '
            f"add 'auxiliary_real' to penalties{also}"
        )


def build_step(config: Config, generator: Network, discriminator: Network, recipe: Recipe) -> Step:
    """Make the training step that a configuration asks for; not jitted."""
    return STEPS[config.training](generator, discriminator, recipe)


def _schedule(span: tuple[float, float], burn_in: int) -> Schedule:
    return cosine(*span, burn_in)


def _regularizer(penalty: Penalty, burn_in: int) -> Regularizer:
    if penalty.name not in PENALTIES:
        raise unknown('penalty', penalty.name, PENALTIES)
    found = PENALTIES[penalty.name]
    made = found if isinstance(found, Regularizer) else Regularizer(found)
    bound = _with_options(penalty, made.penalty)
    return made._replace(penalty=bound, weight=_schedule(penalty.weight, burn_in), every=penalty.every)


def _with_options(penalty: Penalty, function: Callable) -> Callable:
    """Fill in what a penalty takes besides its critic, samples and keys."""
    takes = inspect.signature(function).parameters
    options: dict[str, Any] = {'augment': shift_and_flip} if 'augment' in takes else {}
    if penalty.sigma is not None:
        if 'sigma' not in takes:
            able = [name for name, value in PENALTIES.items() if 'sigma' in _parameters(value)]
            raise InputError(
                f'penalty {penalty.name}: it takes no sigma (given {penalty.sigma}); these do: {", ".join(able)}'
            )
        options['sigma'] = penalty.sigma
    return functools.update_wrapper(functools.partial(function, **options), function) if options else function


def _parameters(value: Any) -> Mapping[str, Any]:
    return inspect.signature(value.penalty if isinstance(value, Regularizer) else value).parameters


def _extensions(config: Config) -> tuple[Extension, ...]:
    found = []
    if config.apa_target is not None:
        _refuse_signless(config.loss, 'apa_target')
        found.append(apa(config.apa_target, config.apa_images))
    if config.path_length.weight:
        found.append(path_length(**dataclasses.asdict(config.path_length)))
    if config.d_steps > 1:
        found.append(discriminator_steps(config.d_steps))
    return tuple(found)


def _augmentation(config: Config) -> tuple[Augment, tuple[Memory, ...]]:
    p = _schedule(config.augment_p, config.burn_in)
    if config.augment:
        return diffaugment(config.augment, p), ()
    if not config.ada:
        return no_augment, ()
    if config.ada_target is None:
        return ada_pipeline(config.ada, p), ()
    _refuse_signless(config.loss, 'ada_target')
    augment, memory = ada(config.ada, config.ada_target, config.ada_images)
    return augment, (memory,)


def _refuse_signless(name: str, field: str) -> None:
    if reason := losses.why_no_sign(LOSSES[name]):
        raise InputError(
            f'{field} needs a loss for which the sign of a logit means something, and {name} {reason}: '
            f'take non_saturating or hinge, or {field} None'
        )


__all__ = [
    'ADA_GROUPS',
    'ADA_SETS',
    'AUGMENTATIONS',
    'EXTENSIONS',
    'LOSSES',
    'MODELS',
    'OPTIMIZERS',
    'PENALTIES',
    'STEPS',
    'architecture',
    'build_discriminator',
    'build_generator',
    'build_latents',
    'build_networks',
    'build_recipe',
    'build_step',
    'build_training_latents',
    'mixes_samples',
]
