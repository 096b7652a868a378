"""CIFAR-10, class-conditional, with BigGAN (Brock et al. 2018) as PyTorch-StudioGAN trains it: hinge loss, 5 steps of D.

    jaxgan prepare cifar10                       (once; needs the network and the extra jaxgan[prepare])
    python train.py --config cifar10_biggan

Meant for one GPU. PyTorch-StudioGAN published an FID of 8.03 and an Inception score of 9.75 after 100,000 steps of G, batch 64
(13 to 15 hours on a TITAN RTX), for 10,000 samples against the moments of the test set: compare such numbers
only within one protocol. Here: not run to the end. One difference: there the average of G starts after 1,000 steps with a
decay of 0.9999 a step; here it has the same half-life, 6,931 steps of 320 real images, or as many images as have been seen
if that is less.
"""

from jaxgan.config import Config, Ema, Optimizer
from jaxgan.data import DataConfig
from jaxgan.modelconfig import BigGAN


def get_config() -> Config:
    """Return the recipe."""
    adam = Optimizer(learning_rate=(2e-4, 2e-4), beta1=0.5, beta2=(0.999, 0.999))
    return Config(
        data=DataConfig('cifar10', flip=True),
        model=BigGAN(latent_dim=80, width=96, attention=(16,)),
        conditional=True,
        spectral_norm='both',
        loss='hinge',
        penalties=(),
        g_optimizer=adam,
        d_optimizer=adam,
        ema=Ema(half_life=(2_217_920.0, 2_217_920.0), rampup=1.0),
        batch_size=64,
        d_steps=5,
        images=32_000_000,
        log_every=50_000,
        sample_every=500_000,
        checkpoint_every=2_000_000,
    )
