"""Stacked-MNIST, 1,000 modes, with R3GAN at the paper's settings (Huang et al. 2025, table 9); unconditional.

    jaxgan prepare mnist                         (once; needs the network and the extra jaxgan[prepare])
    python train.py --config stacked_mnist       (or, from a file: --data.name stacked:npz:mnist.npz)

Published: 1000 modes, KL 0.029 after 10 M images, 7 hours on 8 L40 (table 3; modes and KL to the uniform distribution by
a classifier of digits on the samples, their number not stated). Here: not run to the end. Three differences: there are
60,000 stacks, the same in every epoch; both networks see the same real images in a step, where the paper draws anew for
each; and the paper does not say how its stacks were made.

On two cores take ``stacked_mnist_small``. These networks made narrow (widths 96, 64, 32, one block a stage, 16x16) found 680
modes after 400,000 images with rates from 1e-3 to 2e-4, and 469 with those below (docs/results/README.md).
"""

from jaxgan.config import Config, Ema, Optimizer, Penalty
from jaxgan.data import DataConfig
from jaxgan.modelconfig import R3GAN


def get_config() -> Config:
    """Return the recipe."""
    adam = Optimizer(learning_rate=(2e-4, 2e-4), beta1=0.0, beta2=(0.9, 0.99))
    return Config(
        data=DataConfig('stacked:mnist'),
        model=R3GAN(widths=(768, 768, 768, 768), groups=(96, 96, 96, 96)),
        dtype='bfloat16',
        loss='relativistic',
        penalties=(Penalty('r1', (1.0, 0.1)), Penalty('r2', (1.0, 0.1))),
        g_optimizer=adam,
        d_optimizer=adam,
        ema=Ema(half_life=(0.0, 500_000.0), rampup=None),
        burn_in=2_000_000,
        batch_size=512,
        images=10_000_000,
        log_every=50_000,
        sample_every=200_000,
        checkpoint_every=1_000_000,
    )
