"""Penalties by which a discriminator's own further loss (``Verdict.auxiliary``) reaches a player."""

from jaxgan.types import Critic, Keys, PerSample, Samples


def auxiliary_real(critic: Critic, real: Samples, fake: Samples, keys: Keys) -> PerSample:
    """Take the discriminator's own further loss on real samples, ``auxiliary(real)``: what it makes of their labels.

    Among D's penalties it trains an auxiliary classifier, or D2D-CE's embeddings; the weight is the papers' lambda.

    Raises:
        InputError: the discriminator has none.

    References:
        Odena et al. 2016, arXiv 1610.09585, section 3; Kang et al. 2021, arXiv 2111.01118, section 3.
    """
    return critic.auxiliary(real)


def auxiliary_fake(critic: Critic, real: Samples, fake: Samples, keys: Keys) -> PerSample:
    """Take the discriminator's own further loss on fake samples, ``auxiliary(fake)``, with the labels they were made from.

    Among G's penalties it makes fake samples show their labels. AC-GAN has it among D's too; later work leaves it out
    there.

    Raises:
        InputError: the discriminator has none.

    References:
        Odena et al. 2016, arXiv 1610.09585, section 3; Kang et al. 2021, arXiv 2111.01118, section 3.
    """
    return critic.auxiliary(fake)
