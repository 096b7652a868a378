"""Networks and recipe of a configuration and its data's form: all that a step is made of, without the data."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgan import build, watermark
from jaxgan.config import Config, step_images
from jaxgan.data import DataInfo
from jaxgan.errors import InputError
from jaxgan.fingerprint import fingerprinted
from jaxgan.marks.secret import read_secret
from jaxgan.privacy.phase import private_discriminator
from jaxgan.privacy.plan import Plan, make_plan
from jaxgan.privacy.recipe import check_recipe
from jaxgan.schedules import cosine
from jaxgan.state import GanState, init_state
from jaxgan.steps import Recipe
from jaxgan.types import Network
from jaxgan.watermark.blocks import WEIGHTS_BASIS


class Assembly(NamedTuple):
    """What a step is made of."""

    classes: int  # that the networks know; 0: no labels
    architecture: dict[str, Any]
    generator: Network
    discriminator: Network
    recipe: Recipe
    plan: Plan | None = None  # of a private training


def assemble(config: Config, info: DataInfo) -> Assembly:
    """Make networks and recipe.

    Raises:
        InputError: the configuration does not fit the data.
    """
    classes = _classes(config, info)
    architecture = build.architecture(
        config.model, info.size, info.channels, classes, config.dtype, config.spectral_norm
    )
    made = Assembly(
        classes,
        architecture,
        build.build_generator(architecture),
        build.build_discriminator(architecture),
        _fingerprinted(build.build_recipe(config), config, info),
    )
    return _private(made, config, info) if config.dp.asked else made


def count_steps(config: Config) -> int:
    """Count the steps of a training."""
    return math.ceil(config.images / step_images(config))


def _private(made: Assembly, config: Config, info: DataInfo) -> Assembly:
    """Let D learn from private gradients alone."""
    check_recipe(made.generator, made.recipe)
    dp, images = config.dp, info.count - len(config.data.exclude)
    plan = make_plan(dp, images, config.batch_size, count_steps(config) * config.d_steps)
    own = private_discriminator(dp.clip, plan.noise, plan.expected, dp.at_once)
    recipe = made.recipe._replace(extensions=(own, *made.recipe.extensions))  # first: others may repeat it
    return made._replace(recipe=recipe, plan=plan)


def _fingerprinted(recipe: Recipe, config: Config, info: DataInfo) -> Recipe:
    """Let the generator learn to emit the mark of a secret, where one is named."""
    if config.fingerprint is None:
        return recipe
    if info.dtype != 'uint8' or info.channels not in (1, 3) or not watermark.capacity(info.size, info.size):
        raise InputError(
            f'fingerprint {config.fingerprint} needs images of at least 8x8 pixels, grey or in colour: {info.name} has '
            f'{info.size}x{info.size}, {info.channels} channels of {info.dtype}'
        )
    key = watermark.weights_key(read_secret(config.fingerprint, 'fingerprint'))
    pattern = watermark.make_pattern(key, info.size, info.size, WEIGHTS_BASIS)
    return fingerprinted(recipe, pattern, cosine(*config.fingerprint_weight, config.burn_in))


def initial_state(config: Config, info: DataInfo, parts: Assembly) -> GanState:
    """Make the state with which a training begins."""
    shape = (config.batch_size, info.size, info.size, info.channels)
    example: dict[str, Any] = {'image': jnp.zeros(shape)}
    if parts.classes:
        example['label'] = jnp.zeros((config.batch_size,), jnp.int32)
    key = jax.random.key(config.seed)
    return init_state(key, parts.generator, parts.discriminator, parts.recipe, example)


def _classes(config: Config, info: DataInfo) -> int:
    if not config.conditional:
        return 0
    if not info.classes:
        raise InputError(f'conditional training needs labels, and {info.name} has none')
    return len(info.classes)
