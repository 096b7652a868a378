"""A run's folder with every file that a card reads, written by hand: no training."""

import hashlib
import json

from jaxgan.card import make_card
from jaxgan.datamanifest.entries import Entry, write_manifest
from jaxgan.documents.known import Known

DIGEST = 'ab' * 32
RECORD = 'checkpoints/48/meta/record.json'
OPTIMIZER = {'name': 'adam', 'learning_rate': [0.0021, 0.0007], 'beta1': 0.0, 'beta2': [0.985, 0.985]}


def meta(**data):
    return {
        'architecture': {
            'kind': 'dcgan', 'latent_dim': 24, 'size': 20, 'channels': 3, 'classes': 2, 'dtype': 'float32',
        },
        'data': {
            'name': 'folder:/home/ann/pets', 'split': 'train', 'count': 3, 'size': 20, 'channels': 3, 'classes': ['cat', 'dog'],
            'licence': 'CC0-1.0', 'origin': '/home/ann/pets', 'skipped': [['/home/ann/pets/x.png', 'damaged']], 'opted_out': 7,
            'opt_outs_ignored': 5, 'opt_out_reason': 'they are mine', 'licences': [['CC0-1.0', 3]], **data,
        },
        'config': {
            'data': {'name': 'folder:/home/ann/pets', 'crop': 'none', 'flip': True, 'exclude': ['1:' + 'cd' * 32], 'subset': 77},
            'loss': 'hinge', 'training': 'two_stage', 'batch_size': 18, 'd_steps': 1, 'augment': [], 'seed': 77,
            'penalties': [{'name': 'r1', 'weight': [0.31, 0.11], 'every': 16}], 'g_penalties': [],
            'g_optimizer': OPTIMIZER, 'd_optimizer': OPTIMIZER, 'ema': {'half_life': [5100.0, 5100.0]},
            'fingerprint': '/home/ann/secret.key',
        },
        'images_seen': 864, 'jaxgan': '0.1.0', 'jax': '0.10.2', 'environment': {'backend': 'cpu', 'devices': 4, 'cores': 12},
    }  # fmt: skip


PROTOCOL = {
    'extractor': 'vgg16',
    'data': 'folder:/home/ann/pets',
    'split': 'train',
    'real': 3,
    'fake': 5003,
    'seed': 0,
}
LINES = {
    'metrics.jsonl': [{'step': 24, 'images_seen': 432, 'seconds': 60.5}, {'step': 48, 'images_seen': 864, 'seconds': 123.25}],
    'sessions.jsonl': [{'step': 24, 'wall': 70.0, 'steps': 60.0}, {'step': 48, 'wall': 71.5, 'steps': 61.25}],
    'evaluations.jsonl': [
        {'step': 48, 'images_seen': 864, 'metric': 'FID', 'value': 13.625, 'std': None, 'protocol': PROTOCOL},
        {'step': 48, 'images_seen': 864, 'metric': 'FID', 'value': 11.125, 'std': 0.25, 'protocol': PROTOCOL | {'fake': 9001}},
    ],
    'warnings.jsonl': [{'step': 33, 'images_seen': 594, 'signal': 'collapse', 'message': 'diversity fell to 0.125'}],
    'faults.jsonl': [{'step': 35, 'phase': 'd', 'found': 'nan in d/loss', 'restored': 24}],
    'removals.jsonl': [{'reason': 'asked for', 'images': [{'index': 1}]}],
}  # fmt: skip
AUDIT = {
    'format_version': 1,
    'model': DIGEST,
    'copy_rate': {'copies': 19, 'images': 10007, 'raw': 0.0019, 'interval': [0.0011, 0.0029], 'fpr': 0.00125},
    'copying': {'value': -0.375},
    'verdict': {'passed': True, 'reason': 'it is below the limit 0.105%'},
}


def entries():
    known = dict(licence='CC0-1.0', creator='Ann', source=None)
    return [
        Entry(i, f'{name}.png', f'a{i}' * 32, f'a{i}' * 32, f'a{i}' * 8, group=group, **known)
        for i, (name, group) in enumerate([('cat/a', 0), ('dog/b', 0), ('dog/c', None)])
    ]


def write_run(folder, found=None, **lines):
    """Write the files, and return what is known of the generator."""
    found = meta() if found is None else found
    record = folder / RECORD
    record.parent.mkdir(parents=True)
    record.write_text(json.dumps({'meta': found}))
    for name, values in (LINES | lines).items():
        (folder / name).write_text(''.join(json.dumps(line) + '\n' for line in values))
    (folder / 'audit.json').write_text(json.dumps(AUDIT))
    write_manifest(folder / 'data_manifest.jsonl', entries())
    return Known(make_card(found, 48), DIGEST, 1238, folder, RECORD, found)


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
