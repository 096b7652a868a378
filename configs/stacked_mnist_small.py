"""Stacked-MNIST at 16x16, 1,000 modes, for two cores: the small convolutional pair of the default recipe.

    jaxgan prepare mnist                               (once; needs the network and the extra jaxgan[prepare])
    python train.py --config stacked_mnist_small       (or, from a file: --data.name stacked:npz:mnist.npz)

Published: nothing comparable, for the literature has 32x32 pixels; ``stacked_mnist`` is the paper's setting. Here:
1000 of 1000 modes, KL 0.048 after 800,000 images, 27 minutes on two cores beside other programs (docs/results/README.md).
"""

from jaxgan.config import Config, Ema, Optimizer, Penalty
from jaxgan.data import DataConfig
from jaxgan.modelconfig import DCGAN


def get_config() -> Config:
    """Return the recipe."""
    adam = Optimizer(learning_rate=(2e-3, 2e-4), beta1=0.0, beta2=(0.99, 0.99))
    return Config(
        data=DataConfig('stacked:mnist', size=16),
        model=DCGAN(latent_dim=64, width=64, norm='none', refine=16, d_refine=0),
        loss='relativistic',
        penalties=(Penalty('r1', (0.1, 0.01)), Penalty('r2', (0.1, 0.01))),
        training='shared_fakes',
        g_optimizer=adam,
        d_optimizer=adam,
        ema=Ema(half_life=(5_000.0, 20_000.0)),
        burn_in=600_000,
        batch_size=32,
        images=800_000,
        log_every=10_000,
        sample_every=50_000,
        checkpoint_every=100_000,
    )
