"""CIFAR-10, class-conditional, with StyleGAN2 at ADA's settings for it (Karras et al. 2020, arXiv 2006.06676).

    jaxgan prepare cifar10                       (once; needs the network and the extra jaxgan[prepare])
    python train.py --config cifar10_stylegan2_ada

Published: FID 2.42 and IS 10.14 with ADA's augmentation, from 50,000 samples against all training images, after 100 M
images on 2 GPUs. Here: not run to the end. One difference: R1 joins D's
step each 16 steps, where the authors' program takes one more step for it.
"""

import dataclasses

from jaxgan.config import Config, Ema, Optimizer, Penalty
from jaxgan.data import DataConfig
from jaxgan.modelconfig import STYLEGAN2


def get_config() -> Config:
    """Return the recipe."""
    adam = Optimizer(learning_rate=(2.5e-3, 2.5e-3), beta1=0.0, beta2=(0.99, 0.99))
    return Config(
        data=DataConfig('cifar10'),
        model=STYLEGAN2['cifar'],
        conditional=True,
        dtype='bfloat16',
        loss='non_saturating',
        penalties=(Penalty('r1', (0.01, 0.01), 16),),
        ada=('bgc',),
        ada_target=0.6,
        g_optimizer=dataclasses.replace(
            adam, lazy=4
        ),  # as the authors' program has it, though nothing is lazy in G here
        d_optimizer=dataclasses.replace(adam, lazy=16),
        ema=Ema(half_life=(500_000.0, 500_000.0), rampup=0.05),
        batch_size=64,
        images=100_000_000,
        log_every=20_000,
        sample_every=500_000,
        checkpoint_every=1_000_000,
    )
