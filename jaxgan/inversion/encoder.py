"""An encoder by a phase: a network that maps images to codes, trained on the generator's own samples, of which there is no end.

It trains beside the GAN as an ``Extension``, or alone after it; its state lives in ``state.extra['encoder']``.

References:
    Zhu et al. 2016, Generative visual manipulation on the natural image manifold, arXiv 1609.03552, section 3.1 (a network as the start
    of an optimization); Donahue, Krahenbuhl and Darrell 2016, arXiv 1605.09782, section 2 (latent regression).
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from jaxgan.models.encoder import Encoder
from jaxgan.networks import from_linen
from jaxgan.state import Average, GanState, Player
from jaxgan.steps import update
from jaxgan.types import Batch, Extension, Key, Memory, Metrics, Network, Phase, Sampler

NAME = 'encoder'


def make_encoder(code: tuple[int, ...], classes: int = 0, width: int = 32) -> Network:
    """Make a convolutional encoder to codes of a shape; any network of ``(images, label) -> codes`` will do as well."""
    return from_linen(Encoder(code, width, classes=classes))


def encoder_phase(
    space: Any,
    network: Network,
    latents: Sampler,
    spread: Any,
    tx: optax.GradientTransformation,
    image_weight: float = 1.0,
    real_weight: float = 0.0,
) -> Phase:
    """Make the phase that takes one optimizer step of an encoder E on samples x of the averaged generator G, with codes c.

    ``mean((E(x) - c')^2) + image_weight mean((G(E(x)) - x)^2) + real_weight mean((G(E(y)) - y)^2)``, c' in standard deviations from
    the mean, y the batch's real images. As many samples as the batch has images, of their labels. Metrics: ``loss``, ``code``, ``image``,
    ``real``, ``grad_norm``.

    Args:
        space: of the generator's codes (``spaces.Space``).
        network: E: ``(params, aux, images, label) -> codes``, in standard deviations.
        latents: from which samples are drawn.
        spread: of the codes (``spaces.Statistics``).
        tx: its optimizer.
        image_weight: of the images' distance.
        real_weight: of that of real images; 0: they are not looked at.
    """

    def phase(state: GanState, batch: Batch, key: Key) -> tuple[GanState, Metrics]:
        average, real, label = state.g_ema, batch['image'], batch.get('label')
        z = latents(key, real.shape[0])
        codes = space.encode(average.params, average.aux, z, label)
        inputs = {
            'fake': space.decode(average.params, average.aux, codes, label),
            'code': scaled(codes, spread),
            'real': real,
            'label': label,
        }

        def redrawn(params: Any, aux: Any, images: Any, label: Any) -> tuple[Any, Any, Any]:
            found, aux = network.apply(params, aux, images, label)
            again = space.decode(average.params, average.aux, unscaled(found, spread), label)
            return found, jnp.mean(jnp.square(again - images)), aux

        def loss(params: Any, aux: Any, x: dict) -> tuple[Any, Any]:
            found, image, aux = redrawn(params, aux, x['fake'], x['label'])
            code = jnp.mean(jnp.square(found - x['code']))
            other = jnp.zeros((), jnp.float32)
            if real_weight:
                _, other, aux = redrawn(params, aux, x['real'], x['label'])
            total = code + image_weight * image + real_weight * other
            return total, (aux, {'loss': total, 'code': code, 'image': image, 'real': other})

        player, metrics = update(state.extra[NAME], loss, inputs, tx, 1, state.images_seen)
        return state.replace(extra={**state.extra, NAME: player}), metrics

    return phase


def encoder_extension(phase: Phase, player: Player) -> Extension:
    """Train an encoder beside a GAN, after the average has moved.

    Args:
        phase: of ``encoder_phase``.
        player: of ``init_encoder``.
    """
    return Extension(
        lambda phases, generator, discriminator, recipe: {**phases, NAME: phase}, (Memory(NAME, player),)
    )


def init_encoder(
    key: Key, network: Network, tx: optax.GradientTransformation, images: Any, label: Any = None
) -> Player:
    """Initialize an encoder and its optimizer, by images (and labels) of the right shape."""
    params, aux = network.init(key, images, label)
    return Player(params, aux, tx.init(params))


def alone(key: Key, params: Any, aux: Any, player: Player) -> GanState:
    """Make a state in which an encoder trains after the GAN: a generator's average, and nothing else to train."""
    nobody, zero = Player({}, {}, ()), jnp.zeros((), jnp.int32)
    return GanState(zero, zero, key, nobody, nobody, Average(params, aux), {NAME: player})


def encode(network: Network, player: Any, images: Any, label: Any, spread: Any) -> Any:
    """Map images [B, H, W, C] to codes [B, ...] by a trained encoder; ``player`` has its ``params`` and ``aux``."""
    return unscaled(network.infer(player.params, player.aux, images, label), spread)


def scaled(codes: Any, spread: Any) -> Any:
    """Measure codes in standard deviations from the mean."""
    mean, deviation = jax.tree.map(lambda value: jnp.broadcast_to(value, codes.shape), tuple(spread))
    return (codes - mean) / jnp.maximum(deviation, 1e-6)


def unscaled(values: Any, spread: Any) -> Any:
    """Undo ``scaled``."""
    mean, deviation = jax.tree.map(lambda value: jnp.broadcast_to(value, values.shape), tuple(spread))
    return mean + jnp.maximum(deviation, 1e-6) * values
