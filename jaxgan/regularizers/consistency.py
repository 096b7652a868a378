"""Consistency: D's logit shall not move with an augmentation of its input, or with a small step of the latent."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.errors import InputError
from jaxgan.regularizers.noise import gaussian
from jaxgan.types import Critic, Keys, PerSample, Samples, StyleLatents

Views = Callable[[Any, Any], Any]  # (keys [B], samples) -> samples


def cr(critic: Critic, real: Samples, fake: Samples, keys: Keys, *, augment: Views) -> PerSample:
    """Penalize how the logit of a real sample moves with an augmentation: ``(D(x) - D(T(x)))^2``; weight 10.

    Args:
        critic: samples -> logits; where it augments its inputs itself, it does so after T, alike in both terms.
        real: [B, ...].
        fake: not looked at.
        keys: [B].
        augment: T, ``(keys, samples) -> samples``; the paper shifts by a few pixels and flips.

    References:
        Zhang et al. 2019, Consistency regularization for GANs, arXiv 1910.12027, algorithm 1.
    """
    return _moved(critic, real, augment(keys, real))


def bcr(critic: Critic, real: Samples, fake: Samples, keys: Keys, *, augment: Views) -> PerSample:
    """Penalize how logits move with an augmentation: ``(D(x) - D(T(x)))^2``, of the real and the fake sample; weight 10.

    Real sample i and fake sample i are augmented alike. Arguments as ``cr``'s.

    References:
        Zhao et al. 2020, Improved consistency regularization for GANs, arXiv 2002.04724, section 2.1 (bCR).
    """
    return _moved(critic, real, augment(keys, real)) + _moved(critic, fake, augment(keys, fake))


def zcr(critic: Any, real: Samples, fake: Samples, keys: Keys, *, sigma: float | int = 0.05) -> PerSample:
    """Penalize how the logit of a fake sample moves with its latent: ``(D(G(z)) - D(G(z + sigma eps)))^2``.

    eps is from N(0, I). A penalty of the discriminator; the generator's half is ``latent_diversity``.

    Args:
        critic: a ``BoundCritic``: ``critic.generator`` makes the other samples.
        real: not looked at.
        fake: G(z), [B, ...].
        keys: [B].
        sigma: the step's standard deviation in each value of the latent.

    Raises:
        InputError: the critic knows no generator.

    References:
        Zhao et al. 2020, arXiv 2002.04724, section 2.2 (zCR).
    """
    return _moved(critic, fake, jax.lax.stop_gradient(_neighbours(critic, keys, sigma)))


def latent_diversity(
    critic: Any, real: Samples, fake: Samples, keys: Keys, *, sigma: float | int = 0.05
) -> PerSample:
    """Reward the generator for samples that move with their latents: ``-mean((G(z) - G(z + sigma eps))^2)``.

    The mean is over a sample's values, so a weight holds for every size of image. A penalty of the generator, its half
    of zCR: lower is better, and it has no lower bound, so the weight is small (0.5 in the paper).

    Args:
        critic: a ``BoundCritic``: ``critic.generator`` makes the other samples.
        real: not looked at.
        fake: G(z), [B, ...].
        keys: [B].
        sigma: the step's standard deviation in each value of the latent.

    Raises:
        InputError: the critic knows no generator.

    References:
        Zhao et al. 2020, arXiv 2002.04724, section 2.2 (zCR).
    """
    difference = fake - _neighbours(critic, keys, sigma)
    return -jnp.mean(jnp.square(difference), axis=tuple(range(1, fake.ndim)))


def _moved(critic: Critic, samples: Samples, others: Samples) -> PerSample:
    return jnp.square(critic(samples) - critic(others))


def _neighbours(critic: Any, keys: Keys, sigma: float | int) -> Samples:
    """Make samples of latents a small step away from those of the fake samples in hand."""
    generator = getattr(critic, 'generator', None)
    if generator is None:
        raise InputError('a penalty asks for samples of other latents, and this critic knows no generator')
    latents = generator.latents
    leaves, tree = jax.tree.flatten(latents.styles if isinstance(latents, StyleLatents) else latents)

    def moved(i: int, leaf: Any) -> Any:
        if not jnp.issubdtype(leaf.dtype, jnp.floating):  # a choice
            return leaf
        return leaf + sigma * gaussian(jax.vmap(lambda key: jax.random.fold_in(key, i))(keys), leaf)

    there = jax.tree.unflatten(tree, [moved(i, leaf) for i, leaf in enumerate(leaves)])
    return generator.apply(latents._replace(**there) if isinstance(latents, StyleLatents) else there)
