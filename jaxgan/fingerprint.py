"""A mark in the weights: the generator itself emits a keyed pattern, so that a parameter tree is known again by its samples.

Two parts, both pure and both needed. The discriminator sees real images that carry the pattern, so that samples without it look wrong to it and
samples with it do not give themselves away; and the generator's loss asks the decoder, which is differentiable, to read in samples what it reads in real images.
"""

from typing import Any

import jax
import jax.numpy as jnp

from jaxgan import watermark
from jaxgan.types import Batch, Extension, Key, Metrics, Network, Phase, Regularizer
from jaxgan.watermark import Pattern
from jaxgan.watermark.embedding import Lift, Strength

STRENGTH = Lift(2.5, 6.0)
"""Of the pattern in real images: less than in a picture, for a model shows many."""
LEAST = 0.05
"""Of a mean score, which is below 1: where real images show less of the pattern, samples are asked for so much."""


def fingerprinted(recipe: Any, pattern: Pattern, weight: Any = 1.0, strength: Strength = STRENGTH) -> Any:
    """Make a recipe whose generator learns to emit a pattern.

    Args:
        recipe: a ``Recipe``.
        pattern: ``make_pattern(weights_key(secret), height, width, WEIGHTS_BASIS)``.
        weight: of the decoder's loss in the generator's: a number or a schedule of images seen.
        strength: of the pattern in real images.

    Returns:
        The recipe with one more extension, which marks real images, and one more penalty on the generator, ``fingerprint``.

    References:
        Yu et al. 2021, Artificial fingerprinting for generative models: rooting deepfake attribution in training data, arXiv 2007.08457, section 3:
        marked training images alone make a generator emit the mark, for an encoder and a decoder that are learned. Fernandez et al. 2023, The stable
        signature, arXiv 2303.15435, section 4.2: the loss of a fixed decoder. Here the decoder is ``watermark.scores``, which is not learned.
    """
    return recipe._replace(
        extensions=(*recipe.extensions, mark_real(pattern, strength)),
        g_regularizers=(*recipe.g_regularizers, Regularizer(decoder_loss(pattern), weight)),
    )


def mark_real(pattern: Pattern, strength: Strength = STRENGTH) -> Extension:
    """Show every phase real images that carry a pattern."""

    def extend(
        phases: dict[str, Phase], generator: Network, discriminator: Network, recipe: Any
    ) -> dict[str, Phase]:
        del generator, discriminator, recipe
        return {name: marked(phase) for name, phase in phases.items()}

    def marked(phase: Phase) -> Phase:
        def run(state: Any, batch: Batch, key: Key) -> tuple[Any, Metrics]:
            real = batch['image']
            shown = watermark.embed(real, pattern, strength).astype(real.dtype)
            return phase(state, {**batch, 'image': shown}, key)

        return run

    return Extension(extend)


def decoder_loss(pattern: Pattern) -> Any:
    """Make the penalty ``max(0, m - s_b)^2 / m^2`` of samples: s_b a sample's mean score over all bits, m that of the batch's real images.

    These carry the pattern, so m is what an image can show of it. To ask each bit of each sample for as much was tried: an image of 32x32 pixels has
    eight coefficients a bit, of which the image itself needs most, and a generator that met it drew the same outline over and over.

    Args:
        pattern: of the images' size.
    """

    def fingerprint(critic: Any, real: Any, fake: Any, keys: Any) -> Any:
        del critic, keys
        read, shown = (
            jnp.mean(watermark.scores(images.astype(jnp.float32), pattern), axis=-1)
            for images in (fake, jax.lax.stop_gradient(real))
        )
        wanted = jnp.maximum(jnp.mean(shown), LEAST)
        return (jnp.maximum(wanted - read, 0.0) / wanted) ** 2

    return fingerprint
