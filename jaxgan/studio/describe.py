"""What the page must know of a generator besides its graphs: ``model.json``, and the table of which latents are made."""

from typing import Any

import jax
import numpy as np

from jaxgan.errors import InputError
from jaxgan.making.directions import for_studio
from jaxgan.making.judging import companions, to_floats
from jaxgan.making.programs import describe_marking
from jaxgan.opened import Generator
from jaxgan.rejection import make_score
from jaxgan.sampling import normal_quantiles
from jaxgan.spaces import count_layers, spaces_of
from jaxgan.version import __version__

FORMAT = 1
DIRECTIONS = 12
SMALLEST = 4  # pixels of a side


def check_pictures(generator: Generator) -> None:
    """Check that a generator makes pictures.

    Raises:
        InputError: it makes points of the plane, or what no screen shows.
    """
    height, width, channels = generator.shape
    if min(height, width) < SMALLEST or channels > 3:
        raise InputError(
            f'a studio shows pictures, and this generator makes {height}x{width} with {channels} channels'
        )


def describe(generator: Generator, count: int) -> dict[str, Any]:
    """Describe a generator for the page.

    Args:
        generator: of pictures.
        count: how many images its wall shows at a time.

    Returns:
        As JSON. Its space is z, or where there are styles w+, whose centre, deviation and directions are those of w.
    """
    card, architecture = generator.card, generator.card['architecture']
    data, space = card['data'], _space(generator)
    most = min(DIRECTIONS, space['size'] // space['layers'])
    return {
        'studio': FORMAT,
        'version': __version__,
        'model': generator.digest,
        'watermark': describe_marking(generator),
        'data': {'name': generator.data, 'licence': data.get('licence')},
        'kind': architecture['kind'],
        'images_seen': card['trained']['images_seen'],
        'shape': list(generator.shape),
        'labels': generator.labels,
        'latents': {'dim': architecture['latent_dim'], 'signs': architecture.get('signs', 0)},
        'space': space,
        'directions': for_studio(generator, count=most)['directions'],
        'count': count,
        'first': choose_first(generator, count),
    }


def choose_first(generator: Generator, count: int) -> int:
    """Choose the seed of the image that the page begins with, among its first wall's.

    Returns:
        The one whose image the discriminator finds most real; 0 for an export, which has no discriminator.
    """
    judge = generator.discriminator()
    if judge is None:
        return 0
    network, params, aux = judge
    n, beside = companions(generator)
    labels = np.arange(count, dtype=np.int32) % len(generator.labels) if generator.labels else None
    draw = generator.sampler()
    images = to_floats(draw(range(count), labels))
    score = jax.jit(make_score(network, lambda logits: logits, n))
    return int(np.argmax(score(params, aux, beside, images, labels)))


def _space(generator: Generator) -> dict[str, Any]:
    architecture = generator.card['architecture']
    signs = architecture.get('signs', 0)
    if 'w' not in spaces_of(generator.network):
        return {'name': 'z', 'size': architecture['latent_dim'], 'signs': signs, 'layers': 1}
    found = generator.center(generator.choose_space('w'))
    layers = count_layers(
        generator.network, generator.latents, generator.params, generator.aux, bool(generator.labels)
    )
    return {
        'name': 'w+',
        'size': layers * len(found.mean),
        'signs': 0,
        'layers': layers,
        'center': [float(value) for value in found.mean],
        'deviation': [float(value) for value in found.deviation],
    }


def quantiles() -> bytes:
    """Write the upper half of the table of normal quantiles, float32, little-endian: the lower is its mirror image."""
    table = normal_quantiles()
    return table[len(table) // 2 :].astype(np.dtype('<f4')).tobytes()
