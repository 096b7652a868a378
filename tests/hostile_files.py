"""What hostile inputs are made of: small good files, to be damaged."""

import functools
import io
import shutil
import tempfile
from pathlib import Path

import jax
import numpy as np
from PIL import Image
from runs import tiny

from jaxgan.card import make_card
from jaxgan.checkpoints.checkpoint import Checkpoints
from jaxgan.configjson import to_json
from jaxgan.data import open_source
from jaxgan.export import save_export
from jaxgan.modelconfig import DCGAN
from jaxgan.run.trainer import make_trainer

STEP = 8


def picture(side: int = 32, mode: str = 'RGB', seed: int = 0) -> Image.Image:
    """A small image of noise."""
    noise = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    return Image.fromarray(noise).convert(mode)


def encoded(kind: str = 'PNG', side: int = 32, mode: str = 'RGB', **options) -> bytes:
    """The bytes of a small image file."""
    buffer = io.BytesIO()
    picture(side, mode).save(buffer, kind, **options)
    return buffer.getvalue()


def arrays(**more: np.ndarray) -> dict[str, np.ndarray]:
    """The arrays of a small data set."""
    images = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), np.uint8)
    return {'x_train': images, 'y_train': np.arange(12) % 3} | more


def npz_bytes(found: dict) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **found)
    return buffer.getvalue()


def export(folder: Path) -> Path:
    """A good export: copies of one that is made once."""
    return _copied(_export(), folder)


def run(folder: Path) -> Path:
    """A good run with a checkpoint at step ``STEP``: copies of one that is made once."""
    return _copied(_run(), folder)


@functools.cache
def trainer():
    """What would train the run, so that its checkpoints can be read back."""
    folder = _scratch()
    np.savez(folder / 'data.npz', **arrays())
    config = tiny(
        folder / 'data.npz', model=DCGAN(latent_dim=4, width=4, norm='none'), batch_size=4, images=64
    )
    return make_trainer(config, open_source(config.data))


@functools.cache
def _run() -> Path:
    folder = _scratch() / 'run'
    made = trainer()
    state = _filled(made.abstract)
    with Checkpoints(folder / 'checkpoints') as checkpoints:
        checkpoints.save(STEP, state, made.meta(STEP))
    (folder / 'config.json').write_text(to_json(made.config))
    return folder


@functools.cache
def _export() -> Path:
    made = trainer()
    average = jax.device_get(_filled(made.abstract).g_ema)
    return save_export(_scratch() / 'export', average.params, average.aux, make_card(made.meta(STEP), STEP))


def _filled(abstract):
    random = np.random.default_rng(0)

    def fill(leaf):
        if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return jax.random.key(0)
        return jax.numpy.asarray(random.normal(size=leaf.shape), leaf.dtype)

    return jax.tree.map(fill, abstract)


@functools.cache
def _scratch_root() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix='jaxgan-strangers-')


def _scratch() -> Path:
    return Path(tempfile.mkdtemp(dir=_scratch_root().name))


def _copied(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    return target


def prepare() -> None:
    """Make what is copied later: it compiles a program, and imports what commands need."""
    _run()
    _export()
