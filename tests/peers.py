"""Numbers that other packages computed, stored so that tests need none of them; tests/parity/torch_metrics.py made the file."""

import functools
from pathlib import Path

import numpy as np


@functools.cache
def peer_numbers():
    """Arrays by name: features 'real', 'fake', 'logits', and 'PACKAGE/NAME' of them; 'exact/CASE/...'."""
    with np.load(Path(__file__).parent / 'metric_peers.npz', allow_pickle=False) as found:
        return dict(found)
