"""Time the extractors on this machine: images a second, with weights that are zero (speed does not depend on them).

python docs/scripts/extractor_speed.py [--kernels] [--size 32] [--batch 16] [NAME ...]
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import kernels
from jaxgan.metrics.extractors import NAMES, PERCEPTUAL_NAMES, dinov2, inception, load, lpips, small, vgg16


def zeros(shapes: dict) -> dict:
    """Make weights of nothing."""
    return {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}


def inception_shapes() -> dict:
    """List what Inception's file holds."""
    found = {'fc.weight': (1008, 2048), 'fc.bias': (1008,)}
    for name, (kh, kw, inputs, outputs) in inception.layer_shapes().items():
        found[f'{name}.conv.weight'] = (outputs, inputs, kh, kw)
        found |= {
            f'{name}.{part}': (outputs,)
            for part in ('bn.weight', 'bn.bias', 'bn.running_mean', 'bn.running_var')
        }
    return found


def make(name: str):
    """Make a function of images and its parameters."""
    if name in small.ARCHITECTURES:
        made = load(name)
        return made.apply, made.params
    if name in vgg16.SIDES:
        return vgg16.applied(vgg16.SIDES[name]), vgg16.convolutions(zeros(vgg16.shapes()), name)
    if name in dinov2.KINDS:
        architecture = dinov2.KINDS[name].architecture
        return dinov2.applied(architecture), dinov2.convert(
            zeros(dinov2.shapes(architecture)), architecture, name
        )
    if name in lpips.KINDS:
        kind = lpips.KINDS[name]
        params = lpips.parameters(zeros(kind.shapes()), kind)

        def apply(params, images):
            x = images.astype(jnp.float32) / 127.5 - 1
            return lpips.distance(kind.layers, params, x, -x)

        return apply, params
    return inception.apply, inception.convert(zeros(inception_shapes()), name)


def main() -> None:
    """Print a line for each extractor: the best of three rounds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('names', nargs='*')
    parser.add_argument(
        '--kernels', action='store_true', help="jaxgan's compiled convolutions instead of XLA's"
    )
    parser.add_argument('--size', type=int, default=32)
    parser.add_argument('--batch', type=int, default=16)
    arguments = parser.parse_args()
    if arguments.kernels:
        print(kernels.enable())
    for name in arguments.names or (*NAMES, *PERCEPTUAL_NAMES):
        apply, params = make(name)
        channels = 1 if name == 'mnist' else 3
        images = np.random.default_rng(0).integers(
            0, 256, (arguments.batch, arguments.size, arguments.size, channels), np.uint8
        )
        program, params = jax.jit(apply), jax.device_put(params)
        start = time.perf_counter()
        jax.block_until_ready(program(params, images))
        compiled, best = time.perf_counter() - start, float('inf')
        for _ in range(3):
            start = time.perf_counter()
            jax.block_until_ready(program(params, images))
            best = min(best, time.perf_counter() - start)
        print(f'{name:16} {arguments.batch / best:9.1f} images/s   first call {compiled:.1f} s', flush=True)


if __name__ == '__main__':
    main()
