"""How varied images are among themselves: MS-SSIM of random pairs, or any other distance.

References:
    Wang, Simoncelli and Bovik 2003, Multiscale structural similarity for image quality assessment, section 3; Odena et
    al. 2017, arXiv 1610.09585, section 4.2 (MS-SSIM of random pairs as a measure of diversity).
"""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped, UInt8

from jaxgan.errors import InputError
from jaxgan.metrics.checks import whole
from jaxgan.metrics.types import Perceptual

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, the finest first
WINDOW, SIGMA = 11, 1.5
C1, C2 = (0.01 * 255.0) ** 2, (0.03 * 255.0) ** 2


def scales_of(height: int, width: int) -> int:
    """Tell how many of the five scales an image has: those at which the window of 11 pixels fits.

    >>> [scales_of(side, side) for side in (10, 16, 32, 64, 128, 256)]
    [0, 1, 2, 3, 4, 5]
    """
    fits = [min(height, width) // 2**scale >= WINDOW for scale in range(len(WEIGHTS))]
    return sum(fits)


def ms_ssim(a: UInt8[Array, 'b h w c'], b: UInt8[Array, 'b h w c']) -> Float[Array, ' b']:
    """Compare pairs of images by multi-scale structural similarity; pure, for ``jax.jit``.

    ``MS-SSIM = SSIM_M^w_M  product_{s < M} CS_s^w_s``. At each scale, with Gaussian windows (11 pixels, sigma 1.5) that
    lie wholly within the image, means m, variances v and covariance v_ab: ``CS = (2 v_ab + C2) / (v_a + v_b + C2)``, and
    SSIM is CS times ``(2 m_a m_b + C1) / (m_a^2 + m_b^2 + C1)``, both averaged over the image and its channels; the next
    scale is the mean of 2x2 pixels. ``C1 = (0.01 255)^2``, ``C2 = (0.03 255)^2``. A negative mean counts as 0.

    The paper's five scales need 176 pixels. A smaller image has the M that fit (2 at 32 pixels, 3 at 64, 4 at 128), with
    the first M of the paper's weights divided by their sum, so values of different sizes do not compare.

    Args:
        a: bytes [B, H, W, C].
        b: likewise.

    Returns:
        [B], from 0 to 1; 1 for equal images.

    Raises:
        InputError: images are smaller than 11 pixels.

    References:
        Wang et al. 2003, equations 5 to 7, and section 3.3 (weights).
    """
    scales = scales_of(*a.shape[1:3])
    if not scales:
        raise InputError(f'images of {a.shape[1]}x{a.shape[2]} pixels for MS-SSIM (allowed: at least 11x11)')
    weights = np.array(WEIGHTS[:scales]) / sum(WEIGHTS[:scales])
    x, y = a.astype(jnp.float32), b.astype(jnp.float32)
    value = jnp.ones(len(x), jnp.float32)
    for scale, weight in enumerate(weights):
        structure, both = _similarities(x, y)
        last = scale == scales - 1
        value *= jnp.maximum(both if last else structure, 0.0) ** np.float32(weight)
        x, y = _halved(x), _halved(y)
    return value


def over_random_pairs(
    images: Shaped[np.ndarray, 'n *shape'],
    distance: Callable | Perceptual,
    pairs: int,
    seed: int = 0,
    batch: int = 64,
) -> Float[np.ndarray, ' pairs']:
    """Compare random pairs of different images: with ``ms_ssim``, or by an LPIPS.

    Args:
        images: [N, ...], as ``distance`` takes them; on the host.
        distance: ``(a [B, ...], b [B, ...]) -> [B]``, jitted here; or a ``Perceptual``, which gets bytes as floats in
            [-1, 1].
        pairs: how many to draw, with replacement. The first of a longer draw are those of a shorter one.
        seed: of the pairs: they do not depend on ``batch``.
        batch: pairs compared at once.

    Returns:
        A value a pair; the mean is the measure.

    Raises:
        InputError: there are fewer than two images.
    """
    whole('images', len(images), 2, 1 << 31, 'to make pairs')
    whole('pairs', pairs, 1, 1 << 31, 'a number of pairs')
    drawn = np.random.RandomState(seed).random_sample((pairs, 2))
    first = (drawn[:, 0] * len(images)).astype(np.int64)
    second = (drawn[:, 1] * (len(images) - 1)).astype(np.int64)
    second += second >= first
    # the last batch is filled up, so that there is one program
    filled = np.pad(np.stack([first, second]), ((0, 0), (0, -pairs % batch)), mode='edge')
    compare = _compiled(distance)
    found = [
        np.asarray(compare(*images[filled[:, i : i + batch]]), np.float32)
        for i in range(0, filled.shape[1], batch)
    ]
    return np.concatenate(found)[:pairs]


def _compiled(distance: Callable | Perceptual) -> Callable:
    if not isinstance(distance, Perceptual):
        return jax.jit(distance)
    return functools.partial(
        _on_bytes(distance.apply), distance.params
    )  # an argument of the program, not baked into it


@functools.lru_cache(maxsize=8)
def _on_bytes(apply: Callable) -> Callable:
    """Compile ``(params, a, b) -> [B]`` on bytes, once a distance."""
    return jax.jit(lambda params, a, b: apply(params, _as_floats(a), _as_floats(b)))


def _as_floats(images: Any) -> Any:
    return images.astype(jnp.float32) / 127.5 - 1.0 if images.dtype == jnp.uint8 else images


def _similarities(x: Any, y: Any) -> tuple[Any, Any]:
    """Compute the means of CS and of SSIM at one scale, [B] each."""
    mean_x, mean_y = _blurred(x), _blurred(y)
    var_x = _blurred(x * x) - mean_x * mean_x
    var_y = _blurred(y * y) - mean_y * mean_y
    covariance = _blurred(x * y) - mean_x * mean_y
    structure = (2.0 * covariance + C2) / (var_x + var_y + C2)
    luminance = (2.0 * mean_x * mean_y + C1) / (mean_x * mean_x + mean_y * mean_y + C1)
    return jnp.mean(structure, axis=(1, 2, 3)), jnp.mean(structure * luminance, axis=(1, 2, 3))


def _blurred(x: Any) -> Any:
    """Average by a Gaussian window, down and across; what the window does not lie within is left out."""
    taps = [math.exp(-((i - WINDOW // 2) ** 2) / (2.0 * SIGMA**2)) for i in range(WINDOW)]
    taps = [tap / sum(taps) for tap in taps]
    height, width = x.shape[1] - WINDOW + 1, x.shape[2] - WINDOW + 1
    x = sum(tap * x[:, i : i + height] for i, tap in enumerate(taps))
    return sum(tap * x[:, :, i : i + width] for i, tap in enumerate(taps))


def _halved(x: Any) -> Any:
    """Average 2x2 pixels; an odd last row or column is left out."""
    x = x[:, : x.shape[1] // 2 * 2, : x.shape[2] // 2 * 2]
    return (x[:, ::2, ::2] + x[:, 1::2, ::2] + x[:, ::2, 1::2] + x[:, 1::2, 1::2]) / 4.0
