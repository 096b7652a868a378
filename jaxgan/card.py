"""What stands beside a generator's weights, an export's card or a checkpoint's meta: checked before anything is built of it.

Whoever wrote it may have written anything: sizes of which no memory has enough, weights of another network.
"""

from typing import Any

import jax
import numpy as np

from jaxgan import build
from jaxgan.bounds import check_count, check_counts
from jaxgan.checkpoints.manifest import check_fit
from jaxgan.configjson import from_dict
from jaxgan.data import DataConfig
from jaxgan.errors import InputError, unknown
from jaxgan.export import flatten
from jaxgan.modelconfig import Model

TYPES = {'architecture': dict, 'labels': list, 'data': dict, 'trained': dict}
BESIDE = {'size': 1, 'channels': 1, 'classes': 0}  # the model's own, and the least that each may be
CHOICES = {'dtype': ('float32', 'bfloat16'), 'spectral_norm': ('none', 'discriminator', 'both')}


def _latents(architecture: dict[str, Any]) -> dict[str, Any]:
    signs = architecture.get('signs', 0)
    found = {'distribution': 'normal', 'dim': architecture['latent_dim']}
    return (
        {**found, 'distribution': 'normal, the last values random signs', 'signs': signs} if signs else found
    )


def _rights(data: dict[str, Any]) -> dict[str, Any]:
    """Tell what was said of the rights in single images; of runs before this was looked at nothing."""
    if 'opted_out' not in data:
        return {}
    names = ('opted_out', 'opt_outs_ignored', 'opt_out_reason')
    return {name: data[name] for name in names} | {'licences': [list(one) for one in data['licences']]}


def make_card(meta: dict[str, Any], step: int) -> dict[str, Any]:
    """Describe a generator from what stands beside its checkpoint.

    Raises:
        InputError: that is not what a training writes there.
    """
    try:
        return _make_card(meta, step)
    except (LookupError, TypeError, AttributeError) as error:
        raise InputError(
            f'checkpoint {step}: its meta data are not those of a training ({type(error).__name__}: {error})'
        ) from None


def _make_card(meta: dict[str, Any], step: int) -> dict[str, Any]:
    data = meta['data']
    return {
        'architecture': meta['architecture'],
        'image_range': [-1.0, 1.0],
        'layout': 'NHWC',
        'parameters_dtype': 'float32',
        'latents': _latents(meta['architecture']),
        'labels': list(data['classes']) if meta['architecture']['classes'] else [],
        'data': {name: data[name] for name in ('name', 'split', 'count', 'licence', 'origin')}
        | _rights(data)
        | {'config': meta['config']['data'] | {'data_dir': None}},  # no path of this machine
        'trained': {
            'step': step,
            'images_seen': meta['images_seen'],
            'jaxgan': meta['jaxgan'],
            'jax': meta['jax'],
        }
        | ({'privacy': meta['privacy']} if 'privacy' in meta else {}),
    }


def check_card(card: Any, name: str) -> None:
    """Check that a card describes a generator that can be built, and has the fields that commands read.

    Raises:
        InputError: names the field, its value and what is allowed.
    """
    for field, kind in TYPES.items():
        value = card.get(field) if isinstance(card, dict) else None
        if type(value) is not kind:
            raise InputError(f'{name}: {field} {_short(value)} must be {kind.__name__}')
    check_architecture(card['architecture'], f'{name}: architecture')
    labels = card['labels']
    if not all(isinstance(label, str) for label in labels) or len(set(labels)) < len(labels):
        raise InputError(f'{name}: labels {_short(labels)} must be texts, each once')
    classes = card['architecture']['classes']
    if len(labels) != classes:
        raise InputError(
            f'{name}: {len(labels)} labels are named, and the architecture has {classes} classes'
        )
    if not isinstance(card['data'].get('name'), str):
        raise InputError(f'{name}: data.name {_short(card["data"].get("name"))} must be text')
    prepared = card['data'].get('config')
    if prepared is not None:
        from_dict(prepared, DataConfig, f'{name}: data.config')
    for field in ('step', 'images_seen'):
        value = card['trained'].get(field)
        if type(value) is not int or not 0 <= value < 2**53:
            raise InputError(f'{name}: trained.{field} {_short(value)} must be a whole number from 0 on')


def check_architecture(values: dict[str, Any], name: str) -> None:
    """Check an architecture's description: its model as strictly as a configuration, and every size within bounds.

    Raises:
        InputError: names the field, its value and what is allowed.
    """
    model = {field: value for field, value in values.items() if field not in (*BESIDE, *CHOICES)}
    made = from_dict(model, Model, name)
    check_counts(f'{name}.', made, {'refine': 0, 'd_refine': 0, 'low_precision': 0})
    for field, lowest in BESIDE.items():
        if type(values.get(field)) is not int:
            raise InputError(f'{name}.{field} {_short(values.get(field))} must be int')
        check_count(f'{name}.{field}', values[field], lowest)
    if 'latent_dim' not in values:
        raise InputError(f'{name}.latent_dim is missing')
    for field, allowed in CHOICES.items():
        value = values.get(field, 'none' if field == 'spectral_norm' else None)
        if value not in allowed:
            raise unknown(f'{name}.{field}', _short(value), allowed)


def check_weights(card: dict[str, Any], params: Any, aux: Any, name: str) -> None:
    """Check that weights are finite, and those of the generator that a checked card describes: names, shapes, dtypes.

    Raises:
        InputError: names up to three that differ, or the first that is not finite.
    """
    architecture = card['architecture']
    network = build.build_generator(architecture)
    latents = jax.ShapeDtypeStruct((2, architecture['latent_dim']), np.float32)
    labels = jax.ShapeDtypeStruct((2,), np.int32) if architecture['classes'] else None
    try:
        wanted = jax.eval_shape(network.init, jax.random.key(0), latents, labels)
    except InputError as error:
        raise InputError(f'{name}: {error}') from None
    except (ValueError, TypeError, ArithmeticError, LookupError) as error:
        reason = (str(error).splitlines() or [''])[0]
        raise InputError(f'{name}: its architecture cannot be built: {reason}') from None
    found = {'params': params, 'aux': aux}
    leaves = flatten(found)
    entries = {leaf: [value.dtype.name, list(value.shape), ''] for leaf, value in leaves.items()}
    check_fit(entries, dict(zip(('params', 'aux'), wanted, strict=True)), name)
    for leaf, value in leaves.items():
        if not np.isfinite(np.asarray(value, np.float32)).all():
            raise InputError(f'{name}: {leaf} has values that are not finite')


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f'{text[:97]}...'
