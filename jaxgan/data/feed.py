"""Feeds bring batches to the step: from images that live on the device, or from a stream that is read ahead.

Both give the same batches, bit by bit: sample ``s`` of step ``n`` is image ``shuffled_index(seed, n *
batch_size + s)``, and never one that is excluded.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, SupportsIndex

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, Sharding

from jaxgan.data.config import DataConfig
from jaxgan.data.order import NONE_EXCLUDED, shuffled_index
from jaxgan.data.source import DataInfo, ImageSource, read_all, read_many
from jaxgan.parallel.placing import join_rows, own_rows, spread
from jaxgan.parallel.sharding import replicated, split
from jaxgan.types import Batch, Key

RESIDENT_BYTES = 2**30  # 'auto' keeps so much on the device
_ENDLESS = 2**31  # samples that a stream offers: as many as a run may ask for
_AHEAD_BYTES = 2**28  # batches read ahead take at most about so much memory


class Feed(NamedTuple):
    """How a loop gets its batches: ``take`` on the host before a dispatch, ``batch`` inside it."""

    abstract: Callable[[int], Any]
    """``abstract(k)``: shapes, dtypes and placement of what ``take(step, k)`` gives; reads nothing."""
    load: Callable[[], None]
    """Read what stays on the device, now and not at the first ``take``."""
    take: Callable[[int, int], Any]
    """``take(step, k) -> data``: what ``k`` steps from ``step`` on need, on the device."""
    batch: Callable[[Any, Any, Any], Batch]
    """``batch(data, step, i) -> batch``: pure, traced; the batch of step ``step``, the i-th of its dispatch.

    'image': [B, H, W, C], uint8 or float32, and, if there are classes, 'label': int32 [B]."""
    close: Callable[[], None]
    """Stop reading ahead, and let go of the images."""


def open_feed(
    source: ImageSource,
    config: DataConfig,
    *,
    batch_size: int,
    seed: int,
    mesh: Mesh | None = None,
    divided: bool = True,
    excluded: np.ndarray = NONE_EXCLUDED,
) -> Feed:
    """Open the feed that suits a source: on the device if it is small (or asked for), else a stream.

    Args:
        source: the images.
        config: its ``residence`` decides.
        batch_size: samples a step.
        seed: decides the order of the images.
        mesh: where the data go: whole onto every device, or the batches of a stream split over ``data``.
        divided: split the batches of a stream; otherwise they go whole onto every device, too.
        excluded: images that may not come, as ``shuffled_index`` takes them.
    """
    size = source.info.count * _sample_bytes(source.info)
    if config.residence == 'device' or (config.residence == 'auto' and size <= RESIDENT_BYTES):
        place = replicated(mesh) if mesh else None
        return _resident(
            shapes(source, len(source)),
            lambda: read_all(source),
            batch_size=batch_size,
            seed=seed,
            place=place,
            excluded=excluded,
        )
    place = (split(mesh, axis=1) if divided else replicated(mesh)) if mesh else None
    return stream_feed(source, batch_size=batch_size, seed=seed, sharding=place, excluded=excluded)


def device_feed(
    arrays: Mapping[str, Any], *, batch_size: int, seed: int, sharding: Sharding | None = None
) -> Feed:
    """Put all samples on the device, once; a step picks its own.

    Args:
        arrays: 'image': [N, H, W, C], uint8 or float32, and perhaps 'label': int32 [N].
        batch_size: samples a step.
        seed: decides the order.
        sharding: where the arrays go, such as a whole copy on every device.
    """
    forms = {name: jax.ShapeDtypeStruct(value.shape, value.dtype) for name, value in arrays.items()}
    return _resident(forms, lambda: arrays, batch_size=batch_size, seed=seed, place=sharding)


def _resident(
    forms: Mapping[str, Any],
    read: Callable[[], Mapping[str, Any]],
    *,
    batch_size: int,
    seed: int,
    place: Sharding | None,
    excluded: np.ndarray = NONE_EXCLUDED,
) -> Feed:
    """Feed from arrays of known shapes that are read when they are first asked for."""
    count = forms['image'].shape[0]
    held: dict[str, Any] = {}

    def take(step: int, k: int) -> Any:
        del step, k  # all of them, always
        if not held:
            held.update(spread(dict(read()), place))
        return dict(held)

    def batch(data: Any, step: Any, i: Any) -> Batch:
        del i  # the step alone decides
        first = jnp.asarray(step).astype(jnp.uint32) * np.uint32(batch_size)
        images = shuffled_index(seed, first + jnp.arange(batch_size, dtype=jnp.uint32), count, excluded)
        return {key: value.at[images].get(mode='promise_in_bounds') for key, value in data.items()}

    return Feed(
        abstract=lambda k: placed(forms, place),
        load=lambda: take(0, 0),
        take=take,
        batch=batch,
        close=held.clear,
    )


def shapes(source: ImageSource, *leading: int) -> dict[str, jax.ShapeDtypeStruct]:
    """Describe arrays of samples with some leading axes."""
    info = source.info
    shape = (*leading, info.size, info.size, info.channels)
    images = {'image': jax.ShapeDtypeStruct(shape, jnp.dtype(info.dtype))}
    return images | ({'label': jax.ShapeDtypeStruct(leading, jnp.int32)} if info.classes else {})


def _sample_bytes(info: DataInfo) -> int:
    return info.size**2 * info.channels * np.dtype(info.dtype).itemsize


def placed(forms: Mapping[str, Any], place: Sharding | None) -> dict[str, jax.ShapeDtypeStruct]:
    """Say where arrays go."""
    return {
        name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place) for name, leaf in forms.items()
    }


def stream_feed(
    source: ImageSource,
    *,
    batch_size: int,
    seed: int,
    threads: int = 8,
    sharding: Sharding | None = None,
    excluded: np.ndarray = NONE_EXCLUDED,
) -> Feed:
    """Read batches from a source ahead of their use, in threads; of several processes each reads its own rows.

    Args:
        source: the images.
        batch_size: samples a step.
        seed: decides the order.
        threads: how many batches are read at the same time.
        sharding: where the batches of a dispatch, [k, B, ...], go.
        excluded: images that may not come.

    ``take`` raises InputError, naming the image, if one cannot be read.
    """
    rows = own_rows(sharding, batch_size)
    stream = _Stream(_Batches(source, batch_size, seed, rows, excluded), threads)

    def take(step: int, k: int) -> Any:
        stream.seek(step)
        batches = [stream.read() for _ in range(k)]
        stacked = {key: np.stack([batch[key] for batch in batches]) for key in batches[0]}
        return {key: join_rows(value, sharding, batch_size) for key, value in stacked.items()}

    def batch(data: Any, step: Any, i: Any) -> Batch:
        del step  # `take` has chosen
        return jax.tree.map(lambda leaf: jax.lax.dynamic_index_in_dim(leaf, i, keepdims=False), data)

    return Feed(
        abstract=lambda k: placed(shapes(source, k, batch_size), sharding),
        load=lambda: None,
        take=take,
        batch=batch,
        close=stream.close,
    )


def prepare(key: Key, batch: Batch, *, flip: bool) -> Batch:
    """Turn pixels into what networks see: ``(x - 127.5) / 127.5``, float32 in [-1, 1]; floats are so already.

    Args:
        key: decides which images are mirrored.
        batch: 'image': [B, H, W, C], uint8 or float32; other entries stay as they are.
        flip: mirror each image left to right with chance 1/2. Every sample has a key of its own, so that its
            neighbours do not matter.
    """
    images = batch['image']
    if flip:
        keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(len(images)))
        mirrored = jax.vmap(jax.random.bernoulli)(keys)
        images = jnp.where(mirrored[:, None, None, None], images[:, :, ::-1], images)
    if images.dtype != jnp.uint8:
        return {**batch, 'image': images}
    # Not x / 127.5 - 1: the compiler makes x * (1 / 127.5) - 1 of it, which takes 255 to 1.0000001.
    return {**batch, 'image': (images.astype(jnp.float32) - 127.5) / 127.5}


class _Batches:
    """The batches of a run, or some rows of each, by the number of their step: random access, as Grain wants it."""

    def __init__(
        self,
        source: ImageSource,
        batch_size: int,
        seed: int,
        rows: Sequence[tuple[int, int]] | None = None,
        excluded: np.ndarray = NONE_EXCLUDED,
    ):
        self._source, self._batch_size, self._seed, self._excluded = source, batch_size, seed, excluded
        ranges = [(0, batch_size)] if rows is None else rows
        self._rows = np.concatenate([np.arange(first, last) for first, last in ranges])

    def __len__(self) -> int:
        return _ENDLESS // self._batch_size

    def __getitem__(self, index: SupportsIndex) -> dict[str, np.ndarray]:
        places = operator.index(index) * self._batch_size + self._rows
        images = shuffled_index(self._seed, places, len(self._source), self._excluded)
        samples = read_many(self._source, images.tolist())
        return {key: np.stack([sample[key] for sample in samples]) for key in samples[0]}

    @property
    def bytes(self) -> int:
        """How much memory a batch takes."""
        return len(self._rows) * _sample_bytes(self._source.info)


class _Stream:
    """A position in the stream of batches, and threads that read ahead of it."""

    def __init__(self, batches: _Batches, threads: int):
        import grain

        ahead = min(max(_AHEAD_BYTES // batches.bytes, 2), 16)
        self._options = grain.ReadOptions(num_threads=min(threads, ahead), prefetch_buffer_size=ahead)
        self._batches = grain.MapDataset.source(batches)
        self._reader: Any = None
        self._next = -1

    def seek(self, step: int) -> None:
        """Go to a step; if it is the one that comes next, nothing happens."""
        if step != self._next or self._reader is None:
            self.close()
            self._reader = iter(self._batches[step:].to_iter_dataset(self._options))
            self._next = step

    def read(self) -> dict[str, np.ndarray]:
        """Read the next batch."""
        try:
            batch = next(self._reader)
        except BaseException:
            self.close()  # its threads have read on from a place that nobody asked for
            raise
        self._next += 1
        return batch

    def close(self) -> None:
        """Stop the threads."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
