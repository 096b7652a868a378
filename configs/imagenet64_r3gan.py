"""ImageNet at 64x64, class-conditional, with R3GAN at the paper's settings (Huang et al. 2025, table 9).

    jaxgan prepare imagenet_resized/64x64        (once; needs the network and the extra jaxgan[prepare])
    python train.py --config imagenet64_r3gan    (or --data.name folder:PATH, a folder a class)

Published: FID 2.09, recall 0.59 (table 8; 50,000 samples against all of the data) after 1,000 M images on 64 GPUs.
Here: not run to the end. A batch of 4096 is for many GPUs; --microbatches accumulates it on fewer. Two differences:
both networks see the same real images in a step, where the paper draws anew for each; and a real and a fake image
that are compared share one augmentation.
"""

from jaxgan.config import Config, Ema, Optimizer, Penalty
from jaxgan.data import DataConfig
from jaxgan.modelconfig import R3GAN


def get_config() -> Config:
    """Return the recipe."""
    adam = Optimizer(learning_rate=(2e-4, 5e-5), beta1=0.0, beta2=(0.9, 0.99))
    return Config(
        data=DataConfig('imagenet_resized/64x64', flip=True),
        model=R3GAN(widths=(1536, 1536, 1536, 1536, 1536), groups=(96, 96, 96, 96, 96)),
        conditional=True,
        dtype='bfloat16',
        loss='relativistic',
        penalties=(Penalty('r1', (1.0, 0.1)), Penalty('r2', (1.0, 0.1))),
        ada=('bg', 'color:0.5', 'cutout'),
        ada_target=None,
        augment_p=(0.0, 0.4),
        g_optimizer=adam,
        d_optimizer=adam,
        ema=Ema(half_life=(0.0, 50_000_000.0), rampup=None),
        burn_in=200_000_000,
        batch_size=4096,
        images=1_000_000_000,
        log_every=50_000,
        sample_every=1_000_000,
        checkpoint_every=2_000_000,
    )
