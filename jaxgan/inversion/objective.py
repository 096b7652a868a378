"""How far an image is from another: in pixels, at several scales, and in what a network sees; one value a sample.

Images are floats [B, H, W, C] about [-1, 1]. A mask [B, H, W, 1] says how much each pixel counts, from 0 to 1; None: all do.
No network that was trained on other data is needed: the discriminator has learned what matters in these images.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.errors import InputError
from jaxgan.types import Images, Network, PerSample

Objective = Callable[[Any, Any, Any, Any], Any]
"""``objective(eye, images, targets, mask) -> [B]``; ``eye``: the parameters of what looks, an argument of every program."""

Distance = Callable[[Any, Any, Any], Any]
"""``distance(eye, images, others) -> [B]``, of what a network sees."""

SMALLEST = 4  # pixels a side at the top of a pyramid
WINDOW, SIGMA = 11, 1.5


def coarsened(images: Any, block: int) -> Any:
    """Average blocks of ``block`` x ``block`` pixels: [B, H, W, C] to [B, H / block, W / block, C].

    Raises:
        InputError: the blocks do not divide the image.
    """
    n, height, width, channels = images.shape
    if block < 1 or height % block or width % block:
        raise InputError(f'blocks of {block} pixels do not divide an image of {height}x{width}')
    parts = images.reshape(n, height // block, block, width // block, block, channels)
    return jnp.mean(parts, axis=(2, 4))


def pyramid_distance(images: Images, targets: Images, mask: Any = None, coarse: int = 1) -> PerSample:
    """Compare averages over blocks: ``sum_k mean((A_k(x) - A_k(y))^2)``, A_k over blocks of ``coarse 2^k`` pixels.

    Blocks grow until an image has fewer than 8 blocks a side or they no longer divide it. Large ones tell where to go from
    afar, where single pixels cancel. With a mask, blocks are averages of the pixels that count, and count by their number.

    Args:
        images: [B, H, W, C].
        targets: the same.
        mask: [B, H, W, 1], or None.
        coarse: the smallest block.

    Raises:
        InputError: ``coarse`` does not divide the image.
    """
    weight = jnp.ones((*images.shape[:3], 1), jnp.float32) if mask is None else mask
    error = coarsened((images - targets) * weight, coarse)
    weight = coarsened(weight, coarse)
    total = _level(error, weight)
    while min(error.shape[1:3]) >= 2 * SMALLEST and not (error.shape[1] % 2 or error.shape[2] % 2):
        error, weight = coarsened(error, 2), coarsened(weight, 2)
        total = total + _level(error, weight)
    return total


def _level(error: Any, weight: Any) -> Any:
    """Average squares of what blocks differ by; a block's difference is its sum over what counts of it."""
    channels = error.shape[-1]
    squares = jnp.sum(jnp.square(error) / jnp.maximum(weight, 1e-6), axis=(1, 2, 3))
    return squares / (channels * jnp.maximum(jnp.sum(weight, axis=(1, 2, 3)), 1e-6))


def deep_distance(seen: Mapping[str, Any], other: Mapping[str, Any]) -> PerSample:
    """Compare what a network sees, as LPIPS does without its learned weights.

    ``mean_l mean_p sum_c (f_c / ||f|| - g_c / ||g||)^2`` over layers l and places p.

    Args:
        seen: activations [B, h, w, c] by layer.
        other: the same of other images.

    References:
        Zhang et al. 2018, arXiv 1801.03924, equation 1, with w_l = 1.
    """
    total = jnp.zeros((), jnp.float32)
    for name, f in seen.items():
        difference = jnp.square(_unit(f) - _unit(other[name]))
        total = total + jnp.mean(jnp.sum(difference, axis=-1), axis=(1, 2)) / len(seen)
    return total


def _unit(f: Any) -> Any:
    f = f.astype(jnp.float32)
    return f * jax.lax.rsqrt(jnp.sum(jnp.square(f), axis=-1, keepdims=True) + 1e-8)


