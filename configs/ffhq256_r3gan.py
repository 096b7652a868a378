"""FFHQ at 256x256 with R3GAN at the paper's settings (Huang et al. 2025, table 9); unconditional.

    python train.py --config ffhq256_r3gan --data.name folder:PATH   (70,000 aligned faces of any size)

Published: FID 2.75, recall 0.49 (table 4; 50,000 samples against all of the data) after 200 M images, three weeks on
8 RTX A6000. Here: not run to the end. Two differences: both networks see the same real images in a step, where the
paper draws anew for each; and a real and a fake image that are compared share one augmentation.
"""

from jaxgan.config import Config, Ema, Optimizer, Penalty
from jaxgan.data import DataConfig
from jaxgan.modelconfig import R3GAN


def get_config() -> Config:
    """Return the recipe."""
    adam = Optimizer(learning_rate=(2e-4, 5e-5), beta1=0.0, beta2=(0.9, 0.99))
    return Config(
        data=DataConfig('folder:ffhq', size=256, flip=True),
        model=R3GAN(
            widths=(768, 768, 768, 768, 384, 192, 96),
            groups=(96, 96, 96, 96, 48, 24, 12),
        ),
        dtype='bfloat16',
        loss='relativistic',
        penalties=(Penalty('r1', (150.0, 15.0)), Penalty('r2', (150.0, 15.0))),
        ada=('bg', 'color:0.5', 'cutout'),
        ada_target=None,
        augment_p=(0.0, 0.3),
        g_optimizer=adam,
        d_optimizer=adam,
        ema=Ema(half_life=(0.0, 500_000.0), rampup=None),
        burn_in=20_000_000,
        batch_size=256,
        images=200_000_000,
        log_every=50_000,
        sample_every=1_000_000,
        checkpoint_every=2_000_000,
    )
