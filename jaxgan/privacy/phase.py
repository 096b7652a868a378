"""Differentially private training: the discriminator learns from noised sums of clipped gradients, and nothing else sees real images.

What a GAN learns of real images it learns through the gradients of its discriminator. So where these are private, everything that is made of
the discriminator is: its parameters, the generator, the average, and all samples.

References:
    Xie et al. 2018, Differentially private generative adversarial network, arXiv 1802.06739; Bie, Kamath and Zhang 2023, Private GANs, revisited,
    arXiv 2302.02936 (large batches, and several steps of D for one of G).
"""

from typing import Any

import jax

from jaxgan.critic import bind_generator, discriminator_loss
from jaxgan.privacy.gradients import clipped_sum, noised_mean
from jaxgan.state import GanState
from jaxgan.steps import descend
from jaxgan.types import Batch, Extension, Key, Metrics, Network, Params, Phase

PRIVATE = 'private'
"""The entry of a batch with the real images. Its 'image' shows none: other phases read it, and may ask for its shape only."""


def private_discriminator(clip: Any, noise: Any, expected: Any, at_once: int = 1) -> Extension:
    """Update D by ``(sum of clipped gradients + noise) / expected`` instead of the mean gradient.

    A sample's gradient is that of all that D is trained on, its loss on the pair of a real and a fake sample and its penalties. Latents, views and
    penalties of a sample are drawn by a key of its image, so that no other sample's gradient depends on whether it is there.

    The batch has ``PRIVATE``: 'image' [C, ...], those that are there first; 'present' bool [C]; 'index' [C], the images' numbers; 'keys' uint32 [1, 2, 2],
    the data of two secret keys, for draws and for noise.

    The only metric is the norm of the noised gradient; loss and logits of real images would be seen without noise.

    Args:
        clip: norm to which a sample's gradient is clipped.
        noise: standard deviation of the noise on the sum, in units of ``clip``.
        expected: number of samples that are expected.
        at_once: samples whose gradients are computed together.
    """

    def extend(
        phases: dict[str, Phase], generator: Network, discriminator: Network, recipe: Any
    ) -> dict[str, Phase]:
        return {**phases, 'd': _phase(generator, discriminator, recipe, (clip, noise, expected), at_once)}

    return Extension(extend)


def _phase(
    generator: Network, discriminator: Network, recipe: Any, sizes: tuple[Any, Any, Any], at_once: int
) -> Phase:
    clip, noise, expected = sizes

    def phase(state: GanState, batch: Batch, key: Key) -> tuple[GanState, Metrics]:
        del key  # it is made of a seed that everybody may know
        private, params = batch[PRIVATE], state.d.params
        draws, noises = (jax.random.wrap_key_data(private['keys'][0, i]) for i in range(2))

        def loss(params: Params, x: dict) -> Any:
            bound = bind_generator(generator, state.g.params, state.g.aux, x)
            aux = state.d.aux
            return discriminator_loss(discriminator, recipe, state, params, aux, x, x['fake'], bound)[0]

        def gradients(part: dict) -> Params:
            fake, _ = generator.apply(state.g.params, state.g.aux, part['latents'], None)
            shown = {**part, 'fake': jax.lax.stop_gradient(fake)}
            return jax.vmap(lambda one: jax.grad(loss)(params, jax.tree.map(lambda leaf: leaf[None], one)))(
                shown
            )

        samples = draw(private, draws, recipe)
        total = clipped_sum(gradients, samples, private['present'], clip, at_once)
        mean = noised_mean(total, noises, noise * clip, expected)
        aux = _without_samples(discriminator, state, batch['image'][:1])
        player, metrics = descend(state.d, mean, aux, recipe.d_tx, state.images_seen)
        return state.replace(d=player), metrics

    return phase


def draw(private: Batch, key: Key, recipe: Any) -> dict[str, Any]:
    """Draw for each image what its gradient depends on besides it, by its number and not by its place among those that came."""
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, private['index'])
    latent_keys, view_keys, penalty_keys = (
        jax.vmap(jax.random.split, (0, None))(keys, 3)[:, i] for i in range(3)
    )
    latents = jax.vmap(lambda one: jax.tree.map(lambda leaf: leaf[0], recipe.latents(one, 1)))(latent_keys)
    return {
        'real': private['image'],
        'label': None,
        'latents': latents,
        'view_keys': view_keys,
        'penalty_keys': penalty_keys,
    }


def _without_samples(discriminator: Network, state: GanState, nothing: Any) -> Any:
    """Move what D carries (the vectors of spectral normalization) as its two passes do, on an image that shows nothing."""
    aux = state.d.aux
    for _ in range(2):
        _, aux = discriminator.apply(state.d.params, aux, nothing, None)
    return aux
