"""The bench's StyleGAN2 in PyTorch on our parameters: ``python torch_bench_stylegan2.py INPUTS.npz OUTPUTS.npz``, for test_parity_bench.py."""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / 'jaxgan' / 'bench' / 'peers'))
from torch_stylegan2 import Discriminator, Generator


def dense(module, values, name, chw=None):
    kernel = values[f'{name}/kernel']
    if chw:  # the flattened map is [H, W, C] in ours
        kernel = kernel.reshape(4, 4, -1, kernel.shape[1]).permute(2, 0, 1, 3).reshape(kernel.shape)
    module.weight.copy_(kernel.T)
    module.bias.copy_(values[f'{name}/bias'])


def conv(kernel, bias, values, name):
    kernel.copy_(values[f'{name}/kernel'].permute(3, 2, 0, 1))
    if bias is not None:
        bias.copy_(values[f'{name}/bias'])


def fill_generator(g, values, sides):
    for i, layer in enumerate(g.mapping.layers):
        dense(layer, values, f'g/mapper/EqualDense_{i}')
    g.constant.copy_(values['g/painter/constant'].permute(2, 0, 1)[None])
    names = [f'conv_{i}' for i in range(len(g.convs))] + [f'to_image_{side}' for side in sides]
    for module, name in zip([*g.convs, *g.shown], names, strict=True):
        dense(module.style, values, f'g/painter/{name}/style')
        conv(module.kernel, module.bias, values, f'g/painter/{name}')


def fill_discriminator(d, values, sides):
    conv(d.seen.weight, d.seen.bias, values, f'd/from_image_{sides[-1]}')
    for block, side in zip(d.blocks, sides[:0:-1], strict=True):
        parts = {'conv_0': block['main'][0], 'conv_1': block['main'][1], 'skip': block['skip']}
        for name, part in parts.items():
            conv(part.weight, part.bias, values, f'd/block_{side}/{name}')
    conv(d.conv.weight, d.conv.bias, values, 'd/conv')
    dense(d.dense, values, 'd/dense', chw=True)
    dense(d.logit, values, 'd/logit')


@torch.no_grad()
def main(source, target):
    with np.load(source, allow_pickle=False) as found:
        values = {name: torch.from_numpy(found[name]) for name in found.files}
    size, width = values['images'].shape[1], int(values['width'])
    sides = [side for side in (4, 8, 16, 32) if side <= size]
    answer = {}
    for shifts in (False, True):
        g, d = (kind(size, width, torch.float32, shifts) for kind in (Generator, Discriminator))
        fill_generator(g, values, sides)
        fill_discriminator(d, values, sides)
        answer[f'image/{shifts}'] = g(values['z'], mixing=0.0).permute(0, 2, 3, 1)
        answer[f'logits/{shifts}'] = d(values['images'].permute(0, 3, 1, 2))
    np.savez(target, **{name: value.numpy() for name, value in answer.items()})


main(*sys.argv[1:])
