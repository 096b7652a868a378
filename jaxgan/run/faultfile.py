"""A failed step as one file: state, batch and configuration, from which the failure can be computed again anywhere.

It is an ``.npz`` of plain arrays, and ``about``, a JSON text. Nothing in it is run.
"""

import dataclasses
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.checkpoints.manifest import leaves_on_host, named_leaves
from jaxgan.config import check
from jaxgan.configjson import from_dict, to_dict
from jaxgan.data import DataInfo
from jaxgan.errors import InputError, unknown
from jaxgan.files import replacing
from jaxgan.run.assembly import assemble, initial_state
from jaxgan.run.diagnosis import Fault, Finding, phase_names
from jaxgan.state import GanState
from jaxgan.version import __version__

FORMAT = 1
TEXT_BYTES = 2**20  # of ``about`` at most
HEADER_BYTES = 2**12  # of an array in the file at most


def write_fault(path: Path, fault: Fault, finding: Finding) -> None:
    """Write a failed step, whole or not at all."""
    arrays = {f'state/{name}': _shaped(*leaf) for name, leaf in leaves_on_host(fault.state).items()}
    arrays |= {f'batch/{name}': np.asarray(values) for name, values in fault.batch.items()}
    about = {
        'format': FORMAT,
        'step': fault.step,
        'phase': fault.phase,
        'found': str(finding),
        'first': finding.first,
        'config': to_dict(fault.config),
        'data': dataclasses.asdict(fault.info),
        'jaxgan': __version__,
        'jax': jax.__version__,
        'backend': jax.default_backend(),
    }
    with replacing(path) as temporary, temporary.open('wb') as file:
        stored: dict[str, Any] = {name: _bits(values) for name, values in arrays.items()}
        np.savez(file, about=np.array(json.dumps(about)), **stored)


def read_fault(path: Path) -> tuple[Fault, dict[str, Any]]:
    """Read a failed step, and what was said of it when it was written.

    Raises:
        InputError: the file is none, is damaged, or does not fit this version's networks.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename.removesuffix('.npy'): info.file_size for info in archive.infolist()}
        if sizes.get('about', TEXT_BYTES + 1) > TEXT_BYTES:
            raise ValueError('it has no "about" of a sane size')
        with np.load(path, allow_pickle=False) as file:
            about = json.loads(str(file['about']))
            return _parse(about, file, sizes), about
    except InputError as error:
        raise InputError(f'{path}: {error}') from None
    except Exception as error:  # zip, NumPy and JSON each raise what they like
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(f'{path} is no fault file that can be read: {reason}') from None


def _parse(about: dict[str, Any], file: Mapping[str, Any], sizes: dict[str, int]) -> Fault:
    if about['format'] != FORMAT:
        raise InputError(f'format {about["format"]!r} is unknown (written by jaxgan {about.get("jaxgan")!r})')
    config, info = check(from_dict(about['config'])), from_dict(about['data'], DataInfo, 'data')
    names = phase_names(config, info)
    if about['phase'] not in names:
        raise unknown('phase', about['phase'], names)
    parts = assemble(config, info)
    like = jax.eval_shape(lambda: initial_state(config, info, parts))
    shape = (int(np.prod([config.batch_size, config.d_steps])), info.size, info.size, info.channels)
    batch: dict[str, Any] = {'image': jax.ShapeDtypeStruct(shape, jnp.float32)}
    if parts.classes:
        batch['label'] = jax.ShapeDtypeStruct(shape[:1], jnp.int32)
    state = {name: _load(file, sizes, f'state/{name}', leaf) for name, leaf in named_leaves(like).items()}
    return Fault(
        int(about['step']),
        about['phase'],
        config,
        info,
        _unflatten(like, state),
        {name: _load(file, sizes, f'batch/{name}', leaf) for name, leaf in batch.items()},
    )


def _unflatten(like: GanState, values: Mapping[str, Any]) -> GanState:
    return jax.tree.unflatten(jax.tree.structure(like), list(values.values()))


def _load(file: Mapping[str, Any], sizes: dict[str, int], name: str, like: Any) -> Any:
    """Read one array as the leaf that it must be; the size is looked at first."""
    if name not in sizes:
        raise InputError(f'{name} is missing')
    key = jnp.issubdtype(like.dtype, jax.dtypes.prng_key)
    form = jax.eval_shape(jax.random.key_data, like) if key else like
    dtype = np.dtype(form.dtype)
    if sizes[name] > form.size * dtype.itemsize + HEADER_BYTES:
        raise InputError(f'{name} has {sizes[name]:,} bytes, and {dtype} {list(form.shape)} has fewer')
    values = file[name]
    values = values.view(dtype) if dtype.kind == 'V' and values.dtype == _stored(dtype) else values
    if values.shape != form.shape or values.dtype != dtype:
        raise InputError(f'{name} is {values.dtype} {list(values.shape)}, and not {dtype} {list(form.shape)}')
    return jax.random.wrap_key_data(jnp.asarray(values)) if key else values


def _shaped(form: list, values: np.ndarray) -> np.ndarray:
    """Give a scalar its shape back; a key stays the numbers that it is made of."""
    return values if form[0].startswith('key<') else values.reshape(form[1])


def _bits(values: np.ndarray) -> np.ndarray:
    """Return values in a dtype that NumPy's files know: bfloat16 as its bits."""
    return values.view(_stored(values.dtype)) if values.dtype.kind == 'V' else values


def _stored(dtype: Any) -> np.dtype:
    return np.dtype(f'uint{8 * dtype.itemsize}')
