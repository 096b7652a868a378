"""Images from seeds: the same seed is the same image, whatever else is asked for.

A seed is a key, the key a latent (bit for bit the same everywhere), the latent an image: the same bytes on
one kind of device, because one program of one shape computes every image: a chunk, padded where not full.
"""

import collections
import functools
import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.errors import InputError
from jaxgan.latents import normal_quantiles as normal_quantiles
from jaxgan.latents import of_keys
from jaxgan.types import Keys, Network, Sampler

MAX_SEED = 2**32 - 1
MAX_SEEDS = 1_000_000  # in one request: beyond that it is rather a mistyped range
CHUNK = 32  # on a CPU larger ones are not faster, and a single image costs a whole chunk


def seed_keys(seeds: Any) -> Keys:
    """Make a key of each seed: ``jax.random.key(seed)``.

    Args:
        seeds: integers in [0, 2^32 - 1], [n].

    Raises:
        InputError: a seed is out of range or no integer.
    """
    return _keys(jnp.asarray(check_seeds(seeds)))


def check_seeds(seeds: Any) -> np.ndarray:
    """Return seeds as uint32 [n].

    Raises:
        InputError: a seed is out of range or no integer.
    """
    for seed in np.asarray(seeds).ravel().tolist() if isinstance(seeds, np.ndarray | jax.Array) else seeds:
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed <= MAX_SEED:
            raise InputError(f'seed {seed!r} is not an integer from 0 to {MAX_SEED}')
    return np.asarray(seeds, np.uint32).reshape(-1)


def seed_latents(latents: Sampler, seeds: Any) -> Any:
    """Draw the latent of each seed, [n, ...]: the same whatever other seeds there are.

    Raises:
        InputError: a seed is out of range or no integer.
    """
    return of_keys(latents, seed_keys(seeds))


def parse_seeds(text: str) -> list[int]:
    """Read a list of seeds and inclusive ranges; order and repetitions are kept.

    >>> parse_seeds('0-3,100,7')
    [0, 1, 2, 3, 100, 7]

    Raises:
        InputError: the text is no such list, a range runs backwards, or there are more than a million seeds.
    """
    seeds: list[int] = []
    for part in text.split(','):
        match = re.fullmatch(r'([0-9]{1,10})(?:-([0-9]{1,10}))?', part.strip())
        if not match:
            raise InputError(f"cannot read seeds at {part!r}; wanted numbers and ranges like '0-63,100'")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first or last > MAX_SEED:
            raise InputError(f'seeds {part.strip()!r} must ascend and lie in 0 to {MAX_SEED}')
        if len(seeds) + last - first >= MAX_SEEDS:
            raise InputError(f'more than {MAX_SEEDS:,} seeds at {part.strip()!r}; ask for fewer at a time')
        seeds.extend(range(first, last + 1))
    return seeds


def make_sampler(
    network: Network,
    latents: Sampler,
    params: Any,
    aux: Any,
    *,
    chunk: int = CHUNK,
    devices: Sequence[Any] | None = None,
) -> Callable[..., np.ndarray]:
    """Make a function from seeds to images.

    Making one more for other parameters of the same network compiles nothing.

    Args:
        network: a generator; ``infer(params, aux, z, label)`` gives floats about [-1, 1].
        latents: the latent of a seed is ``of_keys(latents, seed_keys(seeds))``.
        params: the generator's; the averaged ones for good images.
        aux: what belongs to them.
        chunk: images computed at once on one device; another size may change a last bit.
        devices: whole chunks go to each in turn; all of this process's by default.

    Returns:
        ``sample(seeds, labels=None) -> uint8 [n, H, W, C]``; labels are integers [n] for a network that takes
        them. It raises ``InputError`` for seeds out of range and for labels that do not match them.
    """
    if chunk < 1:
        raise InputError(f'chunk {chunk} is not positive')
    render = _renderer(network, latents)
    places = list(jax.local_devices() if devices is None else devices)

    @functools.cache
    def weights(place: int) -> Any:
        return jax.device_put((params, aux), places[place])

    def start(i: int, seeds: np.ndarray, labels: np.ndarray | None) -> Any:
        place = i % len(places)
        part = jax.tree.map(
            lambda values: _padded(values[i * chunk : (i + 1) * chunk], chunk), (seeds, labels)
        )
        return render(*weights(place), *jax.device_put(part, places[place]))

    def sample(seeds: Any, labels: Any = None) -> np.ndarray:
        seeds, labels = check_seeds(seeds), _check_labels(labels, len(seeds))
        parts = -(-len(seeds) // chunk)
        done: list[np.ndarray] = []
        running: collections.deque[Any] = collections.deque()
        for i in range(max(parts, 1)):  # no seeds: one chunk of padding tells the shape
            running.append(start(i, seeds, labels))
            if len(running) > 2 * len(places):  # a device is never idle, and holds two chunks at most
                done.append(np.asarray(running.popleft()))
        done.extend(np.asarray(images) for images in running)
        return np.concatenate(done)[: len(seeds)]

    return sample


def to_pixels(images: Any) -> Any:
    """Convert floats to bytes on the device: ``clip(round((x + 1) * 127.5), 0, 255)``, NaN to 0."""
    values = jnp.clip(jnp.round((images.astype(jnp.float32) + 1) * 127.5), 0, 255)
    return jnp.where(jnp.isnan(values), 0, values).astype(jnp.uint8)


@functools.lru_cache(maxsize=8)
def _renderer(network: Network, latents: Sampler) -> Callable:
    """Compile ``(params, aux, seeds, labels) -> bytes`` once a network, for any parameters of it."""

    @jax.jit
    def render(params: Any, aux: Any, seeds: Any, labels: Any) -> Any:
        return to_pixels(network.infer(params, aux, of_keys(latents, _keys(seeds)), labels))

    return render


def _keys(seeds: Any) -> Keys:
    return jax.vmap(jax.random.key)(seeds)


def _padded(values: np.ndarray, chunk: int) -> np.ndarray:
    return np.concatenate([values, np.zeros(chunk - len(values), values.dtype)])


def _check_labels(labels: Any, n: int) -> np.ndarray | None:
    if labels is None:
        return None
    labels = np.asarray(labels)
    if labels.shape != (n,) or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f'labels must be {n} integers, one a seed; got {labels.dtype} {list(labels.shape)}')
    return labels.astype(np.int32)
