"""Values on their way between hosts and devices, where the devices are those of several processes."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec, SingleDeviceSharding

PIECE = 2**26  # 32-bit words that are handed to other processes at once


def spread(tree: Any, sharding: Any) -> Any:
    """Put values that every process has on the devices; of several processes each fills its own devices."""
    if sharding is None or sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)
    return jax.tree.map(
        lambda value: jax.make_array_from_callback(
            np.shape(value), sharding, lambda index: np.asarray(value)[index]
        ),
        tree,
    )


def own_rows(sharding: Any, count: int) -> list[tuple[int, int]] | None:
    """List the ranges of a split axis of ``count`` that lie on this process's devices, in order; None: all of it does."""
    axis = _split_axis(sharding)
    if axis is None:
        return None
    shape = (count,) * (axis + 1)
    found = {
        index[axis].indices(count)[:2] for index in sharding.addressable_devices_indices_map(shape).values()
    }
    return sorted(found)


def join_rows(rows: Any, sharding: Any, count: int) -> jax.Array:
    """Make one array of the rows that each process has read: those of ``own_rows``, in their order."""
    axis, ranges = _split_axis(sharding), own_rows(sharding, count)
    if axis is None or ranges is None:
        return spread(rows, sharding)
    ends = np.cumsum([last - first for first, last in ranges])
    starts = {first: end - (last - first) for (first, last), end in zip(ranges, ends, strict=True)}

    def part(index: Any) -> Any:
        first, last, _ = index[axis].indices(count)
        return rows[(*[slice(None)] * axis, slice(starts[first], starts[first] + last - first))]

    shape = (*rows.shape[:axis], count, *rows.shape[axis + 1 :])
    return jax.make_array_from_callback(shape, sharding, part)


def _split_axis(sharding: Any) -> int | None:
    """Find the axis that is split over several processes; None: this process has all of it."""
    if sharding is None or sharding.is_fully_addressable:
        return None
    return next((axis for axis, name in enumerate(sharding.spec) if name), None)


def local(tree: Any) -> Any:
    """Return a tree whose leaves this process holds whole; what is split over several processes is gathered.

    Then every process must call it: gathering is communication.
    """
    return jax.tree.map(_local, tree)


def gather(tree: Any, keep: bool) -> Any:
    """Fetch a tree to the host, leaf by leaf, so that no device holds more than one whole leaf.

    Args:
        tree: of arrays; typed keys stay on the devices.
        keep: return it; otherwise only take part, as every process must.
    """

    def fetched(leaf: Any) -> Any:
        if jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return leaf
        whole = np.asarray(jax.block_until_ready(_local(leaf)))  # waiting by itself holds no lock of Python's
        return whole if keep else None

    return jax.tree.map(fetched, tree)


def share(tree: Any, like: Any) -> Any:
    """Hand a tree that process 0 has to all processes, bit by bit the same, and place it.

    Args:
        tree: of process 0; the others give None.
        like: shapes, dtypes and placement.
    """
    forms = [jax.eval_shape(_numbers, leaf) for leaf in jax.tree.leaves(like)]
    words = [-(-form.size * form.dtype.itemsize // 4) for form in forms]
    buffer = np.zeros(sum(words), np.uint32)
    ends = np.cumsum(words)
    for leaf, end, count in zip(jax.tree.leaves(tree), ends, words, strict=False):
        values = np.ascontiguousarray(_numbers(leaf)).reshape(-1).view(np.uint8)
        buffer[end - count : end].view(np.uint8)[: len(values)] = values
    _broadcast(buffer)

    def placed(leaf: Any, form: Any, end: int, count: int) -> Any:
        raw = buffer[end - count : end].view(np.uint8)[: form.size * form.dtype.itemsize]
        values = raw.view(form.dtype).reshape(form.shape)
        if not jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key):
            return spread(values, leaf.sharding)
        return jax.jit(jax.random.wrap_key_data, out_shardings=leaf.sharding)(spread(values, leaf.sharding))

    leaves, structure = jax.tree.flatten(like)
    return structure.unflatten(map(placed, leaves, forms, ends, words))


def on_one_device(abstract: Any) -> Any:
    """Describe the same tree on one device of this process."""
    place = SingleDeviceSharding(jax.local_devices()[0])
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place), abstract)


def _broadcast(buffer: np.ndarray) -> None:
    """Overwrite a buffer with that of process 0, in pieces of one size."""
    from jax.experimental import multihost_utils

    size = min(PIECE, len(buffer))
    for first in range(0, len(buffer), size):
        part = np.zeros(size, np.uint32)
        here = buffer[first : first + size]
        part[: len(here)] = here
        here[:] = np.asarray(multihost_utils.broadcast_one_to_all(part))[: len(here)]


def _numbers(leaf: Any) -> Any:
    is_key = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
    return jax.random.key_data(leaf) if is_key else leaf


def _local(leaf: Any) -> Any:
    if not isinstance(leaf, jax.Array) or leaf.is_fully_addressable:
        return leaf
    if not leaf.is_fully_replicated:
        mesh: Any = getattr(leaf.sharding, 'mesh', None)
        leaf = jax.jit(_same, out_shardings=NamedSharding(mesh, PartitionSpec()))(leaf)
    return leaf.addressable_data(0)


def _same(leaf: Any) -> Any:
    return jnp.asarray(leaf)
