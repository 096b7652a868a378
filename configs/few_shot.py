"""A few hundred to a few thousand pictures of 64x64 with FastGAN (Liu et al. 2021) and DiffAugment.

    python train.py --config few_shot --data.name folder:PATH [--data.size 256]

Sizes are 32, 64, 128, 256 and 512; below 128 pixels fewer layers are left than in the paper. The discriminator redraws
real images, as a loss of its own (``auxiliary_real``); both networks are spectrally normalized, as in the authors'
program. Published, with LPIPS for that loss, at 256x256: FID of Obama 41.05, Panda 10.03, Grumpy Cat 26.65, 100 pictures
each, 5,000 samples against all of them (arXiv 2101.04775, table 2), after hours on one RTX 2080. Here: a quarter as
wide at 32x32, 50,000 images, docs/results/README.md.
"""

from jaxgan.config import Config, Ema, Optimizer, Penalty
from jaxgan.data import DataConfig
from jaxgan.modelconfig import FastGAN


def get_config() -> Config:
    """Return the recipe."""
    adam = Optimizer(learning_rate=(2e-4, 2e-4), beta1=0.5, beta2=(0.999, 0.999))
    return Config(
        data=DataConfig('folder:images', size=64, crop='center', flip=True),
        model=FastGAN(latent_dim=256, width=64, norm='batch'),
        spectral_norm='both',
        loss='hinge',
        penalties=(Penalty('auxiliary_real', (1.0, 1.0)),),
        augment=('color', 'translation'),
        g_optimizer=adam,
        d_optimizer=adam,
        ema=Ema(half_life=(5_500.0, 5_500.0), rampup=0.05),  # 0.999 a step of 8 images
        batch_size=8,
        images=400_000,
        sample_every=10_000,
        checkpoint_every=50_000,
    )