def discriminator_distance(discriminator: Network, labelled: bool = False) -> Distance:
    """Make ``deep_distance`` of a discriminator's layers with places; an image's is its own, whatever stands beside it.

    Args:
        discriminator: a network with ``features``; its ``(params, aux)`` are the ``eye``.
        labelled: whether it takes labels; what layers with places see does not depend on the class.

    Raises:
        InputError: it has no features.
    """
    features = discriminator.features
    if features is None:
        raise InputError('this discriminator has no features: compare in pixels alone')
    label = jnp.zeros((1,), jnp.int32) if labelled else None

    def look(eye: Any, image: Any) -> dict[str, Any]:
        params, aux = eye
        found = features(params, aux, image[None], label)
        return {name: value for name, value in found.items() if value.ndim == 4 and value.shape[1] > 1}

    def one(eye: Any, image: Any, other: Any) -> Any:
        return deep_distance(look(eye, image), look(eye, other))[0]

    return jax.vmap(one, (None, 0, 0))


def make_objective(distance: Distance | None = None, weight: float = 0.1, coarse: int = 1) -> Objective:
    """Make ``pyramid_distance + weight distance``.

    Where a mask hides pixels, the network sees the target with the image's own pixels there, so that they cost nothing.

    Args:
        distance: of what a network sees; None: pixels alone.
        weight: of that.
        coarse: the smallest block of pixels; with more than 1 no network looks, for such a target has no details.
    """

    def objective(eye: Any, images: Any, targets: Any, mask: Any = None) -> Any:
        total = pyramid_distance(images, targets, mask, coarse)
        if distance is None or coarse > 1 or not weight:
            return total
        whole = targets if mask is None else targets * mask + images * (1 - mask)
        return total + weight * distance(eye, images, whole)

    return objective


def psnr(images: Any, targets: Any, mask: Any = None) -> PerSample:
    """Measure the peak signal-to-noise ratio in decibels: ``10 log10(255^2 / mean((x - y)^2))``, at most 99.

    Args:
        images: [B, H, W, C], from 0 to 255.
        targets: the same.
        mask: [B, H, W, 1]: which pixels count; None: all.
    """
    squares = jnp.mean(
        jnp.square(images.astype(jnp.float32) - targets.astype(jnp.float32)), -1, keepdims=True
    )
    weight = jnp.ones_like(squares) if mask is None else mask
    error = jnp.sum(squares * weight, axis=(1, 2, 3)) / jnp.maximum(jnp.sum(weight, axis=(1, 2, 3)), 1e-6)
    return jnp.minimum(10 * jnp.log10(255.0**2 / jnp.maximum(error, 1e-12)), 99.0)


def ssim(images: Any, targets: Any) -> PerSample:
    """Measure the structural similarity of bytes, the mean over windows that lie within the image, and channels.

    Windows are Gaussian, 11 pixels wide (sigma 1.5), or the largest odd number that fits.

    Args:
        images: uint8 [B, H, W, C].
        targets: the same.

    References:
        Wang et al. 2004, Image quality assessment: from error visibility to structural similarity, equation 13.
    """
    x, y = images.astype(jnp.float32), targets.astype(jnp.float32)
    side = min(WINDOW, *x.shape[1:3])
    side -= 1 - side % 2
    bell = np.exp(-0.5 * (np.arange(side) - side // 2) ** 2 / SIGMA**2).astype(np.float32)
    bell = bell / bell.sum()

    def blur(values: Any) -> Any:
        rows = jnp.einsum('bhwcs,s->bhwc', _windows(values, 1, side), bell)
        return jnp.einsum('bhwcs,s->bhwc', _windows(rows, 2, side), bell)

    mean_x, mean_y = blur(x), blur(y)
    var_x, var_y = blur(x * x) - mean_x**2, blur(y * y) - mean_y**2
    both = blur(x * y) - mean_x * mean_y
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    structure = (2 * both + c2) / (var_x + var_y + c2)
    return jnp.mean(structure * (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1), axis=(1, 2, 3))


def _windows(values: Any, axis: int, side: int) -> Any:
    """Stack all runs of ``side`` neighbours along an axis as a last axis."""
    count = values.shape[axis] - side + 1
    return jnp.stack([jax.lax.slice_in_dim(values, i, i + count, axis=axis) for i in range(side)], axis=-1)
