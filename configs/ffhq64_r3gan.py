"""FFHQ at 64x64 with R3GAN at the paper's settings (Huang et al. 2025, table 9); unconditional.

    python train.py --config ffhq64_r3gan --data.name folder:PATH    (70,000 aligned faces of any size)

Published: FID 1.95, recall 0.53 (table 5; 50,000 samples against all of the data) after 100 M images on 8 GPUs. Here:
not run to the end. Two differences: both networks see the same real images in a step, where the paper draws anew for
each; and a real and a fake image that are compared share one augmentation.
"""

from jaxgan.config import Config, Ema, Optimizer, Penalty
from jaxgan.data import DataConfig
from jaxgan.modelconfig import R3GAN


def get_config() -> Config:
    """Return the recipe."""
    adam = Optimizer(learning_rate=(2e-4, 5e-5), beta1=0.0, beta2=(0.9, 0.99))
    return Config(
        data=DataConfig('folder:ffhq', size=64, flip=True),
        model=R3GAN(widths=(768, 768, 768, 768, 384), groups=(96, 96, 96, 96, 48)),
        dtype='bfloat16',
        loss='relativistic',
        penalties=(Penalty('r1', (2.0, 0.2)), Penalty('r2', (2.0, 0.2))),
        ada=('bg', 'color:0.5', 'cutout'),
        ada_target=None,
        augment_p=(0.0, 0.3),
        g_optimizer=adam,
        d_optimizer=adam,
        ema=Ema(half_life=(0.0, 500_000.0), rampup=None),
        burn_in=20_000_000,
        batch_size=256,
        images=100_000_000,
        log_every=50_000,
        sample_every=1_000_000,
        checkpoint_every=2_000_000,
    )
