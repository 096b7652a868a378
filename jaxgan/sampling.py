"""Images from seeds: the same seed is the same image, whatever else is asked for.

A seed is a key, the key a latent (bit for bit the same everywhere), the latent an image: the same bytes on
one kind of device, because one program of one shape computes every image: a chunk, padded where not full.
"""

import collections
import functools
import operator
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.errors import InputError
from jaxgan.latents import normal_quantiles as normal_quantiles
from jaxgan.latents import of_keys
from jaxgan.spaces import nearest, truncate
from jaxgan.types import Keys, Mixture, Network, Sampler

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
    return keys_of(jnp.asarray(check_seeds(seeds)))


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


def format_seeds(seeds: Iterable[int], longest: int = 4_000) -> str:
    """Write seeds as ``parse_seeds`` reads them; lists that are longer than so many characters end in '...'.

    >>> format_seeds([0, 1, 2, 3, 100, 7]), format_seeds(range(0, 100, 2), 12)
    ('0-3,100,7', '0,2,4,6,8,...')
    """
    runs: list[list[int]] = []
    for seed in seeds:
        if runs and seed == runs[-1][1] + 1:
            runs[-1][1] = seed
        else:
            runs.append([seed, seed])
    text = ','.join(str(first) if first == last else f'{first}-{last}' for first, last in runs)
    return text if len(text) <= longest else text[: text.rindex(',', 0, longest - 2)] + ',...'


class Asked(NamedTuple):
    """What is asked of images besides seeds and labels: arrays, arguments of the compiled program; None: not that."""

    scale: Any = None
    """[Z], the temperature: each value of a latent is multiplied by its own; ``latents.temperatures``."""
    psi: Any = None
    """[], of ``spaces.truncate``, in w; with one of the two kinds of centres."""
    cutoff: Any = None
    """[]: only the first so many layers are truncated."""
    centers: Any = None
    """[K, W]: each w is pulled to the nearest of these: the mean, or the centres of clusters."""
    classes: Any = None
    """[classes, W]: each w is pulled to the centre of its class."""


NOTHING = Asked()


def draw_latents(latents: Sampler, keys: Keys, asked: Asked = NOTHING) -> Any:
    """Draw the latent of each key, at a temperature; [B, Z]."""
    z = of_keys(latents, keys)
    return z if asked.scale is None else z * asked.scale[None]


def draw_styles(network: Network, params: Any, aux: Any, z: Any, label: Any, asked: Asked = NOTHING) -> Any:
    """Map latents to w+ [B, layers, W], truncated; a network with styles only."""
    assert network.mapping is not None
    w = network.mapping(params, aux, z, label)
    if asked.psi is None:
        return w
    return truncate(w, _centers(w[:, 0], label, asked)[:, None], asked.psi, asked.cutoff)


def draw_images(network: Network, params: Any, aux: Any, z: Any, label: Any, asked: Asked = NOTHING) -> Any:
    """Make images of latents, floats about [-1, 1]: ``Network.infer``, or through truncated styles."""
    if asked.psi is None:
        return network.infer(params, aux, z, label)
    assert network.synthesis is not None
    return network.synthesis(params, aux, draw_styles(network, params, aux, z, label, asked))


def _centers(w: Any, label: Any, asked: Asked) -> Any:
    if asked.classes is None:
        return asked.centers[nearest(w, asked.centers)]
    if isinstance(label, Mixture):
        centers = asked.classes[label.classes]
        return jnp.einsum('bk,bkw->bw', label.weights, centers, precision='highest')
    return asked.classes[label]


def make_sampler(
    network: Network,
    latents: Sampler,
    params: Any,
    aux: Any,
    *,
    asked: Asked = NOTHING,
    chunk: int = CHUNK,
    devices: Sequence[Any] | None = None,
    classes: int | None = None,
) -> Callable[..., np.ndarray]:
    """Make a function from seeds to images.

    Making one more for other parameters of the same network, or for other values of what is asked, compiles nothing.

    Args:
        network: a generator; ``infer(params, aux, z, label)`` gives floats about [-1, 1].
        latents: the latent of a seed is ``of_keys(latents, seed_keys(seeds))``.
        params: the generator's; the averaged ones for good images.
        aux: what belongs to them.
        asked: temperature and truncation.
        chunk: images computed at once on one device; another size may change a last bit.
        devices: whole chunks go to each in turn; all of this process's by default.
        classes: how many there are, to check labels, for a program takes others for the nearest class; None: not known.

    Returns:
        ``sample(seeds, labels=None) -> uint8 [n, H, W, C]``; labels are integers [n] for a network that takes
        them, or a ``Mixture``. It raises ``InputError`` for seeds out of range and for labels that do not match them.
    """
    if chunk < 1:
        raise InputError(f'chunk {chunk} is not positive')
    render = renderer(network, latents)
    stream = make_stream(lambda weights, part: render(*weights, *part), (params, aux, asked), chunk, devices)

    def sample(seeds: Any, labels: Any = None) -> np.ndarray:
        seeds = check_seeds(seeds)
        parts = split((seeds, check_labels(labels, len(seeds), classes)), chunk)
        return np.concatenate(list(stream(parts)))

    return sample


