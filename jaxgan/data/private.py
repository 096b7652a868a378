"""The feed of a private training: each update of D has a Poisson sample of the images, which only the holder of a secret can compute.

Who is in an update is a pure function of the secret and the update's number, so a run that resumes goes on exactly. Shuffled epochs would not do:
the accountant's sum over independent updates holds for Poisson samples, and shuffling can spend more (Chua et al. 2024, arXiv 2403.17673).
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxgan.data.feed import RESIDENT_BYTES, Feed, placed, prepare, shapes
from jaxgan.data.fingerprint import fingerprint_arrays
from jaxgan.data.order import NONE_EXCLUDED
from jaxgan.data.source import ImageSource, read_all
from jaxgan.errors import InputError
from jaxgan.parallel.placing import spread
from jaxgan.parallel.sharding import replicated
from jaxgan.privacy.keys import PURPOSES, run_key, update_keys
from jaxgan.privacy.phase import PRIVATE
from jaxgan.privacy.plan import Plan
from jaxgan.types import Batch

KEYS = 'keys'


def private_feed(
    source: ImageSource,
    plan: Plan,
    secret: bytes,
    of: str,
    *,
    updates: int = 1,
    flip: bool = False,
    mesh: Mesh | None = None,
    excluded: np.ndarray = NONE_EXCLUDED,
    large: bool = False,
) -> Feed:
    """Put all images on the device; a step takes Poisson samples of them.

    A batch has 'image' without content, as many as are expected, and ``PRIVATE``: what ``privacy.phase`` asks for. Keys are computed on the host and are
    data of a dispatch: neither a compiled program, which may be kept on the disk, nor the state of a training has them.

    Args:
        source: the images; labels are not looked at.
        plan: chances and sizes.
        secret: from which all randomness of the samples comes.
        of: the training, in words; with the images' digest it becomes a part of the key.
        updates: of D in a step, each with a sample of its own.
        flip: mirror half of the images.
        mesh: devices; all have all images.
        excluded: images that are in no sample.
        large: allow any size.

    Raises:
        InputError: there are several processes, or the images are too large to stay on a device.
    """
    info = source.info
    shape = (len(source), info.size, info.size, info.channels)
    if jax.process_count() > 1:
        raise InputError(f'dp trains with one process, not {jax.process_count()}')
    if np.prod(shape) * np.dtype(info.dtype).itemsize > RESIDENT_BYTES and not large:
        raise InputError(
            f'dp needs all images on the device, and {info.name} takes more than {RESIDENT_BYTES >> 30} GiB: '
            'allow it by --data.residence device'
        )
    place = replicated(mesh) if mesh else None

    @functools.cache
    def held() -> tuple[Any, bytes]:
        arrays = read_all(source)
        return spread(arrays, place), run_key(secret, f'{of}\n{fingerprint_arrays(arrays)}')

    def load() -> None:
        held()

    def take(step: int, k: int) -> Any:
        data, key = held()
        numbers = range(step * updates, (step + k) * updates)
        keys = np.stack([update_keys(key, number) for number in numbers])
        return data | {KEYS: spread(keys.reshape(k, updates, PURPOSES, 2), place)}

    def abstract(k: int) -> Any:
        keys = jax.ShapeDtypeStruct((k, updates, PURPOSES, 2), jnp.uint32, sharding=place)
        return placed(shapes(source, len(source)), place) | {KEYS: keys}

    barred = np.zeros(len(source), bool)
    barred[excluded] = True

    def batch(data: Any, step: Any, i: Any) -> Batch:
        del step  # `take` has chosen
        keys = jax.lax.dynamic_index_in_dim(data[KEYS], i, keepdims=False)
        parts = [_sample(data['image'], keys[update], plan, barred, flip) for update in range(updates)]
        # row r of part j is row r * updates + j, as `phases.split_batch` deals them out again
        joined = jax.tree.map(lambda *rows: jnp.stack(rows, 1).reshape(-1, *rows[0].shape[1:]), *parts)
        nothing = jnp.zeros((plan.expected * updates, *shape[1:]), info.dtype)
        return {'image': nothing, PRIVATE: joined}

    return Feed(abstract=abstract, load=load, take=take, batch=batch, close=held.cache_clear)


def poisson_sample(key_data: Any, plan: Plan, barred: Any) -> tuple[Any, Any]:
    """Choose the images of an update: each with chance ``plan.chance``, whatever happens to the others.

    Args:
        key_data: uint32 [2], of a secret key.
        plan: chance and capacity.
        barred: bool [N]: images that are never chosen.

    Returns:
        Their numbers in ascending order, uint32 [capacity], and how many there are; behind these stand zeros. Those of a sample that is
        larger than its capacity are the first.
    """
    bits = jax.random.bits(jax.random.wrap_key_data(key_data), (len(barred),), jnp.uint32)
    chosen = (bits <= np.uint32(plan.threshold - 1)) & ~barred
    index = jnp.nonzero(chosen, size=plan.capacity, fill_value=0)[0]
    return index.astype(jnp.uint32), jnp.minimum(jnp.sum(chosen), plan.capacity)


def _sample(images: Any, keys: Any, plan: Plan, barred: Any, flip: bool) -> dict[str, Any]:
    """Make what the private phase is given for an update."""
    index, count = poisson_sample(keys[0], plan, barred)
    present = jnp.arange(plan.capacity) < count
    shown = images.at[index].get(mode='promise_in_bounds')
    if flip:  # by the image's number: by its place, others would be mirrored if one were not there
        drawn = jax.random.fold_in(jax.random.wrap_key_data(keys[1]), np.uint32(2**32 - 1))
        mirrored = jax.vmap(lambda i: jax.random.bernoulli(jax.random.fold_in(drawn, i)))(index)
        shown = jnp.where(mirrored[:, None, None, None], shown[:, :, ::-1], shown)
    ready = prepare(jax.random.wrap_key_data(keys[1]), {'image': shown}, flip=False)
    return {**ready, 'present': present, 'index': index, KEYS: keys[1:][None]}
