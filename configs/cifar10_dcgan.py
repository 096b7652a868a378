"""CIFAR-10 with a DCGAN (Radford et al. 2015): batch normalization, tanh, non-saturating loss, Adam(0.5, 0.999).

    jaxgan prepare cifar10                       (once; needs the network and the extra jaxgan[prepare])
    python train.py --config cifar10_dcgan

PyTorch-StudioGAN published an FID of 49.0 at its best and 137 at the end of its DCGAN run: keep early checkpoints.
Here: not run to the end.
"""

from jaxgan.config import Config, Ema, Optimizer
from jaxgan.data import DataConfig
from jaxgan.modelconfig import DCGAN


def get_config() -> Config:
    """Return the recipe."""
    adam = Optimizer(learning_rate=(2e-4, 2e-4), beta1=0.5, beta2=(0.999, 0.999))
    return Config(
        data=DataConfig('cifar10', flip=True),
        model=DCGAN(latent_dim=128, width=64, norm='batch', output='tanh'),
        loss='non_saturating',
        penalties=(),
        g_optimizer=adam,
        d_optimizer=adam,
        ema=Ema(half_life=(50_000.0, 50_000.0), rampup=0.05),
        batch_size=64,
        images=5_000_000,
        sample_every=100_000,
        checkpoint_every=500_000,
        log_every=10_000,
    )
