"""ADA's augmentations: differentiable, one key a sample, each transformation with a probability.

They act in the order: one geometric warp (pixel blits and general geometry), one colour matrix, band filters, noise,
cutout. A sample whose draws change nothing keeps its bits.

References:
    Karras et al. 2020, Training generative adversarial networks with limited data, arXiv 2006.06676, appendix B.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.augment.affine import warp
from jaxgan.augment.controller import controller
from jaxgan.augment.draws import CHROMATIC, COLOR, GEOMETRY, Luck, gains, gated, roll
from jaxgan.augment.names import GROUPS, strengths
from jaxgan.augment.wavelets import BANDS, band_matrices
from jaxgan.errors import InputError
from jaxgan.types import Augment, Images, Key, Keys, Memory, Schedule, value_at

Parts = str | Sequence[str] | Mapping[str, float | int]


def ada(
    parts: Parts = 'bgc', target: float = 0.6, images: int = 500_000, name: str = 'ada'
) -> tuple[Augment, Memory]:
    """Make adaptive discriminator augmentation: the augmentation, and the memory that controls its probability.

    Both belong in a recipe: ``Recipe(augment=augment, memories=(memory,), ...)``.

    Args:
        parts: what ``strengths`` reads, such as ``'bgc'``, or ``('bg', 'color:0.5', 'cutout')`` as R3GAN has it.
        target: of the mean sign of D's logits on real images; where it is above, p rises.
        images: over which p may rise from 0 to 1; the paper takes 500,000, and 100,000 to tune a trained network.
        name: of the memory.

    References:
        Karras et al. 2020, arXiv 2006.06676, section 3.1 and appendix B.
    """
    return ada_pipeline(parts, name), controller(name, target=target, images=images)


def ada_pipeline(parts: Parts, p: float | int | Schedule | str) -> Augment:
    """Make ADA's augmentation with a probability from anywhere.

    Args:
        parts: what ``strengths`` reads.
        p: each transformation's probability, before its multiplier: a number, a schedule of the images seen, or the name
            of the memory that holds it.

    Returns:
        ``augment(keys [B], images [B, H, W, C], state) -> images``, computed in float32, linear in the images.

    Raises:
        InputError: an unknown name or multiplier; while tracing: sides below 2, or colours of other than 1 or 3 channels.
    """
    multipliers = {name: value for name, value in strengths(parts).items() if value > 0.0}
    stages = [
        stage for stage, groups in STAGES if any(multipliers.keys() & set(GROUPS[group]) for group in groups)
    ]

    def augment(keys: Keys, images: Images, state: Any) -> Images:
        found = state.extra[p]['p'] if isinstance(p, str) else value_at(p, state.images_seen)
        probability = {name: found * multiplier for name, multiplier in multipliers.items()}
        out = images.astype(jnp.float32)
        luck = jax.vmap(lambda key: roll(jax.random.fold_in(key, 0), len(ROWS)))(keys)
        for stage in stages:
            out = stage(keys, luck, out, probability)
        return out.astype(images.dtype)

    return augment


ROWS = (*(name for name, _ in GEOMETRY), *COLOR, *('band',) * BANDS, 'noise', 'cutout')
"""Whose random numbers stand where; the first of those that have several rows counts."""


def _where(changed: Any, new: Images, old: Images) -> Images:
    return jnp.where(changed[:, None, None, None], new, old)


def geometry(keys: Keys, luck: Luck, images: Images, p: Mapping[str, Any]) -> Images:
    """Compose all geometric transformations that were drawn, and warp once.

    Raises:
        InputError: a side of the images is below 2, so that there is nothing to reflect.
    """
    size = images.shape[1:3]
    if min(size) < 2:
        raise InputError(f'images of {size[0]} x {size[1]} must have sides of at least 2 to be warped')

    def inverse(luck: Luck) -> Any:
        total = jnp.eye(3)
        for row, (name, draw) in enumerate(GEOMETRY):
            if name in p:
                chance = 1.0 - jnp.sqrt(jnp.maximum(1.0 - p[name], 0.0)) if name == 'rotate' else p[name]
                matrix = gated(luck.of(row), chance, draw(luck.of(row), size), jnp.eye(3))
                total = jnp.matmul(total, matrix, precision='highest')
        return total

    matrices = jax.lax.stop_gradient(jax.vmap(inverse)(luck))
    changed = jnp.any(matrices != jnp.eye(3)[None], axis=(1, 2))
    return _where(changed, warp(images, matrices), images)


def color(keys: Keys, luck: Luck, images: Images, p: Mapping[str, Any]) -> Images:
    """Compose all colour transformations that were drawn, and apply their matrix to each pixel.

    Grey images count as three equal channels of which the mean is kept; hue and saturation leave them.

    Raises:
        InputError: the images have other than 1 or 3 channels.
    """
    channels = images.shape[-1]
    if channels not in (1, 3):
        raise InputError(f'images of {channels} channels have no colours: they must have 1 or 3')

    def compose(luck: Luck) -> Any:
        total = jnp.eye(4)
        for row, (name, draw) in enumerate(COLOR.items(), ROWS.index('brightness')):
            if name in p and (channels == 3 or name not in CHROMATIC):
                matrix = gated(luck.of(row), p[name], draw(luck.of(row)), jnp.eye(4))
                total = jnp.matmul(matrix, total, precision='highest')
        return total

    matrices = jax.lax.stop_gradient(jax.vmap(compose)(luck))
    changed = jnp.any(matrices != jnp.eye(4)[None], axis=(1, 2))
    linear, offset = matrices[:, :3, :3], matrices[:, None, None, :3, 3]
    if channels == 1:
        mean = jnp.mean(jnp.sum(linear, axis=2), axis=1)[:, None, None, None]
        return _where(changed, images * mean + jnp.mean(offset, axis=-1, keepdims=True), images)
    mixed = [
        sum(images[..., j] * linear[:, i, j, None, None] for j in range(3)) + offset[..., i] for i in range(3)
    ]
    return _where(changed, jnp.stack(mixed, axis=-1), images)


def bands(keys: Keys, luck: Luck, images: Images, p: Mapping[str, Any]) -> Images:
    """Amplify four bands of frequencies, the image reflected about its outer pixels.

    Raises:
        InputError: a side of the images is below 2.
    """
    if min(images.shape[1:3]) < 2:
        raise InputError(
            f'images of {images.shape[1]} x {images.shape[2]} must have sides of at least 2 to be filtered'
        )
    first = ROWS.index('band')
    own = Luck(*(values[:, first : first + BANDS] for values in luck))
    drawn = jax.lax.stop_gradient(jax.vmap(lambda luck: gains(luck, p['imgfilter']))(own))
    rows, columns = (
        jnp.einsum('bf,fij->bij', drawn, band_matrices(n), precision='highest') for n in images.shape[1:3]
    )
    filtered = jnp.einsum('bhy,byxc->bhxc', rows, images, precision='highest')
    filtered = jnp.einsum('bwx,bhxc->bhwc', columns, filtered, precision='highest')
    return _where(jnp.any(drawn != 1.0, axis=1), filtered, images)


def noise(keys: Keys, luck: Luck, images: Images, p: Mapping[str, Any]) -> Images:
    """Add normal noise of deviation ``|N(0, 0.1)|`` to every value."""

    def one(key: Key, luck: Luck, image: Any) -> Any:
        row = luck.of(ROWS.index('noise'))
        values = jax.random.normal(jax.random.fold_in(key, 1), image.shape)
        return gated(row, p['noise'], image + jnp.abs(0.1 * row.normal[0]) * values, image)

    return jax.vmap(one)(keys, luck, images)


def cutout(keys: Keys, luck: Luck, images: Images, p: Mapping[str, Any]) -> Images:
    """Set a rectangle of half the sides to 0; its centre is anywhere in the image, so it may reach over the edge."""

    def one(luck: Luck, image: Any) -> Any:
        row = luck.of(ROWS.index('cutout'))
        near = [
            jnp.abs(np.float32((np.arange(n) + 0.5) / n) - row.uniform[axis]) < 0.25
            for axis, n in enumerate(image.shape[:2])
        ]
        hole = near[0][:, None, None] & near[1][None, :, None]
        return gated(row, p['cutout'], jnp.where(hole, 0.0, image), image)

    return jax.vmap(one)(luck, images)


STAGES: tuple[tuple[Callable, tuple[str, ...]], ...] = (
    (geometry, ('blit', 'geometric')),
    (color, ('color',)),
    (bands, ('filter',)),
    (noise, ('noise',)),
    (cutout, ('cutout',)),
)
"""What acts on the images, in this order, and the groups that it serves."""
