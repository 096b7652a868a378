"""Two small classifiers that come with jaxgan: of MNIST's digits, and of the attributes of ``pixel_avatars``.

They count modes, and measure distances where ImageNet's features say little; distances by them compare with no paper's. Made by
``docs/scripts/train_extractors.py``, stored in float16. Part of the test images (10,000; 2,000) whose class they tell:
digits 99.3% at 28 pixels and 99.1% at 16; attributes 94.5% (hair colour) to 100% (clothing colour), 97.2% on average.
"""

import math
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.data.pixel_avatars.sheet import attribute_names
from jaxgan.export import unflatten
from jaxgan.metrics.extractors.resize import as_rgb, box
from jaxgan.metrics.types import Extractor, Features
from jaxgan.metrics.weights import check, read_weights
from jaxgan.ops import conv

FEATURES = 128
SLOPE = 0.2  # of leaky ReLUs: with plain ones half of the features were constant after the training


class Architecture(NamedTuple):
    """A small classifier: 3x3 convolutions down to 4x4 pixels, one dense layer, heads."""

    size: int
    channels: int
    widths: tuple[int, ...]
    strides: tuple[int, ...]
    heads: Mapping[str, int]
    label: str


ARCHITECTURES = {
    'mnist': Architecture(32, 1, (32, 64, 64), (2, 2, 2), {'digit': 10}, 'MNIST'),
    'pixel_avatars': Architecture(
        16,
        3,
        (32, 64, 64),
        (1, 2, 2),
        {name: len(values) for name, values in attribute_names().items()},
        'Avatars',
    ),
}


def load(name: str, path: str | Path | None = None, download: bool = False) -> Extractor:
    """Load a small classifier: 128 features, and logits for each of its heads.

    'mnist' reads each channel as a digit of its own. Grey images [B, H, W, 1] have ``logits['digit']``; of stacked ones with C
    channels there are ``logits['digit_0']`` to ``'digit_{C-1}'``, and C times 128 features. Images of 28 pixels get zeros around
    them, others are brought to 32 by repeated pixels or means of blocks; it was trained at 28 and at 16 pixels.

    'pixel_avatars' has a head for each attribute, in the order of their codes, and sees 16 pixels.

    Args:
        name: 'mnist' or 'pixel_avatars'.
        path: of other weights.
        download: has no effect: the weights are in the package.

    Raises:
        InputError: the weights are not this network's.
    """
    architecture = ARCHITECTURES[name]
    found = Path(path) if path is not None else shipped(name)
    weights = read_weights(found)
    tensors = check(weights.tensors, shapes(architecture), str(found))
    padded = 'zeros around 28 to 32, else ' if name == 'mnist' else ''
    return Extractor(
        name=name,
        label=architecture.label if path is None else f'{architecture.label} (other weights)',
        digest=weights.digest,
        resize=f'{padded}means of blocks or repeated pixels to {architecture.size}x{architecture.size}',
        params=jax.device_put(unflatten(tensors)),
        apply=_apply_digits if name == 'mnist' else _apply_avatars,
    )


def shipped(name: str) -> Path:
    """Name the file of weights in the package."""
    return Path(str(files('jaxgan.metrics.extractors') / 'weights' / f'{name}.safetensors'))


def shapes(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """List the tensors of a classifier by name."""
    found: dict[str, tuple[int, ...]] = {}
    inputs = architecture.channels
    for i, width in enumerate(architecture.widths):
        found |= {f'conv{i}/kernel': (3, 3, inputs, width), f'conv{i}/bias': (width,)}
        inputs = width
    side = architecture.size // math.prod(architecture.strides)
    found |= {'dense/kernel': (side * side * inputs, FEATURES), 'dense/bias': (FEATURES,)}
    for head, classes in architecture.heads.items():
        found |= {f'heads/{head}/kernel': (FEATURES, classes), f'heads/{head}/bias': (classes,)}
    return found


def initial(architecture: Architecture, key: Any) -> dict[str, Any]:
    """Draw parameters for a training: kernels of variance ``2 / fan_in``, biases zero."""
    wanted = shapes(architecture)
    keys = jax.random.split(key, len(wanted))
    return unflatten(
        {
            name: jnp.zeros(shape)
            if name.endswith('bias')
            else math.sqrt(2 / math.prod(shape[:-1])) * jax.random.normal(k, shape)
            for k, (name, shape) in zip(keys, wanted.items())
        }
    )


def classify(architecture: Architecture, params: Any, x: jax.Array) -> Features:
    """Apply a classifier to images [B, size, size, channels] in [-1, 1]: features [B, 128], logits of each head."""
    for i, stride in enumerate(architecture.strides):
        layer = params[f'conv{i}']
        x = conv(x, layer['kernel'], stride=stride, padding=1)
        x = jax.nn.leaky_relu(x + layer['bias'][None, None, None], SLOPE)
    pool = jax.nn.leaky_relu(_dense(params['dense'], x.reshape(x.shape[0], -1)), SLOPE)
    return Features(pool, {head: _dense(layer, pool) for head, layer in params['heads'].items()})


def _dense(layer: Any, x: Any) -> Any:
    return x @ layer['kernel'] + layer['bias'][None]


def digits_input(images: Any) -> jax.Array:
    """Bring bytes [B, H, W, C] to what the classifier of digits sees: [B, 32, 32, C] in [-1, 1]."""
    x = jnp.asarray(images, jnp.float32)
    x = jnp.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0))) if x.shape[1:3] == (28, 28) else box(x, 32)
    return x / 127.5 - 1


def _apply_digits(params: Any, images: Any) -> Features:
    b, c = images.shape[0], images.shape[3]
    with jax.default_matmul_precision('highest'):
        x = jnp.moveaxis(digits_input(images), 3, 1).reshape(b * c, 32, 32, 1)
        found = classify(ARCHITECTURES['mnist'], params, x)
    logits = found.logits['digit'].reshape(b, c, -1)
    names = ['digit'] if c == 1 else [f'digit_{i}' for i in range(c)]
    return Features(found.pool.reshape(b, -1), {name: logits[:, i] for i, name in enumerate(names)})


def _apply_avatars(params: Any, images: Any) -> Features:
    with jax.default_matmul_precision('highest'):
        return classify(ARCHITECTURES['pixel_avatars'], params, box(as_rgb(images), 16) / 127.5 - 1)


def accuracies(
    extractor: Extractor, images: np.ndarray, labels: Mapping[str, np.ndarray]
) -> dict[str, float]:
    """Measure for each head the part of images whose class it tells.

    Args:
        extractor: a classifier.
        images: bytes [N, H, W, C].
        labels: class indices [N] by head.
    """
    apply = jax.jit(extractor.apply)
    found = [apply(extractor.params, images[i : i + 500]).logits for i in range(0, len(images), 500)]
    return {
        head: float(np.mean(np.concatenate([part[head].argmax(1) for part in found]) == truth))
        for head, truth in labels.items()
    }
