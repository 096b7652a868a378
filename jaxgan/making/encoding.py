"""``jaxgan encoder``: an encoder of a generator, and its folder.

FOLDER/encoder.safetensors    'params/...'
FOLDER/encoder.json           the generator's digest, the space, the width, and a SHA-256 of the tensors
"""

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan import kernels
from jaxgan.checkpoints.manifest import check_fit
from jaxgan.errors import InputError
from jaxgan.export import flatten, unflatten
from jaxgan.images import to_float
from jaxgan.inversion.encoder import NAME, alone, encode, encoder_phase, init_encoder, make_encoder
from jaxgan.making.painting import in_chunks
from jaxgan.making.records import load_record, save_record
from jaxgan.opened import Generator, open_generator
from jaxgan.phases import as_step, scan_steps, sequence
from jaxgan.runtime import keep_programs
from jaxgan.sampling import MAX_SEED
from jaxgan.state import Player
from jaxgan.types import Network

RECORD, TENSORS = FILES = 'encoder.json', 'encoder.safetensors'
MOST_WIDTH, MOST_BATCH = 4096, 65_536
AT_ONCE = 100  # steps of one dispatch


def encoder_command(
    source: str,
    out: str | None,
    steps: int,
    batch: int,
    width: int,
    rate: float,
    image_weight: float,
    seed: int,
    space: str | None,
    step: int | None,
    best: bool,
) -> int:
    """Train an encoder and write it."""
    most = {'steps': (steps, 2**31 - 1), 'batch': (batch, MOST_BATCH), 'width': (width, MOST_WIDTH)}
    for name, (value, highest) in most.items():
        if not 1 <= value <= highest:
            raise InputError(f'{name} {value} must be in 1..{highest}')
    if not 0 <= seed <= MAX_SEED:
        raise InputError(f'seed {seed} must be in 0..{MAX_SEED}')
    if not (0 < rate < math.inf and 0 <= image_weight < math.inf):
        raise InputError(f'rate {rate} must be positive, and image-weight {image_weight} at least 0')
    folder = Path(out) if out is not None else Path(source) / NAME
    if folder.exists() and not folder.is_dir():
        raise InputError(f'cannot write {folder}: it is a file')
    keep_programs()
    generator = open_generator(Path(source), step, best)
    kernels.enable()
    tx = optax.adam(optax.cosine_decay_schedule(rate, steps))
    player = train_encoder(generator, space, tx, steps, batch, width, image_weight, seed, print)
    save_encoder(folder, generator, generator.choose_space(space).name, width, player)
    print(f'wrote {folder}')
    return 0


def train_encoder(
    generator: Generator,
    space: str | None,
    tx: Any,
    steps: int,
    batch: int,
    width: int,
    image_weight: float,
    seed: int,
    say: Callable[[str], None],
) -> Player:
    """Train an encoder on a generator's own samples; with classes, of each as often."""
    chosen, classes = generator.choose_space(space), len(generator.labels)
    spread = generator.center(chosen)
    network = make_encoder(spread.mean.shape, classes, width)
    phase = encoder_phase(chosen, network, generator.latents, spread, tx, image_weight)
    shown = np.zeros((batch, *generator.shape), np.float32)  # real images do not count

    def batch_of(data: Any, state: Any, i: Any) -> dict[str, Any]:
        if not classes:
            return {'image': data}
        label = jax.random.randint(jax.random.fold_in(state.key, state.step), (batch,), 0, classes)
        return {'image': data, 'label': label}

    labels = np.zeros(batch, np.int32) if classes else None
    key = jax.random.key(seed)
    player = init_encoder(key, network, tx, jnp.asarray(shown), labels)
    state = alone(key, generator.params, generator.aux, player)
    dispatch = jax.jit(scan_steps(as_step(sequence(encoder=phase)), batch_of, AT_ONCE), donate_argnums=())
    for done in range(0, steps, AT_ONCE):
        count = min(AT_ONCE, steps - done)
        state, metrics = dispatch(state, shown, jnp.int32(count))
        if (done // AT_ONCE) % 10 == 9 or done + count == steps:
            told = ', '.join(f'{name} {float(metrics[f"encoder/{name}"]):.4f}' for name in ('code', 'image'))
            say(f'step {done + count}/{steps}: {told}')
    return state.extra[NAME]


def save_encoder(folder: Path, generator: Generator, space: str, width: int, player: Player) -> None:
    """Write an encoder."""
    record = {'model': generator.digest, 'space': space, 'width': width}
    save_record(folder, FILES, record, flatten({'params': jax.tree.map(np.asarray, player.params)}))


def load_encoder(folder: Path, generator: Generator, space: str) -> Callable[..., np.ndarray]:
    """Read an encoder of a generator: ``(pixels uint8 [n, H, W, C], labels [n] or None) -> codes [n, ...]``.

    Raises:
        InputError: it belongs to another generator or space.
        DamagedError: it is not what was written.
    """
    found, params = load_record(folder, FILES, 'encoder', _encoder, generator.digest)
    if found['space'] != space:
        raise InputError(f'{folder} is an encoder to {found["space"]}, and this searches in {space}')
    spread = generator.center(generator.choose_space(space))
    network = make_encoder(spread.mean.shape, len(generator.labels), found['width'])
    _check(network, params, generator, str(folder))
    player, spread = jax.device_put((Player(params, {}, ()), spread))
    run = _runner(network)

    def codes(pixels: np.ndarray, labels: np.ndarray | None = None) -> np.ndarray:
        if (labels is None) == bool(generator.labels):
            raise InputError(f'this encoder takes {"labels" if generator.labels else "no labels"}')
        return in_chunks(lambda rows: run(player, spread, *rows), (to_float(pixels), labels), len(pixels))

    return codes


def _encoder(record: dict[str, Any], tensors: dict[str, np.ndarray]) -> tuple[dict[str, Any], Any]:
    width = record['width']
    if type(width) is not int or not 1 <= width <= MOST_WIDTH:
        raise ValueError(f'width {width!r} must be in 1..{MOST_WIDTH}')
    if not all(np.isfinite(value).all() for value in tensors.values()):
        raise ValueError('the weights are not all finite')
    return record, unflatten(tensors)['params']


def _check(network: Network, params: Any, generator: Generator, name: str) -> None:
    """Check that weights are those of an encoder: names, shapes, dtypes."""
    images = jax.ShapeDtypeStruct((2, *generator.shape), np.float32)
    labels = jax.ShapeDtypeStruct((2,), np.int32) if generator.labels else None
    wanted = jax.eval_shape(network.init, jax.random.key(0), images, labels)[0]
    leaves = flatten({'params': params})
    entries = {leaf: [value.dtype.name, list(value.shape), ''] for leaf, value in leaves.items()}
    check_fit(entries, {'params': wanted}, name)


@functools.lru_cache(maxsize=2)
def _runner(network: Network) -> Callable:
    return jax.jit(lambda player, spread, images, labels: encode(network, player, images, labels, spread))
