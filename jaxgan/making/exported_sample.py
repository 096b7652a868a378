"""Make images with the generator in this folder, with jax and numpy (and flatbuffers, with which jax reads programs).

The program puts a watermark into the pixels, as generator.json says; a line in provenance.jsonl beside the file says what they are.

python sample.py images.npy 0 1 2 3              seeds to uint8 images [n, height, width, channels]
python sample.py images.npy 0 1 2 3 --label 7    of a class, for generators that have classes
"""

import hashlib
import json
import sys
from pathlib import Path

import jax
import jax.export
import numpy as np

FOLDER = Path(__file__).parent
DTYPES = {'F32': '<f4', 'I32': '<i4', 'U32': '<u4'}


def load_weights():
    """Read generator.safetensors: the length of a header, the header in JSON, and the tensors it describes."""
    data = (FOLDER / 'generator.safetensors').read_bytes()
    start = 8 + int.from_bytes(data[:8], 'little')
    weights = {}
    for name, entry in json.loads(data[8:start]).items():
        if name != '__metadata__':
            first, last = (start + offset for offset in entry['data_offsets'])
            weights[name] = np.frombuffer(data[first:last], DTYPES[entry['dtype']]).reshape(entry['shape'])
    return weights


def load_program(name):
    """Load 'sample' (weights, seeds), 'generator' (weights, z), 'mapping' (weights, z) or 'synthesis' (weights, w).

    Where there are classes, all but 'synthesis' take labels (int32) as their last argument.
    """
    return jax.jit(jax.export.deserialize(bytearray((FOLDER / f'{name}.stablehlo').read_bytes())).call)


def main(out, *words):
    """Write images as a file of NumPy's."""
    words, label = (words[:-2], words[-1]) if '--label' in words else (words, None)
    labels = [] if label is None else [np.full(len(words), label, np.int32)]
    images = np.asarray(load_program('sample')(load_weights(), np.asarray(words, np.uint32), *labels))
    np.save(out, images)
    note(Path(out), images, words, label)


def note(out, images, seeds, label):
    """Add a line to provenance.jsonl beside the file, as jaxgan does."""
    path = out if out.suffix == '.npy' else out.with_name(f'{out.name}.npy')
    card = json.loads((FOLDER / 'generator.json').read_text('utf-8'))
    marked = card.get('watermark', {})
    entry = {
        'format_version': 1,
        'file': path.name,
        'sha256': hashlib.sha256(path.read_bytes()).hexdigest(),
        'phash': None,
        'size': list(images.shape[1:3]),
        'model': card['sha256'],
        'data': card['data']['name'].split('/')[-1],
        'seeds': ','.join(seeds),
        'index': None,
        'kind': 'trainedAlgorithmicMedia',
        'marks': ['watermark'] if 'method' in marked else [],
        'key': marked.get('key', ''),
        'jaxgan': card['jaxgan'],
        'details': {} if label is None else {'label': label},
        'images': len(images),
        **({'unmarked': marked['unmarked']} if 'unmarked' in marked else {}),
    }
    with path.with_name('provenance.jsonl').open('a', encoding='utf-8') as file:
        file.write(json.dumps(entry) + '\n')


if __name__ == '__main__':
    main(*sys.argv[1:])
