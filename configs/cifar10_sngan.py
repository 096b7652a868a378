"""CIFAR-10, class-conditional, with SNGAN (Miyato et al. 2018) as PyTorch-StudioGAN trains it: hinge loss, 5 steps of D.

    jaxgan prepare cifar10                       (once; needs the network and the extra jaxgan[prepare])
    python train.py --config cifar10_sngan

Meant for one GPU. PyTorch-StudioGAN published an FID of 13.25 and an Inception score of 8.68 after 100,000 steps of G, batch 64
(9.4 hours on a TITAN RTX), for 10,000 samples against the moments of the test set; mmagic measured 10.20 with the
same weights by its own protocol: compare such numbers only within one protocol. Here: narrower, 73,000 images,
docs/results/README.md. One difference:
the gains and biases of G's conditional batch normalization start at 1 and 0, as in the paper's own code.
"""

from jaxgan.config import Config, Ema, Optimizer
from jaxgan.data import DataConfig
from jaxgan.modelconfig import SNGAN


def get_config() -> Config:
    """Return the recipe."""
    adam = Optimizer(learning_rate=(2e-4, 2e-4), beta1=0.5, beta2=(0.999, 0.999))
    return Config(
        data=DataConfig('cifar10', flip=True),
        model=SNGAN(latent_dim=128, width=64),
        conditional=True,
        spectral_norm='discriminator',
        loss='hinge',
        penalties=(),
        g_optimizer=adam,
        d_optimizer=adam,
        ema=Ema(half_life=(0.0, 0.0), rampup=None),
        batch_size=64,
        d_steps=5,
        images=32_000_000,
        log_every=50_000,
        sample_every=500_000,
        checkpoint_every=2_000_000,
    )
