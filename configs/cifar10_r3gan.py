"""CIFAR-10, class-conditional, with R3GAN at the paper's settings (Huang et al. 2025, table 9).

    jaxgan prepare cifar10                       (once; needs the network and the extra jaxgan[prepare])
    python train.py --config cifar10_r3gan

Published: FID 1.96 after 250 M images, 4 days on 8 L40. Here: not run to the end; smaller,
60,000 images: docs/results/README.md. Two differences: both networks see
the same real images in a step, where the paper draws anew for each; and a real and a fake image that are compared
share one augmentation.
"""

from jaxgan.config import Config, Ema, Optimizer, Penalty
from jaxgan.data import DataConfig
from jaxgan.modelconfig import R3GAN


def get_config() -> Config:
    """Return the recipe."""
    adam = Optimizer(learning_rate=(2e-4, 5e-5), beta1=0.0, beta2=(0.9, 0.99))
    return Config(
        data=DataConfig('cifar10', flip=True),
        model=R3GAN(widths=(768, 768, 768, 768), groups=(96, 96, 96, 96)),
        conditional=True,
        dtype='bfloat16',
        loss='relativistic',
        penalties=(Penalty('r1', (0.05, 0.005)), Penalty('r2', (0.05, 0.005))),
        ada=('bg', 'color:0.5', 'cutout'),
        ada_target=None,
        augment_p=(0.0, 0.55),
        g_optimizer=adam,
        d_optimizer=adam,
        ema=Ema(half_life=(0.0, 5_000_000.0), rampup=None),
        burn_in=20_000_000,
        batch_size=512,
        images=250_000_000,
        log_every=50_000,
        sample_every=1_000_000,
        checkpoint_every=2_000_000,
    )
