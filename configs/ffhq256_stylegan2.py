"""FFHQ at 256x256 with StyleGAN2 in the configuration of ADA's experiments (Karras et al. 2020, arXiv 2006.06676).

    python train.py --config ffhq256_stylegan2 --data.name folder:FFHQ

Published: FID 3.78 (as listed by Huang et al. 2025, arXiv 2501.05441, table 4), from 50,000 samples against all 70,000
images and their mirror images; 25 M images on 8 GPUs. Here: not run to the end. One difference: R1 joins D's
step each 16 steps, where the authors' program takes one more step for it. On one device, ``--microbatches 8``
computes the batch of 64 in groups of 8, as large as those that the discriminator compares.
"""

import dataclasses

from jaxgan.config import Config, Ema, Optimizer, PathLength, Penalty
from jaxgan.data import DataConfig
from jaxgan.modelconfig import STYLEGAN2


def get_config() -> Config:
    """Return the recipe."""
    adam = Optimizer(learning_rate=(2.5e-3, 2.5e-3), beta1=0.0, beta2=(0.99, 0.99))
    return Config(
        data=DataConfig('folder:ffhq', size=256, flip=True),
        model=STYLEGAN2['paper256'],
        dtype='bfloat16',
        loss='non_saturating',
        penalties=(Penalty('r1', (1.0, 1.0), 16),),
        path_length=PathLength(weight=2.0),
        g_optimizer=dataclasses.replace(adam, lazy=4),
        d_optimizer=dataclasses.replace(adam, lazy=16),
        ema=Ema(half_life=(20_000.0, 20_000.0), rampup=None),
        batch_size=64,
        images=25_000_000,
        log_every=20_000,
        sample_every=200_000,
        checkpoint_every=500_000,
    )
