"""DINOv2's vision transformers with patches of 14 pixels: features for FD-DINOv2, nearer to human judgement than the FID.

Published FD-DINOv2 is that of ViT-L/14. Weights: the files of Meta's release (Apache-2.0), read without PyTorch.

References:
    Oquab et al. 2023, arXiv 2304.07193; Dosovitskiy et al. 2020, arXiv 2010.11929; Touvron et al. 2021 (layer scale),
    arXiv 2103.17239, equation 1; Stein et al. 2023 (FD-DINOv2), arXiv 2306.04675.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.metrics.assets import Asset, find_asset
from jaxgan.metrics.extractors.resize import as_rgb, bicubic_pil, position_matrix
from jaxgan.metrics.extractors.vgg16 import normalize
from jaxgan.metrics.types import Extractor, Features
from jaxgan.metrics.weights import check, read_weights

EPSILON = 1e-6
OFFSET = (
    0.1  # DINOv2 interpolates positions at (16 + 0.1) / 37 instead of 16 / 37, and was released with that
)


class Architecture(NamedTuple):
    """The sizes of a vision transformer."""

    width: int
    depth: int
    heads: int
    patch: int = 14
    grid: int = 37  # patches a side for which it knows positions: 518 pixels
    side: int = 224  # pixels that it is shown


class _Kind(NamedTuple):
    architecture: Architecture
    asset: Asset
    label: str


def _kind(letter: str, width: int, depth: int, heads: int, sha256: str, size: int) -> _Kind:
    stem = f'dinov2_vit{letter}14'
    url = f'https://dl.fbaipublicfiles.com/dinov2/{stem}/{stem}_pretrain.pth'
    asset = Asset(f'dinov2-vit{letter}14', (f'{stem}_pretrain.pth',), sha256, size, url)
    return _Kind(Architecture(width, depth, heads), asset, f'DINOv2-{letter.upper()}')


KINDS = {
    kind.asset.name: kind
    for kind in (
        _kind(
            's', 384, 12, 6, 'b938bf1bc15cd2ec0feacfe3a1bb553fe8ea9ca46a7e1d8d00217f29aef60cd9', 88_283_115
        ),
        _kind(
            'b', 768, 12, 12, '0b8b82f85de91b424aded121c7e1dcc2b7bc6d0adeea651bf73a13307fad8c73', 346_378_731
        ),
        _kind(
            'l',
            1024,
            24,
            16,
            'd5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428',
            1_217_586_395,
        ),
    )
}


def load(name: str, path: str | Path | None = None, download: bool = False) -> Extractor:
    """Load a DINOv2: features are its normalized class token, 384 ('dinov2-vits14'), 768 ('-vitb14') or 1,024 ('-vitl14').

    Raises:
        MissingAsset: the weights are not here.
        InputError: they are not this network's.
    """
    kind = KINDS[name]
    weights = read_weights(found := find_asset(kind.asset, path, download))
    side = kind.architecture.side
    return Extractor(
        name=name,
        label=kind.label if weights.digest == kind.asset.sha256 else f'{kind.label} (other weights)',
        digest=weights.digest,
        resize=f'bicubic to {side}x{side} as in Pillow, bytes',
        params=jax.device_put(convert(weights.tensors, kind.architecture, str(found))),
        apply=applied(kind.architecture),
    )


def applied(architecture: Architecture) -> Callable[[Any, Any], Features]:
    """Make the function from parameters and bytes [B, H, W, 1 or 3] to features."""

    def apply(params: Any, images: Any) -> Features:
        with jax.default_matmul_precision('highest'):
            x = normalize(bicubic_pil(as_rgb(images), architecture.side))
            return Features(class_token(params, x, architecture), {})

    return apply


def class_token(params: Any, x: jax.Array, architecture: Architecture) -> jax.Array:
    """Apply the transformer to normalized images [B, H, W, 3], H and W multiples of the patch: [B, width]."""
    p = architecture.patch
    rows, columns = x.shape[1] // p, x.shape[2] // p
    patches = (
        x.reshape(-1, rows, p, columns, p, 3)
        .transpose(0, 1, 3, 2, 4, 5)
        .reshape(-1, rows * columns, p * p * 3)
    )
    tokens = _linear(params['patch'], patches) + _positions(params['positions'], rows, columns)[None]
    first = jnp.broadcast_to(params['class'][None, None], (x.shape[0], 1, architecture.width))
    tokens = jnp.concatenate([first, tokens], axis=1)

    def block(tokens: Any, layer: Any) -> tuple[Any, None]:
        attended = _attention(layer, _norm(layer['norm1'], tokens), architecture.heads)
        tokens = tokens + layer['scale1'][None, None] * attended
        hidden = jax.nn.gelu(_linear(layer['up'], _norm(layer['norm2'], tokens)), approximate=False)
        return tokens + layer['scale2'][None, None] * _linear(layer['down'], hidden), None

    tokens, _ = jax.lax.scan(block, tokens, params['blocks'])
    return _norm(params['norm'], tokens[:, :1])[:, 0]


def _positions(grid: Any, rows: int, columns: int) -> Any:
    """Interpolate the positions [grid, grid, width] to the patches at hand: [rows columns, width]."""
    side = grid.shape[0]
    if (rows, columns) != (side, side):
        vertical, horizontal = (
            jnp.asarray(position_matrix(side, n, (n + OFFSET) / side)) for n in (rows, columns)
        )
        grid = jnp.einsum('yi,xj,ijw->yxw', vertical, horizontal, grid)
    return grid.reshape(rows * columns, -1)


def _attention(layer: Any, x: Any, heads: int) -> Any:
    b, n, width = x.shape
    q, k, v = jnp.moveaxis(_linear(layer['qkv'], x).reshape(b, n, 3, heads, width // heads), 2, 0)
    weights = jax.nn.softmax(jnp.einsum('bqhd,bkhd->bhqk', q * (width // heads) ** -0.5, k), axis=-1)
    return _linear(layer['out'], jnp.einsum('bhqk,bkhd->bqhd', weights, v).reshape(b, n, width))


def _linear(layer: Any, x: Any) -> Any:
    return x @ layer['kernel'] + layer['bias'][None, None]


def _norm(layer: Any, x: Any) -> Any:
    mean = jnp.mean(x, axis=2, keepdims=True)
    variance = jnp.mean((x - mean) ** 2, axis=2, keepdims=True)
    return (x - mean) * jax.lax.rsqrt(variance + EPSILON) * layer['scale'][None, None] + layer['bias'][
        None, None
    ]


def shapes(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """List the tensors of the release's file."""
    d, p = architecture.width, architecture.patch
    found: dict[str, tuple[int, ...]] = {
        'cls_token': (1, 1, d),
        'pos_embed': (1, 1 + architecture.grid**2, d),
        'patch_embed.proj.weight': (d, 3, p, p),
        'patch_embed.proj.bias': (d,),
        'norm.weight': (d,),
        'norm.bias': (d,),
    }
    for i in range(architecture.depth):
        for name, shape in _block_shapes(d).items():
            found[f'blocks.{i}.{name}'] = shape
    return found


