"""Your own pictures, at 64x64, with a plain pair, R1 + R2 and DiffAugment.

    python train.py --config folder --data.name folder:PATH [--conditional]

Sub-folders are labels. Pictures that are not square lose their sides (``crop='center'``). A start for a few hundred
to a few thousand pictures; it was tried for function, not to a published number.
"""

from jaxgan.config import Config, Ema, Optimizer, Penalty
from jaxgan.data import DataConfig
from jaxgan.modelconfig import DCGAN


def get_config() -> Config:
    """Return the recipe."""
    adam = Optimizer(learning_rate=(5e-4, 1e-4), beta1=0.0, beta2=(0.99, 0.99), clip=10.0)
    return Config(
        data=DataConfig('folder:images', size=64, crop='center', flip=True),
        model=DCGAN(latent_dim=64, width=64, norm='none', output='linear'),
        penalties=(Penalty('r1', (2.0, 0.5)), Penalty('r2', (2.0, 0.5))),
        augment=('color', 'translation', 'cutout'),
        augment_p=(0.3, 0.3),
        g_optimizer=adam,
        d_optimizer=adam,
        ema=Ema(half_life=(20_000.0, 20_000.0), rampup=0.05),
        burn_in=2_000_000,
        batch_size=32,
        images=2_000_000,
        sample_every=20_000,
        checkpoint_every=100_000,
    )
