"""Better images of a trained pair: what its discriminator thinks of images chooses among them, or moves their latents.

Both methods need the logarithm of the ratio of densities, ``d(x) = log p_real(x) / p_generated(x)``, as discriminator rejection
sampling uses it to draw real ones from generated ones; a constant added to all d changes neither. Which logits are such:

- of ``minimax`` and ``non_saturating`` the best discriminator's logit is d itself;
- of ``relativistic`` it is d plus an unknown constant: the loss asks of a pair which of two is the real one, whose log odds are
  ``d(x_real) - d(x_fake)``;
- of ``least_squares`` (targets 1 and 0) it is ``p_real / (p_real + p_generated)``, the logistic function of d;
- the others' are no ratio: ``hinge`` says which density is larger, ``wasserstein`` measures a distance.

A discriminator is never the best one, and penalties (R1, R2) flatten it: then less is rejected, and what is left is nearer to
the generator's own distribution.

References:
    Azadi et al. 2018, Discriminator rejection sampling, arXiv 1810.06758 (DRS); Che et al. 2020, Your GAN is secretly an
    energy-based model, arXiv 2003.06060 (DDLS); Jolicoeur-Martineau 2018, arXiv 1807.00734, section 3.1 (relativistic).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgan.critic import as_verdict
from jaxgan.types import Keys, Logits, Network, PerSample

EPSILON = 1e-8  # of DRS: keeps the largest ratio's chance finite
CHANCE, STEPS = (
    0x44525321,
    0x4C414E47,
)  # what is folded into a seed's key: its chance in DRS, its noise in DDLS


def _itself(logits: Any) -> Any:
    return logits


def _from_probability(logits: Any) -> Any:
    probability = jnp.clip(logits, 0.001, 0.999)
    return jnp.log(probability) - jnp.log1p(-probability)


RATIOS: Mapping[str, Callable] = MappingProxyType(
    {
        'least_squares': _from_probability,
        'minimax': _itself,
        'non_saturating': _itself,
        'relativistic': _itself,
    }
)
"""By the loss of the training: ``logits -> d``, up to a constant."""


class Reference(NamedTuple):
    """What discriminator rejection sampling compares with."""

    maximum: Any
    """[]: the largest d seen so far."""
    typical: Any
    """[]: that of which half are accepted: a percentile of the d of many images."""


def make_score(discriminator: Network, ratio: Callable, companions: int = 0) -> Callable:
    """Make d of images from a discriminator, each image's independent of the others'.

    Args:
        discriminator: whose ``infer(params, aux, images, label)`` gives logits or a ``Verdict``.
        ratio: one of ``RATIOS``.
        companions: images that stand beside each in a group of its own, for a discriminator that compares so many and one
            (minibatch deviation).

    Returns:
        ``score(params, aux, beside, images [B, ...], label) -> [B]``; ``beside`` are companions and their labels,
        ``(images [companions, ...], [companions] or None)``.
    """

    def grouped(one: Any, beside: Any) -> Any:
        both = [one[:, None], jnp.broadcast_to(beside[None], (len(one), *beside.shape))]
        return jnp.concatenate(both, axis=1).reshape(-1, *beside.shape[1:])

    def score(params: Any, aux: Any, beside: Any, images: Any, label: Any) -> PerSample:
        if companions:
            images, label = jax.tree.map(grouped, (images, label), beside)
        logits = as_verdict(discriminator.infer(params, aux, images, label)).logits
        return ratio(logits.astype(jnp.float32).reshape(-1, companions + 1)[:, 0])

    return score


def log_odds(d: Any, maximum: Any, epsilon: float = EPSILON) -> Any:
    """Compute the log odds of exact rejection sampling: ``F = d - M - log(1 - exp(d - M - epsilon))``.

    The logistic function of F is ``exp(d - M)``, the ratio of densities as a part of its maximum.

    References:
        Azadi et al. 2018, arXiv 1810.06758, equation 7.
    """
    below = jnp.minimum(d - maximum, 0.0)
    return below - jnp.log(-jnp.expm1(below - epsilon))


def calibrate(d: Logits, percentile: Any = 80.0) -> Reference:
    """Find the maximum and the percentile of many images' d.

    Args:
        d: [n], of images by the generator, 1,000 or more.
        percentile: in [0, 100]. Of the images with this d half are accepted, so a higher one rejects more. Rejection is exact
            where the typical d is ``maximum - log 2``; that may accept very few.
    """
    return Reference(jnp.max(d), jnp.percentile(d, percentile))


def acceptance(d: Logits, reference: Reference) -> tuple[PerSample, Reference]:
    """Compute the probability by which each image is accepted, in their order: ``sigmoid(F(d) - F(typical))``.

    The maximum of each image includes all before it and itself, so it matters in which order images come, and not how many
    at a time. gamma, the percentile of F in the paper, is F of the percentile here, which is the same, for F grows with d;
    so it moves with the maximum.

    Args:
        d: [B]; what is not finite is none: it is never accepted, and no maximum.
        reference: of the images before.

    Returns:
        Probabilities [B], and the reference for the images after.

    References:
        Azadi et al. 2018, arXiv 1810.06758, section 3.2 and equation 8.
    """
    d = jnp.where(jnp.isfinite(d), d, -jnp.inf)
    maxima = jnp.maximum(jax.lax.cummax(d), reference.maximum)
    odds = log_odds(d, maxima) - log_odds(reference.typical, maxima)
    return jax.nn.sigmoid(odds), reference._replace(maximum=maxima[-1])


def chances(keys: Keys) -> PerSample:
    """Draw the number in [0, 1) of each seed below which its probability must not lie."""
    return jax.vmap(lambda key: jax.random.uniform(jax.random.fold_in(key, CHANCE)))(keys)


def langevin(
    score: Callable, z: Any, keys: Keys, steps: Any, size: Any, moves: Any = None, weight: Any = 1.0
) -> Any:
    """Move latents by Langevin steps towards ``p(z) exp(d(z))``, the latents of images that are as the real ones.

    ``z <- z - size / 2 grad E(z) + sqrt(size) noise``, ``E(z) = |z|^2 / 2 - weight d(G(z))``, noise of N(0, I): no step is
    rejected, so a large size leaves a bias.

    Args:
        score: ``z [B, Z] -> d [B]``, of the image of each latent; it must not mix samples.
        z: [B, Z], of N(0, I).
        keys: of the noise.
        steps: how many.
        size: of a step; the paper's is 0.01.
        moves: [Z], 1 for values that are of N(0, 1), 0 for those that stay (signs); None: all move.
        weight: of d.

    References:
        Che et al. 2020, arXiv 2003.06060, equation 6 and algorithm 1.
    """
    free = jnp.ones(z.shape[-1]) if moves is None else jnp.asarray(moves, z.dtype)
    slope = jax.grad(lambda z: jnp.sum(jnp.square(z)) / 2 - weight * jnp.sum(score(z)))

    def step(i: Any, z: Any) -> Any:
        noise = jax.vmap(
            lambda key: jax.random.normal(jax.random.fold_in(jax.random.fold_in(key, STEPS), i), z.shape[1:])
        )(keys)
        return z + free[None] * (jnp.sqrt(size) * noise - size / 2 * slope(z))

    return jax.lax.fori_loop(0, steps, step, z)
