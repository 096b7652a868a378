"""MNIST at 32x32 with a small DCGAN (Radford et al. 2015): the classic first GAN.

    jaxgan prepare mnist                         (once; needs the network and the extra jaxgan[prepare])
    python train.py --config mnist_dcgan         (or, from a file: --data.name stacked1:npz:mnist.npz)

``stacked1:`` puts zeros around the 28x28 pixels. No published number: the paper has none for MNIST. Here: not run to the
end.
"""

from jaxgan.config import Config, Ema, Optimizer
from jaxgan.data import DataConfig
from jaxgan.modelconfig import DCGAN


def get_config() -> Config:
    """Return the recipe."""
    adam = Optimizer(learning_rate=(2e-4, 2e-4), beta1=0.5, beta2=(0.999, 0.999))
    return Config(
        data=DataConfig('stacked1:mnist'),
        model=DCGAN(latent_dim=100, width=32, norm='batch', output='tanh'),
        loss='non_saturating',
        penalties=(),
        g_optimizer=adam,
        d_optimizer=adam,
        ema=Ema(half_life=(10_000.0, 10_000.0), rampup=0.05),
        batch_size=64,
        images=1_200_000,
        log_every=5_000,
        sample_every=60_000,
        checkpoint_every=300_000,
    )
