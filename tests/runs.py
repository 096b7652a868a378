"""A tiny run that several tests share: sixteen-pixel images from an .npz, a small pair, a few steps."""

import dataclasses

import numpy as np

from jaxgan.commands import write_documents
from jaxgan.config import Config, Ema, Optimizer
from jaxgan.data import DataConfig, open_source
from jaxgan.modelconfig import DCGAN
from jaxgan.run.trainer import make_trainer
from jaxgan.run.training import train


def make_data(folder, n=24, classes=3):
    path = folder / 'data.npz'
    if not path.exists():
        random = np.random.default_rng(0)
        np.savez(
            path, x_train=random.integers(0, 256, (n, 16, 16, 3), np.uint8), y_train=np.arange(n) % classes
        )
    return path


def tiny(path, **changes):
    adam = Optimizer(learning_rate=(1e-3, 1e-3))
    config = Config(
        data=DataConfig(f'npz:{path}', flip=True),
        model=DCGAN(latent_dim=8, width=4, norm='none', output='tanh'),
        g_optimizer=adam,
        d_optimizer=adam,
        ema=Ema((100.0, 100.0)),
        batch_size=8,
        images=64,
        steps_per_dispatch=2,
        log_every=16,
        sample_every=32,
        checkpoint_every=32,
        grid=4,
    )
    return dataclasses.replace(config, **changes)


def run(config, workdir):
    return train(make_trainer(config, open_source(config.data)), workdir, at_end=write_documents)
