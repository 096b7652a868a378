"""Where images have codes: z, the latents; w, a style-based generator's styles; w+, one style a layer.

A space knows how a latent becomes a code and a code an image, so that whatever works on codes (inversion, directions,
walks) works on every generator. Its functions are pure, and take the parameters last trained as arguments: jit or vmap them.

References:
    w: Karras, Laine and Aila 2019, arXiv 1812.04948, section 2; w+: Abdal, Qin and Wonka 2019, arXiv 1904.03189, section 3.3.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxgan.errors import InputError, unknown
from jaxgan.types import Key, Network, Sampler

NAMES = ('z', 'w', 'w+')
NOISE = 'noise'  # the collection in ``aux`` that holds a generator's noise maps


class Space(NamedTuple):
    """A space of codes of one generator."""

    name: str
    """'z' (codes [B, Z]), 'w' ([B, W]) or 'w+' ([B, layers, W])."""
    encode: Callable
    """``(params, aux, z [B, Z], label) -> codes [B, ...]``."""
    decode: Callable
    """``(params, aux, codes, label) -> images [B, H, W, C]``, floats about [-1, 1]; as ``Network.infer`` for encoded codes."""


class Statistics(NamedTuple):
    """How the codes of a space are spread."""

    mean: Any  # [...], as one code
    deviation: Any  # the same: the standard deviation of each value


def spaces_of(network: Network) -> tuple[str, ...]:
    """Name the spaces that a generator has: all of them, or 'z' alone without a mapping.

    >>> from jaxgan.networks import from_functions
    >>> spaces_of(from_functions(lambda key, z, label: {}, lambda params, z, label: z))
    ('z',)
    """
    return NAMES if network.mapping and network.synthesis else ('z',)


def make_space(network: Network, name: str, layers: int | None = None) -> Space:
    """Make a space of a generator.

    Args:
        network: a generator.
        name: one of ``spaces_of(network)``.
        layers: how many styles an image has, for 'w': ``count_layers``.

    Raises:
        InputError: there is no such space, or this generator does not have it.
    """
    if name not in NAMES:
        raise unknown('space', name, NAMES)
    if name not in spaces_of(network):
        raise InputError(f'space {name}: this generator has no styles, only latents: take z')
    mapping, synthesis = network.mapping, network.synthesis
    if name == 'z' or mapping is None or synthesis is None:
        return Space(name, lambda params, aux, z, label: z, network.infer)
    if name == 'w+':
        return Space(name, mapping, lambda params, aux, codes, label: synthesis(params, aux, codes))
    if layers is None:
        raise InputError('space w: how many layers have a style? Give layers=count_layers(...)')

    def decode(params: Any, aux: Any, codes: Any, label: Any) -> Any:
        return synthesis(params, aux, repeat(codes, layers))

    return Space(name, lambda params, aux, z, label: mapping(params, aux, z, label)[:, 0], decode)


def paint_one(space: Space, params: Any, aux: Any, code: Any, label: Any = None, maps: Any = None) -> Any:
    """Make the image [H, W, C] of one code, float32, with noise maps of its own unless they are None; pure: vmap it over all but the first three."""
    own = aux if maps is None else with_noise(aux, maps)
    made = space.decode(params, own, code[None], None if label is None else label[None])
    return made[0].astype(jnp.float32)


def kept_noise(aux: Mapping[str, Any]) -> dict[str, Any]:
    """List the noise maps that a generator keeps, by layer ('painter/conv_0/image'); empty for one without noise."""
    leaves = jax.tree_util.tree_leaves_with_path(aux.get(NOISE, {}))
    return {layer_of(path): leaf for path, leaf in leaves}


def with_noise(aux: Mapping[str, Any], maps: Mapping[str, Any]) -> dict[str, Any]:
    """Put noise maps, by layer, in the place of those that a generator keeps; layers that are not named keep theirs."""
    replaced = jax.tree_util.tree_map_with_path(
        lambda path, kept: maps.get(layer_of(path), kept), aux.get(NOISE, {})
    )
    return {**aux, NOISE: replaced}


def layer_of(path: tuple[Any, ...]) -> str:
    """Join the keys that lead to a leaf of nested dicts, as exports name it."""
    return '/'.join(str(part.key) for part in path)


def count_layers(network: Network, latents: Sampler, params: Any, aux: Any, labelled: bool = False) -> int:
    """Count the styles of an image: the second axis of what ``Network.mapping`` returns; 1 without a mapping."""
    if network.mapping is None:
        return 1
    z = jax.eval_shape(lambda key: latents(key, 1), jax.random.key(0))
    label = jax.ShapeDtypeStruct((1,), jnp.int32) if labelled else None
    return jax.eval_shape(network.mapping, params, aux, z, label).shape[1]


def repeat(codes: Any, layers: int) -> Any:
    """Give every layer the same style: w [B, W] to w+ [B, layers, W]."""
    return jnp.broadcast_to(codes[:, None], (codes.shape[0], layers, codes.shape[-1]))


def statistics(
    space: Space, latents: Sampler, params: Any, aux: Any, key: Key, label: Any = None, n: int = 10_000
) -> Statistics:
    """Measure the mean and standard deviation of codes, of ``n`` latents.

    Args:
        space: of the generator whose ``params`` and ``aux`` these are.
        latents: the distribution from which images are sampled.
        params: the generator's.
        aux: what belongs to them.
        key: of the latents.
        label: integers [n], or None.
        n: how many latents.
    """
    codes = space.encode(params, aux, latents(key, n), label)
    return Statistics(jnp.mean(codes, axis=0), jnp.std(codes, axis=0))


def truncate(codes: Any, center: Any, psi: Any, cutoff: Any = None) -> Any:
    """Pull codes towards a centre: ``center + psi (codes - center)``, for better images that vary less.

    Args:
        codes: [B, ...].
        center: what broadcasts to them: of all [...], or of each [B, ...].
        psi: a number, or one for each value of a code; 1: as they are, 0: the centre.
        cutoff: of codes [B, layers, W], only the first so many layers, which decide the coarse things; None: all.

    References:
        Karras, Laine and Aila 2019, arXiv 1812.04948, appendix B.
    """
    center = jnp.broadcast_to(center, codes.shape)
    pulled = center + jnp.broadcast_to(jnp.asarray(psi, codes.dtype), codes.shape) * (codes - center)
    if cutoff is None:
        return pulled
    return jnp.where((jnp.arange(codes.shape[1]) < cutoff)[None, :, None], pulled, codes)


def nearest(codes: Any, centers: Any) -> Any:
    """Find the centre that is nearest to each code.

    Args:
        codes: [B, W].
        centers: [K, W].

    Returns:
        Its number, integers [B]; the lower one where two are as near.
    """
    products = jnp.einsum('bw,kw->bk', codes, centers, precision='highest')
    return jnp.argmin(jnp.sum(jnp.square(centers), axis=1)[None] - 2 * products, axis=1)


def cluster(codes: Any, key: Key, k: int, rounds: int = 50) -> Any:
    """Find the centres of k clusters of codes: k-means, begun by k-means++.

    The first centre is a random code, each further one a code drawn by its squared distance from the centres so far; then
    each centre becomes the mean of the codes nearest to it, so many times. A centre without codes stays where it is.

    Args:
        codes: [n, W], n >= k.
        key: decides where it begins.
        k: how many.
        rounds: of assigning and averaging.

    Returns:
        [k, W].

    References:
        Lloyd 1982, Least squares quantization in PCM; Arthur and Vassilvitskii 2007, k-means++. For truncation: Mokady et
        al. 2022, Self-distilled StyleGAN, arXiv 2202.12211, section 4 (multi-modal truncation).
    """
    first, *keys = jax.random.split(key, k)
    centers = [codes[jax.random.randint(first, (), 0, codes.shape[0])]]
    distance = jnp.sum(jnp.square(codes - centers[0][None]), axis=1)
    for one in keys:
        centers.append(codes[jax.random.categorical(one, jnp.log(distance))])
        distance = jnp.minimum(distance, jnp.sum(jnp.square(codes - centers[-1][None]), axis=1))

    def better(_: Any, found: Any) -> Any:
        member = jax.nn.one_hot(nearest(codes, found), k, dtype=codes.dtype)
        count = jnp.sum(member, axis=0)[:, None]
        mean = jnp.einsum('nk,nw->kw', member, codes, precision='highest') / jnp.maximum(count, 1)
        return jnp.where(count > 0, mean, found)

    return jax.lax.fori_loop(0, rounds, better, jnp.stack(centers))
