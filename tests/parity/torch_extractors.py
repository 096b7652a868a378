"""PyTorch's side of the extractors: torch-fidelity's Inception-v3, and DINOv2's transformer written from the papers.

Called by ``runner.torch_run``: ``case`` says which; ``weights/...`` are a state dict, which is also written by ``torch.save`` to
the file ``pth``, in the older format too (``pth`` + '.old').
"""

import importlib.util
import sys
import types

import numpy as np
import torch
import torch.nn.functional as F


def fidelity_inception(state, images):
    """Run torch-fidelity's own extractor; its package wants torchvision and Pillow, its Inception neither."""
    found = importlib.util.find_spec('torch_fidelity')
    if found is None:
        return {'missing': torch.tensor(1)}
    bare = types.ModuleType('torch_fidelity')
    bare.__path__ = list(found.submodule_search_locations)
    sys.modules['torch_fidelity'] = bare
    from torch_fidelity import feature_extractor_inceptionv3 as module

    names = ['2048', 'logits_unbiased', 'logits']
    net = module.FeatureExtractorInceptionV3('inception', names, feature_extractor_weights_path=state)
    out = net(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous())
    return dict(zip(('pool', 'class', 'class_biased'), out))


def dinov2(state, images, heads, patch=14):
    """Compute the normalized class token of normalized images [B, H, W, 3]."""
    x = torch.from_numpy(images).permute(0, 3, 1, 2)
    tokens = F.conv2d(x, state['patch_embed.proj.weight'], state['patch_embed.proj.bias'], stride=patch)
    rows, columns = tokens.shape[2:]
    width = tokens.shape[1]
    grid = round((state['pos_embed'].shape[1] - 1) ** 0.5)
    positions = state['pos_embed'][:, 1:].reshape(1, grid, grid, width).permute(0, 3, 1, 2)
    if (rows, columns) != (grid, grid):
        scale = ((rows + 0.1) / grid, (columns + 0.1) / grid)
        positions = F.interpolate(positions, scale_factor=scale, mode='bicubic')
    tokens = (tokens + positions).flatten(2).transpose(1, 2)
    first = (state['cls_token'] + state['pos_embed'][:, :1]).expand(len(x), 1, width)
    tokens = torch.cat([first, tokens], 1)
    depth = 1 + max(int(name.split('.')[1]) for name in state if name.startswith('blocks.'))
    for i in range(depth):
        tokens = block({name: state[f'blocks.{i}.{name}'] for name in block_names(state)}, tokens, heads)
    return {'pool': F.layer_norm(tokens, (width,), state['norm.weight'], state['norm.bias'], 1e-6)[:, 0]}


def block_names(state):
    return [name.removeprefix('blocks.0.') for name in state if name.startswith('blocks.0.')]


def block(p, x, heads):
    b, n, width = x.shape
    normal = F.layer_norm(x, (width,), p['norm1.weight'], p['norm1.bias'], 1e-6)
    qkv = F.linear(normal, p['attn.qkv.weight'], p['attn.qkv.bias'])
    q, k, v = (part.reshape(b, n, heads, -1).transpose(1, 2) for part in qkv.chunk(3, dim=-1))
    attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, width)
    x = x + p['ls1.gamma'] * F.linear(attended, p['attn.proj.weight'], p['attn.proj.bias'])
    normal = F.layer_norm(x, (width,), p['norm2.weight'], p['norm2.bias'], 1e-6)
    hidden = F.gelu(F.linear(normal, p['mlp.fc1.weight'], p['mlp.fc1.bias']))
    return x + p['ls2.gamma'] * F.linear(hidden, p['mlp.fc2.weight'], p['mlp.fc2.bias'])


def main():
    inputs, outputs = sys.argv[1:]
    with np.load(inputs) as found:
        given = dict(found)
    state = {
        name.removeprefix('weights/'): torch.from_numpy(value)
        for name, value in given.items()
        if name.startswith('weights/')
    }
    if str(given['case']) == 'inception':
        state |= {
            name.replace('running_var', 'num_batches_tracked'): torch.tensor(9)
            for name in state
            if 'running_var' in name
        }
    path = str(given['pth'])
    torch.save(state, path)
    torch.save(state, path + '.old', _use_new_zipfile_serialization=False)
    with torch.no_grad():
        if str(given['case']) == 'inception':
            found = fidelity_inception(path, given['images'])
        else:
            found = dinov2(state, given['images'], int(given['heads']))
    np.savez(outputs, **{name: value.numpy() for name, value in found.items()})


if __name__ == '__main__':
    main()
