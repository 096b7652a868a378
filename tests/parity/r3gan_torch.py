"""R3GAN's pair in PyTorch, written from the paper, on parameters and inputs from a file.

Huang et al. 2025, arXiv 2501.05441, section 3 and appendix: blocks of 1x1, grouped 3x3 and 1x1 convolutions without
normalization; resampling by the filter [1, 3, 3, 1]. Answers with the outputs, the gradients of both losses, and R1's and
R2's gradients in D's parameters, for ``test_r3gan.py``.
"""

import sys

import numpy as np
import torch
from torch.nn import functional as F


def kernel(array):
    """[h, w, in, out] to PyTorch's [out, in, h, w]."""
    return array.permute(3, 2, 0, 1)


def resample(x, up):
    """Double or halve the side by the outer product of [1, 3, 3, 1] / 8, zeros outside."""
    line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
    channels = x.shape[1]
    fir = torch.outer(line, line)[None, None].repeat(channels, 1, 1, 1)
    if up:  # zeros between the values, then the filter with gain 4
        return F.conv_transpose2d(x, 4 * fir, stride=2, padding=1, groups=channels)
    return F.conv2d(x, fir, stride=2, padding=1, groups=channels)


def leaky(x):
    return F.leaky_relu(x, 0.2)


def block(p, name, x, groups):
    h = F.conv2d(x, kernel(p[f'{name}/Conv_0/kernel']), p[f'{name}/Conv_0/bias'])
    h = F.conv2d(
        leaky(h), kernel(p[f'{name}/Conv_1/kernel']), p[f'{name}/Conv_1/bias'], padding=1, groups=groups
    )
    return x + F.conv2d(leaky(h), kernel(p[f'{name}/Conv_2/kernel']))


def stages(p, x, groups, blocks, up):
    """All stages in their order; a 1x1 convolution between two of different widths."""
    changes, place = 0, 0
    for i, count in enumerate(groups):
        width = p[f'R3GANBlock_{place}/Conv_0/kernel'].shape[2]
        if i and not up:
            x = resample(x, up=False)
        if i and x.shape[1] != width:
            x = F.conv2d(x, kernel(p[f'Conv_{changes}/kernel']))
            changes += 1
        if i and up:
            x = resample(x, up=True)
        for _ in range(blocks):
            x = block(p, f'R3GANBlock_{place}', x, count)
            place += 1
    return x


def generate(p, z, label, groups, blocks):
    if label is not None:
        z = torch.cat([z, p['Embed_0/embedding'][label]], dim=1)
    basis = p['basis'].permute(2, 0, 1)[None]
    x = basis * (z @ p['scale/kernel'])[:, :, None, None]
    return F.conv2d(stages(p, x, groups, blocks, up=True), kernel(p['to_image/kernel']))


def judge(p, x, label, groups, blocks):
    x = stages(p, F.conv2d(x, kernel(p['from_image/kernel'])), groups[::-1], blocks, up=False)
    h = F.conv2d(x, kernel(p['pool/kernel']), groups=x.shape[1])[:, :, 0, 0] @ p['logit/kernel']
    return h[:, 0] if label is None else (h * p['Embed_0/embedding'][label]).sum(1)


def penalty(d, x):
    """Half the squared norm of each sample's gradient, to be differentiated again."""
    x = x.detach().requires_grad_(True)
    (gradient,) = torch.autograd.grad(d(x).sum(), x, create_graph=True)
    return 0.5 * gradient.square().sum((1, 2, 3)).mean()


def gradients(value, params, prefix):
    found = torch.autograd.grad(value, list(params.values()), retain_graph=True, allow_unused=True)
    return {
        f'{prefix}/{name}': (torch.zeros_like(leaf) if gradient is None else gradient).numpy()
        for (name, leaf), gradient in zip(params.items(), found)
    }


def main():
    with np.load(sys.argv[1], allow_pickle=False) as found:
        arrays = {name: torch.from_numpy(found[name]) for name in found.files}
    g, d = (
        {
            name.removeprefix(f'{player}/'): array.requires_grad_(True)
            for name, array in arrays.items()
            if name.startswith(f'{player}/')
        }
        for player in 'gd'
    )
    groups, blocks = arrays['groups'].tolist(), int(arrays['blocks'])
    label = arrays['label'].long() if 'label' in arrays else None
    real = arrays['real'].permute(0, 3, 1, 2)

    def critic(x):
        return judge(d, x, label, groups, blocks)

    fake = generate(g, arrays['z'], label, groups, blocks)
    on_real, on_fake = critic(real), critic(fake)
    answer = {'fake': fake.detach().permute(0, 2, 3, 1).numpy()}
    answer |= {'real_logits': on_real.detach().numpy(), 'fake_logits': on_fake.detach().numpy()}
    answer |= gradients(F.softplus(on_real - on_fake).mean(), g, 'g_loss')
    answer |= gradients(F.softplus(critic(fake.detach()) - on_real).mean(), d, 'd_loss')
    answer |= gradients(penalty(critic, real), d, 'r1')
    answer |= gradients(penalty(critic, fake), d, 'r2')
    np.savez(sys.argv[2], **answer)


main()
