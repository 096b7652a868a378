"""The options of ``jaxgan export``."""

from typing import Literal

import tyro

from jaxgan.marks.options import WatermarkOptions, own_first


@own_first
class ExportOptions(WatermarkOptions):
    """Write a generator for other programs: as weights, as programs for JAX, or as ONNX; readable without jaxgan."""

    source: tyro.conf.Positional[str]
    """A run's folder, or an export's for another format."""
    out: tyro.conf.Positional[str]
    """The folder to write."""
    format: Literal['safetensors', 'jax', 'onnx'] = 'safetensors'
    """Weights and a card in JSON; these and programs of jax.export for CPU, CUDA and TPU; or ONNX files, which hold the weights
    (needs the extra jaxgan[onnx] and jax2onnx)."""
    psi: float | None = None
    """In the programs, pull all styles towards their mean by so much (default: leave them as they are)."""
    step: int | None = None
    """A run's checkpoint (default: the latest)."""
    best: bool = False
    """The checkpoint that evaluation in training found best."""
