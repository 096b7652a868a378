"""A keyed watermark in the pixels: block-DCT coefficients lifted toward keyed signs, and a p-value that assumes nothing of images.

Pure: no files, no clock. ``embed`` is one code for NumPy (uint8) and JAX (floats; jitted, exported, differentiated).
"""

from jaxgan.watermark.detection import Detection, batch, detect, make_reader, scores
from jaxgan.watermark.embedding import Lattice, Lift, Strength, default_strength, embed
from jaxgan.watermark.pattern import Pattern, capacity, make_pattern, model_key, weights_key
from jaxgan.watermark.searching import make_searcher, search

__all__ = [
    'Detection',
    'Lattice',
    'Lift',
    'Pattern',
    'Strength',
    'batch',
    'capacity',
    'default_strength',
    'detect',
    'embed',
    'make_pattern',
    'make_reader',
    'make_searcher',
    'model_key',
    'scores',
    'search',
    'weights_key',
]
