"""A generator as ONNX, for programs in any language and for browsers: converted by jax2onnx, checked by onnxruntime against JAX."""

import contextlib
import importlib
import json
import logging
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.credentials import SOURCES
from jaxgan.errors import InputError, UnverifiedError
from jaxgan.making.programs import Program, abstract, describe_marking, make_programs, weights_of
from jaxgan.opened import Generator
from jaxgan.ops import portable
from jaxgan.sampling import of_keys, seed_keys
from jaxgan.version import __version__

INSTALL = "pip install 'jaxgan[onnx]' && pip install --no-deps 'jax2onnx==0.17.1'"
OPSET = 23  # onnxruntime 1.24 and onnxruntime-web 1.30 run it
MOST_BYTES = 2**31 - 2**24  # of weights: an ONNX file is one protocol buffer, which ends at 2 GB
TOLERANCE = 1e-4  # of the largest value, or of 1
CHECKED = 5  # images that are compared


def to_onnx(found: Generator, psi: float | None = None) -> dict[str, bytes]:
    """Convert a generator to ONNX files, float32 and for batches of any size.

    Args:
        found: the generator.
        psi: pull all styles towards their mean by so much; None: as they are.

    Returns:
        'generator.onnx': z f32 [batch, Z] to image f32 [batch, H, W, C], about [-1, 1]. Of a generator with styles also
        'mapping.onnx': z to w f32 [batch, layers, W], and 'synthesis.onnx': w to image. Inputs and outputs have these names;
        where there are classes, 'generator.onnx' and 'mapping.onnx' also take label i32 [batch].

    Raises:
        InputError: jax2onnx is not here, psi has no meaning, or the weights are more than a file can hold.
    """
    converter = _package('jax2onnx')
    weights = weights_of(found)
    size = sum(value.nbytes for value in weights.values())
    if size > MOST_BYTES:
        raise InputError(
            f'onnx: {size:,} bytes of weights do not fit into a file of at most {MOST_BYTES:,}: take --format jax'
        )
    made = {}
    for name, program in _programs(found, psi).items():
        model = _convert(converter, name, program, weights)
        _describe(model, found, psi)
        made[f'{name}.onnx'] = model.SerializeToString(deterministic=True)
    return made


def check_onnx(found: Generator, files: Mapping[str, bytes], psi: float | None = None) -> dict[str, float]:
    """Compare what ONNX files compute with what JAX does.

    Args:
        found: the generator.
        files: of ``to_onnx``.
        psi: what they were made with.

    Returns:
        The largest difference of each file's output, divided by its largest magnitude where that is above 1.

    Raises:
        InputError: onnxruntime is not here.
        UnverifiedError: onnxruntime cannot run a file, or a difference is larger than 1e-4.
    """
    runtime = _package('onnxruntime')
    weights, inputs = weights_of(found), _inputs(found)
    errors = {}
    for name, program in _programs(found, psi).items():
        given = [inputs[key] for key in program.inputs]
        wanted = np.asarray(jax.jit(program.function)(weights, *given), np.float32)
        inputs.setdefault(program.output, wanted)  # w of mapping, for synthesis
        file = f'{name}.onnx'
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        try:
            session = runtime.InferenceSession(files[file], options, providers=['CPUExecutionProvider'])
            (output,) = session.run(None, dict(zip(program.inputs, given, strict=True)))
        except Exception as error:  # onnxruntime's own kinds, which stand in no public module
            raise UnverifiedError(f'{file}: onnxruntime cannot run it: {error}') from error
        errors[file] = _difference(output, wanted)
        if not errors[file] <= TOLERANCE:
            raise UnverifiedError(
                f'{file}: its output differs by {errors[file]:.1e} from JAX, and {TOLERANCE:g} is allowed: nothing was written'
            )
    return errors


def simplify(data: bytes) -> bytes:
    """Fold in an ONNX file what depends on no input, so that not every start does it: onnxruntime's basic, portable level.

    A StyleGAN2's session is then made in half the time in a browser.
    """
    runtime = _package('onnxruntime')
    options = runtime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'simple.onnx')
        options.optimized_model_filepath = str(path)
        runtime.InferenceSession(data, options, providers=['CPUExecutionProvider'])
        return path.read_bytes()


def _programs(found: Generator, psi: float | None) -> dict[str, Program]:
    made = make_programs(found, psi, 'float32')
    return {
        name: program for name, program in made.items() if name != 'sample'
    }  # ONNX has no such random bits


def _inputs(found: Generator) -> dict[str, Any]:
    z = jax.jit(lambda keys: of_keys(found.latents, keys))(seed_keys(range(CHECKED)))
    label = np.arange(CHECKED, dtype=np.int32) % max(len(found.labels), 1)
    return {'z': np.asarray(z), 'label': label}


def _difference(found: np.ndarray, wanted: np.ndarray) -> float:
    if found.shape != wanted.shape:
        return float('inf')
    return float(np.abs(found - wanted).max() / max(1.0, np.abs(wanted).max()))


def _convert(converter: Any, name: str, program: Program, weights: Mapping[str, Any]) -> Any:
    arrays = jax.tree.map(jnp.asarray, dict(weights))

    def function(*inputs: Any) -> Any:
        return program.function(arrays, *inputs)

    with portable(), jax.numpy_dtype_promotion('standard'), jax.numpy_rank_promotion('allow'), _quiet():
        model = converter.to_onnx(
            function,
            abstract(program),
            model_name=name,
            opset=OPSET,
            input_names=list(program.inputs),
            output_names=[program.output],
        )
    del model.graph.value_info[:]  # stale shapes of what lies between, over which onnxruntime-web stops
    return model


def _describe(model: Any, found: Generator, psi: float | None) -> None:
    """Write into a file what it is."""
    model.producer_name, model.producer_version = 'jaxgan', __version__
    model.doc_string = (
        f'A generator trained on {found.data}. Its images are made by a trained model: say so where you show '
        f'them (IPTC digital source type {SOURCES}trainedAlgorithmicMedia).'
    )
    told = {
        'model': found.digest,
        'version': __version__,
        'data': found.data,
        'licence': found.card['data'].get('licence'),
        'latents': found.card.get('latents'),
        'labels': found.labels or None,
        'image_range': found.card.get('image_range'),
        'layout': found.card.get('layout'),
        'images_seen': found.card['trained']['images_seen'],
        'psi': psi,
        'watermark': describe_marking(found),
        'digital_source_type': f'{SOURCES}trainedAlgorithmicMedia',
    }
    for key, value in told.items():
        if value is not None:
            text = value if isinstance(value, str) else json.dumps(value)
            model.metadata_props.add(key=f'jaxgan:{key}', value=text)


def _package(name: str) -> Any:
    try:
        with _quiet():
            return importlib.import_module(name)
    except ImportError as error:
        raise InputError(
            f'--format onnx needs {name}, which cannot be imported ({error}): {INSTALL}'
        ) from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence what jax2onnx says of plug-ins for libraries that are not here, and of shapes that it leaves open."""
    loggers = [logging.getLogger(name) for name in ('jax2onnx', 'onnx_ir')]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
