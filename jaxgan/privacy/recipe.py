"""Which recipes cannot be private, whatever they are called: those in which more than D's gradients sees real images."""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.errors import InputError
from jaxgan.state import memories
from jaxgan.types import Loss, Network


def check_recipe(generator: Network, recipe: Any) -> None:
    """Refuse networks, losses and memories by which a real image would reach others than its own gradient of D.

    Raises:
        InputError: names what does.
    """
    if not recipe.per_sample:
        raise InputError(
            'dp needs a discriminator that does not mix samples, and this one does: take model.norm none (or one without batch), '
            'and model.d_deviation_group 1, where the model has them'
        )
    _, aux = jax.eval_shape(
        lambda: generator.init(jax.random.key(0), recipe.latents(jax.random.key(0), 2), None)
    )
    if 'batch_stats' in aux:
        raise InputError(
            'dp needs a generator without batch normalization, for its fake images would depend on which others are in the batch: take model.norm none, '
            'or a model without'
        )
    if asks_real(recipe.loss):
        raise InputError(
            "dp needs a loss whose generator does not see D's logits of real images, and this one's does: take non_saturating, hinge, "
            'least_squares, minimax or wasserstein'
        )
    remembered = [memory.name for memory in memories(recipe) if memory.update is not None]
    if remembered:
        raise InputError(
            f"dp needs a recipe that remembers nothing of D's logits of real images; this one has {remembered[0]}"
        )


def asks_real(loss: Loss) -> bool:
    """Say whether the generator's loss depends on the logits of real images; tried at two."""
    fake = jnp.float32([0.3, -1.2])
    one, other = (loss.generator(jnp.float32(real), fake) for real in ([0.8, -0.4], [-2.0, 3.0]))
    return not bool(jnp.array_equal(one, other))