def split(arrays: Any, chunk: int) -> Iterator[Any]:
    """Cut a tree of arrays [n, ...] into parts of ``chunk`` rows and a rest; of no rows, one part, which tells shapes."""
    n = len(jax.tree.leaves(arrays)[0])
    for start in range(0, max(n, 1), chunk):
        yield jax.tree.map(operator.itemgetter(slice(start, start + chunk)), arrays)


def make_stream(
    program: Callable, weights: Any, chunk: int = CHUNK, devices: Sequence[Any] | None = None
) -> Callable[[Iterable[Any]], Iterator[Any]]:
    """Make a function that runs a program over parts of data, one after another on each device in turn.

    A device is never idle and holds at most two parts; the parts are drawn as they are needed, so they may be endless.

    Args:
        program: ``(weights, part) -> results``, trees of arrays [chunk, ...]; compiled (one program, or some in a row).
        weights: a tree of arrays, put on each device once.
        chunk: rows of a full part; others are padded with zeros, and the results cut.
        devices: all of this process's by default.

    Returns:
        ``stream(parts) -> iterator``: of each part its results, NumPy arrays, in order.
    """
    places = list(jax.local_devices() if devices is None else devices)

    @functools.cache
    def put(place: int) -> Any:
        return jax.device_put(weights, places[place])

    def stream(parts: Iterable[Any]) -> Iterator[Any]:
        running: collections.deque[tuple[int, Any]] = collections.deque()
        for i, part in enumerate(parts):
            place = i % len(places)
            padded = jax.tree.map(lambda values: _padded(values, chunk), part)
            rows = len(jax.tree.leaves(part)[0])
            running.append((rows, program(put(place), jax.device_put(padded, places[place]))))
            if len(running) > 2 * len(places):
                yield _fetched(*running.popleft())
        while running:
            yield _fetched(*running.popleft())

    return stream


def _fetched(rows: int, results: Any) -> Any:
    return jax.tree.map(lambda values: np.asarray(values)[:rows], results)


def to_pixels(images: Any) -> Any:
    """Convert floats to bytes on the device: ``clip(round((x + 1) * 127.5), 0, 255)``, NaN to 0."""
    values = jnp.clip(jnp.round((images.astype(jnp.float32) + 1) * 127.5), 0, 255)
    return jnp.where(jnp.isnan(values), 0, values).astype(jnp.uint8)


@functools.lru_cache(maxsize=8)
def renderer(network: Network, latents: Sampler) -> Callable:
    """Compile ``(params, aux, asked, seeds, labels) -> bytes`` once a network, for any parameters of it."""

    @jax.jit
    def render(params: Any, aux: Any, asked: Asked, seeds: Any, labels: Any) -> Any:
        z = draw_latents(latents, keys_of(seeds), asked)
        return to_pixels(draw_images(network, params, aux, z, labels, asked))

    return render


def keys_of(seeds: Any) -> Keys:
    """Make a key of each seed, uint32 [B], inside a compiled program."""
    return jax.vmap(jax.random.key)(seeds)


def _padded(values: np.ndarray, chunk: int) -> np.ndarray:
    missing = chunk - len(values)
    return (
        np.concatenate([values, np.zeros((missing, *values.shape[1:]), values.dtype)]) if missing else values
    )


def check_labels(labels: Any, n: int, classes: int | None = None) -> Any:
    """Return labels as int32 [n], or a mixture with n rows; of so many classes, where that is known.

    Raises:
        InputError: they are not one integer a seed, or there is no such class.
    """
    if labels is None:
        return None
    if isinstance(labels, Mixture):
        numbers, weights = np.asarray(labels.classes), np.asarray(labels.weights, np.float32)
        if numbers.ndim != 2 or numbers.shape != weights.shape or len(numbers) != n:
            raise InputError(
                f'a mixture needs classes and weights [{n}, k], one row a seed; got {numbers.shape}'
            )
        _check_range(numbers, classes)
        return Mixture(numbers.astype(np.int32), weights)
    labels = np.asarray(labels)
    if labels.shape != (n,) or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f'labels must be {n} integers, one a seed; got {labels.dtype} {list(labels.shape)}')
    _check_range(labels, classes)
    return labels.astype(np.int32)


def _check_range(labels: np.ndarray, classes: int | None) -> None:
    wrong = labels[(labels < 0) | (labels >= classes)] if classes is not None else labels[:0]
    if wrong.size:
        raise InputError(f'label {wrong.flat[0]} is out of range: this generator has {classes} classes')