def _block_shapes(d: int) -> dict[str, tuple[int, ...]]:
    linear = {'attn.qkv': (3 * d, d), 'attn.proj': (d, d), 'mlp.fc1': (4 * d, d), 'mlp.fc2': (d, 4 * d)}
    found: dict[str, tuple[int, ...]] = {'ls1.gamma': (d,), 'ls2.gamma': (d,)}
    for name in ('norm1', 'norm2'):
        found |= {f'{name}.weight': (d,), f'{name}.bias': (d,)}
    for name, shape in linear.items():
        found |= {f'{name}.weight': shape, f'{name}.bias': shape[:1]}
    return found


def convert(tensors: dict[str, np.ndarray], architecture: Architecture, where: str) -> dict[str, Any]:
    """Make parameters of the release's state dict; blocks are stacked along a leading axis, for ``lax.scan``.

    Raises:
        InputError: the tensors are not those of this architecture.
    """
    found = check(tensors, shapes(architecture), where, spare=('mask_token',))
    grid, d = architecture.grid, architecture.width
    kernel = found['patch_embed.proj.weight'].transpose(2, 3, 1, 0).reshape(-1, d)

    def stacked(name: str) -> np.ndarray:
        return np.stack([found[f'blocks.{i}.{name}'] for i in range(architecture.depth)])

    def linear(name: str) -> dict[str, np.ndarray]:
        return {'kernel': stacked(f'{name}.weight').swapaxes(1, 2), 'bias': stacked(f'{name}.bias')}

    def norm(name: str) -> dict[str, np.ndarray]:
        return {'scale': stacked(f'{name}.weight'), 'bias': stacked(f'{name}.bias')}

    return {
        # the class token's own position belongs to it
        'class': found['cls_token'][0, 0] + found['pos_embed'][0, 0],
        'positions': found['pos_embed'][0, 1:].reshape(grid, grid, d),
        'patch': {'kernel': kernel, 'bias': found['patch_embed.proj.bias']},
        'norm': {'scale': found['norm.weight'], 'bias': found['norm.bias']},
        'blocks': {
            'norm1': norm('norm1'),
            'qkv': linear('attn.qkv'),
            'out': linear('attn.proj'),
            'scale1': stacked('ls1.gamma'),
            'norm2': norm('norm2'),
            'up': linear('mlp.fc1'),
            'down': linear('mlp.fc2'),
            'scale2': stacked('ls2.gamma'),
        },
    }
