"""Make images with the generator in this folder, with jax and numpy (and flatbuffers, with which jax reads programs).

python sample.py images.npy 0 1 2 3              seeds to uint8 images [n, height, width, channels]
python sample.py images.npy 0 1 2 3 --label 7    of a class, for generators that have classes
"""

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
    np.save(out, load_program('sample')(load_weights(), np.asarray(words, np.uint32), *labels))


if __name__ == '__main__':
    main(*sys.argv[1:])
