"""Path length regularization of generators with styles."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.errors import InputError
from jaxgan.state import GanState
from jaxgan.steps import update
from jaxgan.types import Batch, Extension, Key, Memory, Metrics, Network, Params, Phase

NAME = 'path_length'


def path_length(weight: float = 2.0, every: int = 4, decay: float = 0.01, shrink: int = 2) -> Extension:
    """Let a step in w change the image by as much everywhere: ``weight (||J_w^T y|| - a)^2``, after G's update.

    J_w is the derivative of the image in w, y an image of N(0, 1) noise, a the mean length so far. A phase
    ``g_path_length`` of its own takes an optimizer step on G, each ``every`` steps, with the weight multiplied by as
    much, on 1 / ``shrink`` of the batch. See ``lengths`` for scale and layers.

    Args:
        weight: of the penalty; 2 in the paper.
        every: lazy regularization; both of G's steps share one optimizer.
        decay: a moves by this part towards the lengths of each such step; it begins at 0.
        shrink: divides the batch size, to save memory.

    Raises:
        InputError: the generator has no w, or the batch does not divide.

    References:
        Karras et al. 2020, arXiv 1912.04958, section 3.2, equation 4, and appendix B.
    """

    def extend(phases: dict[str, Phase], generator: Network, discriminator: Network, recipe: Any) -> dict:
        if generator.mapping is None or generator.synthesis is None:
            raise InputError(
                'path_length needs a generator with styles w, such as stylegan2; this one has none'
            )
        added = {
            f'g_{NAME}': lazily(path_length_phase(generator, recipe, weight * every, decay, shrink), every)
        }
        last = {name: part for name, part in phases.items() if name == 'ema'}  # it averages what G has become
        return {name: part for name, part in phases.items() if name not in last} | added | last

    return Extension(extend, (Memory(NAME, jnp.float32(0.0)),))


def path_length_phase(
    generator: Network, recipe: Any, weight: float | int, decay: float | int, shrink: int
) -> Phase:
    """Make the phase that takes one optimizer step of G on ``weight mean((length - a)^2)``, and moves a.

    Its metrics are ``loss``, ``length`` (the mean over the batch) and ``grad_norm``. In the penalty a is what it was
    before the step, so that the parts of a batch may be computed one after another.
    """

    def phase(state: GanState, batch: Batch, key: Key) -> tuple[GanState, Metrics]:
        a = state.extra[NAME]

        def loss(params: Params, aux: Any, x: dict) -> tuple[Any, Any]:
            found = lengths(generator, params, aux, x)
            value = weight * jnp.mean(jnp.square(found - a))
            return value, (aux, {'loss': value, 'length': jnp.mean(found)})

        inputs = _draw(batch, key, recipe, shrink)
        player, metrics = update(state.g, loss, inputs, recipe.g_tx, recipe.microbatches, state.images_seen)
        mean = a + decay * (metrics['length'] - a)
        return state.replace(g=player, extra={**state.extra, NAME: mean}), metrics

    return phase


def lengths(generator: Network, params: Params, aux: Any, x: dict) -> Any:
    """Compute how far a step in w moves an image: ``sqrt(mean over layers of ||J_w^T y||^2)``, y = noise / sqrt(H W).

    Args:
        generator: has ``mapping`` and ``synthesis``.
        params: the generator's.
        aux: the generator's.
        x: ``latents``, ``label`` and ``keys`` [B], from which the noise comes.

    Returns:
        Lengths [B].
    """
    assert generator.mapping is not None and generator.synthesis is not None
    synthesis = generator.synthesis
    w = generator.mapping(params, aux, x['latents'], x['label'])

    def seen(w: Any) -> Any:
        image = synthesis(params, aux, w, x['latents'])
        noise = jax.vmap(lambda key: jax.random.normal(key, image.shape[1:], image.dtype))(x['keys'])
        return jnp.sum(image * noise) / math.prod(image.shape[1:-1]) ** 0.5

    pulled = jax.grad(seen)(w)
    return jnp.sqrt(jnp.mean(jnp.sum(jnp.square(pulled), axis=2), axis=1) + 1e-12)


def lazily(phase: Phase, every: int) -> Phase:
    """Run the phase each ``every`` steps; in the others G and a stay, ``length`` is a, and the other metrics are 0."""

    def run(state: GanState, batch: Batch, key: Key) -> tuple[GanState, Metrics]:
        def step() -> Any:
            new, metrics = phase(state, batch, key)
            return new.g, new.extra[NAME], metrics

        shapes = jax.eval_shape(step)[2]
        nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        nothing['length'] = state.extra[NAME]  # a log shows means over steps
        before = (state.g, state.extra[NAME], nothing)
        # around G alone: what passes through a branch may be copied
        g, a, metrics = jax.lax.cond(state.step % every == 0, step, lambda: before)
        return state.replace(g=g, extra={**state.extra, NAME: a}), metrics

    return phase if every == 1 else run


def _draw(batch: Batch, key: Key, recipe: Any, shrink: int) -> dict[str, Any]:
    size = batch['image'].shape[0]
    if size % (shrink * recipe.microbatches):
        raise InputError(
            f'path_length: a batch of {size} does not divide by shrink {shrink} and microbatches {recipe.microbatches}'
        )
    latent_key, noise_key = jax.random.split(key)
    label = batch.get('label')
    return {
        'latents': recipe.latents(latent_key, size // shrink),
        'label': None if label is None else label[::shrink],
        'keys': jax.random.split(noise_key, size // shrink),
    }
