"""Inception-v3 as the Frechet Inception Distance defines it: the graph of 2015-12-05 with its padding, pools and resize.

It differs from Inception-v3 as others ship it: averages exclude padding, the last block's pool takes maxima, there are 1,008
classes, and images are stretched to 299 x 299 by TensorFlow 1's bilinear resize. Weights: ``pt_inception-2015-12-05``, the
graph's own numbers in PyTorch's layout; batch normalization (epsilon 0.001) is folded into the convolutions when they are read.

References:
    Szegedy et al. 2016, arXiv 1512.00567; Heusel et al. 2017, arXiv 1706.08500; Salimans et al. 2016, arXiv 1606.03498.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.metrics.assets import Asset, find_asset
from jaxgan.metrics.extractors.resize import as_rgb, bilinear_tf1
from jaxgan.metrics.types import Extractor, Features
from jaxgan.metrics.weights import check, read_weights
from jaxgan.ops import conv

SIZE, CLASSES, EPSILON = 299, 1008, 1e-3
ASSET = Asset(
    'inception-2015',
    ('pt_inception-2015-12-05-6726825d.pth', 'weights-inception-2015-12-05-6726825d.pth'),
    '6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2',
    95_628_359,
    'https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth',
)

Layer = Callable[
    ..., Any
]  # (name, x, features, kernel, stride=1, padding='SAME') -> x: convolution, bias, ReLU


def load(name: str = 'inception-2015', path: str | Path | None = None, download: bool = False) -> Extractor:
    """Load the network of the FID.

    Features are the 2,048 means of the last block. ``logits['class']`` are of 1,008 classes without the bias, which is what
    the Inception Score was defined with; ``logits['class_biased']`` have it. With other weights than the published the name
    is ``inception-v3`` and distances are called ``FD-Inception``: they are no FID.

    Args:
        name: 'inception-2015'.
        path: of the file of weights; else it is looked for in the cache folder.
        download: allow 96 MB to be fetched.

    Raises:
        MissingAsset: the weights are not here.
        InputError: they are not this network's.
    """
    found = find_asset(ASSET, path, download)
    weights = read_weights(found)
    published = weights.digest == ASSET.sha256
    return Extractor(
        name=name if published else 'inception-v3',
        label='' if published else 'Inception',
        digest=weights.digest,
        resize=f'bilinear to {SIZE}x{SIZE} as in TensorFlow 1 (no half-pixel shift, no anti-aliasing)',
        params=jax.device_put(convert(weights.tensors, str(found))),
        apply=apply,
    )


def apply(params: Any, images: Any) -> Features:
    """Compute features and class scores.

    Args:
        params: from ``convert``.
        images: bytes [B, H, W, 1 or 3].

    Returns:
        ``pool`` [B, 2048], not negative; ``logits`` of 'class' (without bias) and 'class_biased', [B, 1008].
    """

    def layer(
        name: str, x: Any, features: int, kernel: tuple[int, int], stride: int = 1, padding: Any = 'SAME'
    ):
        y = conv(x, params[name]['kernel'], stride=stride, padding=padding)
        return jax.nn.relu(y + params[name]['bias'][None, None, None])

    with jax.default_matmul_precision('highest'):  # else GPUs and TPUs round to 10 or 8 bits
        pool = network(layer, (bilinear_tf1(as_rgb(images), SIZE) - 128) / 128)
        logits = pool @ params['fc']['kernel']
    return Features(pool, {'class': logits, 'class_biased': logits + params['fc']['bias'][None]})


def network(layer: Layer, x: Any) -> Any:
    """Map images [B, 299, 299, 3] to features [B, 2048] by the layers of ``layer``."""
    x = layer('Conv2d_1a_3x3', x, 32, (3, 3), 2, 'VALID')
    x = layer('Conv2d_2a_3x3', x, 32, (3, 3), 1, 'VALID')
    x = max_pool(layer('Conv2d_2b_3x3', x, 64, (3, 3)))
    x = layer('Conv2d_3b_1x1', x, 80, (1, 1))
    x = max_pool(layer('Conv2d_4a_3x3', x, 192, (3, 3), 1, 'VALID'))
    for name, features in (('Mixed_5b', 32), ('Mixed_5c', 64), ('Mixed_5d', 64)):
        x = _block_a(_within(layer, name), x, features)
    x = _block_b(_within(layer, 'Mixed_6a'), x)
    for name, features in (('Mixed_6b', 128), ('Mixed_6c', 160), ('Mixed_6d', 160), ('Mixed_6e', 192)):
        x = _block_c(_within(layer, name), x, features)
    x = _block_d(_within(layer, 'Mixed_7a'), x)
    x = _block_e(_within(layer, 'Mixed_7b'), x, average_pool)
    x = _block_e(_within(layer, 'Mixed_7c'), x, functools.partial(max_pool, stride=1, padding=1))
    return jnp.mean(x, axis=(1, 2))


def _within(layer: Layer, block: str) -> Layer:
    return lambda name, *arguments: layer(f'{block}.{name}', *arguments)


def _chain(layer: Layer, x: Any, *steps: tuple) -> Any:
    for name, *arguments in steps:
        x = layer(name, x, *arguments)
    return x


def _block_a(layer: Layer, x: Any, features: int) -> Any:
    two = [('branch5x5_1', 48, (1, 1)), ('branch5x5_2', 64, (5, 5))]
    three = [(f'branch3x3dbl_{i}', n, (k, k)) for i, n, k in ((1, 64, 1), (2, 96, 3), (3, 96, 3))]
    one, pool = layer('branch1x1', x, 64, (1, 1)), layer('branch_pool', average_pool(x), features, (1, 1))
    return jnp.concatenate([one, _chain(layer, x, *two), _chain(layer, x, *three), pool], axis=3)


def _block_b(layer: Layer, x: Any) -> Any:
    three = [('branch3x3dbl_1', 64, (1, 1)), ('branch3x3dbl_2', 96, (3, 3))]
    last = ('branch3x3dbl_3', 96, (3, 3), 2, 'VALID')
    one = layer('branch3x3', x, 384, (3, 3), 2, 'VALID')
    return jnp.concatenate([one, _chain(layer, x, *three, last), max_pool(x)], axis=3)


def _block_c(layer: Layer, x: Any, c: int) -> Any:
    three = [('branch7x7_1', c, (1, 1)), ('branch7x7_2', c, (1, 7)), ('branch7x7_3', 192, (7, 1))]
    kernels = ((1, 1), (7, 1), (1, 7), (7, 1), (1, 7))
    five = [(f'branch7x7dbl_{i}', 192 if i == 5 else c, k) for i, k in enumerate(kernels, 1)]
    one, pool = layer('branch1x1', x, 192, (1, 1)), layer('branch_pool', average_pool(x), 192, (1, 1))
    return jnp.concatenate([one, _chain(layer, x, *three), _chain(layer, x, *five), pool], axis=3)


def _block_d(layer: Layer, x: Any) -> Any:
    two = [('branch3x3_1', 192, (1, 1)), ('branch3x3_2', 320, (3, 3), 2, 'VALID')]
    four = [(f'branch7x7x3_{i}', 192, k) for i, k in enumerate(((1, 1), (1, 7), (7, 1)), 1)]
    last = ('branch7x7x3_4', 192, (3, 3), 2, 'VALID')
    return jnp.concatenate([_chain(layer, x, *two), _chain(layer, x, *four, last), max_pool(x)], axis=3)


def _block_e(layer: Layer, x: Any, pool: Callable) -> Any:
    two = layer('branch3x3_1', x, 384, (1, 1))
    three = _chain(layer, x, ('branch3x3dbl_1', 448, (1, 1)), ('branch3x3dbl_2', 384, (3, 3)))
    parts = [
        layer('branch1x1', x, 320, (1, 1)),
        layer('branch3x3_2a', two, 384, (1, 3)),
        layer('branch3x3_2b', two, 384, (3, 1)),
        layer('branch3x3dbl_3a', three, 384, (1, 3)),
        layer('branch3x3dbl_3b', three, 384, (3, 1)),
        layer('branch_pool', pool(x), 192, (1, 1)),
    ]
    return jnp.concatenate(parts, axis=3)


def max_pool(x: Any, stride: int = 2, padding: int = 0) -> Any:
    """Take maxima of 3 x 3 pixels: rows, then columns, as slices, which is faster on CPU than a window."""
    if padding:
        x = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)), constant_values=-jnp.inf)
    rows, columns = ((n - 3) // stride * stride + 1 for n in x.shape[1:3])
    x = functools.reduce(jnp.maximum, [x[:, i : i + rows : stride] for i in range(3)])
    return functools.reduce(jnp.maximum, [x[:, :, i : i + columns : stride] for i in range(3)])


def average_pool(x: Any) -> Any:
    """Take means of 3 x 3 pixels around each, of those that exist."""
    height, width = x.shape[1:3]
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    x = sum(x[:, i : i + height] for i in range(3))
    x = sum(x[:, :, i : i + width] for i in range(3))
    count = np.outer(*(np.convolve(np.ones(n), np.ones(3), 'same') for n in (height, width)))
    return x / jnp.asarray(count, jnp.float32)[None, :, :, None]


@functools.cache
def layer_shapes() -> dict[str, tuple[int, ...]]:
    """List the convolutions by name, with the shapes of their kernels [kh, kw, C, O]: 94 of them."""
    found: dict[str, tuple[int, ...]] = {}

    def record(
        name: str, x: Any, features: int, kernel: tuple[int, int], stride: int = 1, padding: str = 'SAME'
    ):
        found[name] = (*kernel, x.shape[3], features)
        rows, columns = (
            n if padding == 'SAME' else (n - k) // stride + 1 for n, k in zip(x.shape[1:3], kernel)
        )
        return jnp.zeros((x.shape[0], rows, columns, features))

    jax.eval_shape(functools.partial(network, record), jax.ShapeDtypeStruct((1, SIZE, SIZE, 3), jnp.float32))
    return found


def convert(tensors: dict[str, np.ndarray], where: str) -> dict[str, dict[str, np.ndarray]]:
    """Make parameters of a PyTorch state dict: kernels as [kh, kw, C, O], batch normalization folded into them.

    ``kernel = w gamma / sqrt(var + 0.001)``, ``bias = beta - mean gamma / sqrt(var + 0.001)``, in float64.

    Args:
        tensors: 566 tensors, or 472 without the counts of batches.
        where: the file, for messages.

    Raises:
        InputError: they are not this network's, or a variance is negative.
    """
    shapes: dict[str, tuple[int, ...]] = {'fc.weight': (CLASSES, 2048), 'fc.bias': (CLASSES,)}
    for name, (kh, kw, inputs, outputs) in layer_shapes().items():
        shapes[f'{name}.conv.weight'] = (outputs, inputs, kh, kw)
        shapes |= {
            f'{name}.bn.{part}': (outputs,) for part in ('weight', 'bias', 'running_mean', 'running_var')
        }
    found = check(tensors, shapes, where, spare=('.num_batches_tracked',))
    params = {'fc': {'kernel': np.ascontiguousarray(found['fc.weight'].T), 'bias': found['fc.bias']}}
    for name in layer_shapes():
        params[name] = _fold(*(found[f'{name}.{part}'] for part in ('conv.weight', *_NORM)))
    return params


_NORM = ('bn.weight', 'bn.bias', 'bn.running_mean', 'bn.running_var')


def _fold(kernel: Any, gamma: Any, beta: Any, mean: Any, variance: Any) -> dict[str, np.ndarray]:
    scale = gamma.astype(np.float64) / np.sqrt(np.maximum(variance.astype(np.float64), 0) + EPSILON)
    folded = kernel.transpose(2, 3, 1, 0) * scale
    return {
        'kernel': np.ascontiguousarray(folded, np.float32),
        'bias': (beta - mean * scale).astype(np.float32),
    }
