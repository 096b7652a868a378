"""What an exported generator computes: functions of its weights and of seeds, latents or styles, for whoever carries them elsewhere."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.export import symbolic_shape

from jaxgan import build, watermark
from jaxgan.errors import InputError
from jaxgan.export import flatten, unflatten
from jaxgan.marks.watermarking import carries, pattern_of
from jaxgan.opened import Generator
from jaxgan.sampling import of_keys, to_pixels
from jaxgan.spaces import spaces_of, truncate


class Program(NamedTuple):
    """One thing that a generator computes, for batches of any size."""

    function: Callable
    """``(weights, *inputs) -> output``, weights being a dict by ``export.flatten``'s names."""
    inputs: Mapping[str, tuple[tuple[int, ...], str]]
    """Shape, without the batch, and dtype of each input by its name."""
    output: str
    """The output's name."""


def make_programs(found: Generator, psi: float | None = None, dtype: str | None = None) -> dict[str, Program]:
    """Make the programs of a generator.

    Args:
        found: the generator.
        psi: pull all styles towards their mean by so much; None: as they are.
        dtype: of the computation; None: the generator's own.

    Returns:
        'sample': seeds (uint32) to bytes, the images of ``jaxgan sample``, with their watermark; 'generator': latents z [B, Z] to images, floats about
        [-1, 1]; and of a generator with styles 'mapping', z to w [B, layers, W], and 'synthesis', w to images. All but the last
        take labels (int32), too, where there are any.

    Raises:
        InputError: psi is given to a generator without styles.
    """
    architecture = found.card['architecture']
    network = build.build_generator({**architecture, 'dtype': dtype or architecture['dtype']})
    mapping, synthesis = network.mapping, network.synthesis
    center, marking = find_center(found, psi), find_marking(found)

    def marked(images: Any) -> Any:
        if marking is None:
            return images
        return watermark.embed(images.astype('float32'), marking).astype(images.dtype)

    def styles(weights: Any, z: Any, label: Any = None) -> Any:
        assert mapping is not None
        w = mapping(*_trees(weights), z, label)
        return w if center is None else truncate(w, center, psi)

    def plain(weights: Any, w: Any) -> Any:
        assert synthesis is not None
        return synthesis(*_trees(weights), w)

    def unmarked(weights: Any, z: Any, label: Any = None) -> Any:
        if center is None:
            return network.infer(*_trees(weights), z, label)
        return plain(weights, styles(weights, z, label))

    def paint(weights: Any, w: Any) -> Any:
        return marked(plain(weights, w))

    def generate(weights: Any, z: Any, label: Any = None) -> Any:
        return marked(unmarked(weights, z, label))

    def sample(weights: Any, seeds: Any, label: Any = None) -> Any:
        latents = of_keys(found.latents, jax.vmap(jax.random.key)(seeds))
        pixels = to_pixels(unmarked(weights, latents, label))
        return pixels if marking is None else to_pixels(marked(to_floats(pixels)))  # as files of jaxgan are

    z = {'z': ((architecture['latent_dim'],), 'float32')}
    label = {'label': ((), 'int32')} if found.labels else {}
    made = {
        'sample': Program(sample, {'seed': ((), 'uint32'), **label}, 'pixels'),
        'generator': Program(generate, {**z, **label}, 'image'),
    }
    if 'w' in spaces_of(network):
        shape = jax.eval_shape(styles, weights_of(found), *abstract(made['generator'], 1)).shape[1:]
        made['mapping'] = Program(styles, {**z, **label}, 'w')
        made['synthesis'] = Program(paint, {'w': (shape, 'float32')}, 'image')
    return made


def find_center(found: Generator, psi: float | None) -> Any:
    """Find the mean style, towards which psi pulls; None where nothing is pulled.

    Raises:
        InputError: there are no styles.
    """
    if psi is None:
        return None
    if 'w' not in spaces_of(found.network):
        raise InputError(
            f'psi {psi:g}: this generator has no styles, only latents, whose centre is 0: multiply z by {psi:g} where you use it'
        )
    return None if psi == 1 else found.center(found.choose_space('w')).mean


def find_marking(found: Generator) -> watermark.Pattern | None:
    """Find the watermark that programs put into their images; None: they put none."""
    marks, (height, width, _) = found.marks, found.shape
    if marks.unmarked or not carries(found.shape):
        return None
    return pattern_of(found.digest, marks.secret, height, width)


def describe_marking(found: Generator) -> dict[str, Any]:
    """Say of programs, in JSON, how their images are marked, or why they are not."""
    height, width, channels = found.shape
    if found.marks.unmarked:
        return {'unmarked': found.marks.unmarked}
    if not carries(found.shape):
        return {'unmarked': f'images of {height}x{width} with {channels} channels have no room'}
    strength = watermark.default_strength(height, width)
    method = {'method': type(strength).__name__.lower(), **strength._asdict()}
    return {'key': found.marks.key, 'model': found.digest, **method}


def to_floats(pixels: Any) -> Any:
    """Turn bytes into floats in [-1, 1], as ``images.to_float`` does."""
    return pixels.astype('float32') / jnp.float32(127.5) - jnp.float32(1)


def weights_of(found: Generator) -> dict[str, Any]:
    """List a generator's weights by the names that exports give them."""
    return flatten({'params': found.params, 'aux': found.aux})


def abstract(program: Program, batch: Any = 'batch') -> list[Any]:
    """Describe a program's inputs, of a batch of some size, or of any ('batch')."""
    if batch == 'batch':
        (batch,) = symbolic_shape('batch')
    return [jax.ShapeDtypeStruct((batch, *shape), jnp.dtype(kind)) for shape, kind in program.inputs.values()]


def _trees(weights: Any) -> tuple[Any, Any]:
    tree = unflatten(weights)
    return tree.get('params', {}), tree.get('aux', {})
