"""StyleGAN2 in PyTorch, written from the papers, with a kernel of its own for each sample: for test_parity_stylegan2.py.

Runs in a Python that has PyTorch: ``python torch_stylegan2.py INPUTS.npz OUTPUTS.npz``. Parameters come under our names, and
their gradients go back under them.

References:
    Karras et al. 2020, arXiv 1912.04958, section 2 and figure 2; arXiv 2006.06676 for classes.
"""

import math
import sys

import numpy as np
import torch
import torch.nn.functional as F

TAPS = torch.tensor([1.0, 3.0, 3.0, 1.0], dtype=torch.float64)


class Weights:
    """Parameters by path: ``weights('painter/conv_0')['kernel']``."""

    def __init__(self, tensors, prefix):
        self.tensors, self.prefix = tensors, prefix

    def __truediv__(self, name):
        return Weights(self.tensors, f'{self.prefix}{name}/')

    def __getitem__(self, name):
        return self.tensors[self.prefix + name]

    def has(self, name):
        return any(path.startswith(self.prefix + name) for path in self.tensors)


def oihw(kernel):
    return kernel.permute(3, 2, 0, 1)


def fir(x, pads, gain=1.0):
    """Filter each channel with the outer product of [1, 3, 3, 1] / 8."""
    kernel = torch.outer(TAPS, TAPS) / 64 * gain
    n = x.shape[1]
    return F.conv2d(F.pad(x, pads), kernel.expand(n, 1, 4, 4), groups=n)


def dilated(x):
    out = x.new_zeros(x.shape[0], x.shape[1], 2 * x.shape[2], 2 * x.shape[3])
    out[:, :, ::2, ::2] = x
    return out


def upsample(x):
    return fir(dilated(x), (2, 1, 2, 1), 4.0)


def downsample(x):
    return fir(x, (1, 1, 1, 1))[:, :, ::2, ::2]


def lrelu(x):
    return F.leaky_relu(x, 0.2) * math.sqrt(2)


def dense(weights, x, activate=False, rate=1.0):
    y = x @ (weights['kernel'] * rate / math.sqrt(x.shape[1])) + weights['bias'] * rate
    return lrelu(y) if activate else y


def unit(x):
    return x / torch.sqrt(x.square().mean(1, keepdim=True) + 1e-8)


def mapping(weights, z, label, layers):
    parts = [] if z is None else [unit(z)]
    table = (weights / 'Embed_0')['embedding']
    one_hot = F.one_hot(label, table.shape[0]).to(table.dtype)
    parts.append(unit(one_hot @ table / math.sqrt(table.shape[0]) + weights['bias']))
    x = torch.cat(parts, 1)
    for i in range(layers):
        x = dense(weights / f'EqualDense_{i}', x, True, 0.01)
    return x


def styled(weights, x, w, up):
    """Each sample by itself, with the kernel that its style makes."""
    style = dense(weights / 'style', w)
    found = []
    for i in range(len(x)):
        kernel = oihw(weights['kernel']) * style[i][None, :, None, None]
        kernel = kernel / torch.sqrt(kernel.square().sum((1, 2, 3), keepdim=True) + 1e-8)
        one = x[i : i + 1]
        if up:  # zeros between the pixels, the kernel, then the filter, on a plane of zeros; the middle of it
            wide = F.conv2d(F.pad(dilated(one), (4, 4, 4, 4)), kernel)
            wide = fir(wide, (0, 0, 0, 0), 4.0)
            found.append(wide[:, :, 1 : 1 + 2 * one.shape[2], 1 : 1 + 2 * one.shape[3]])
        else:
            found.append(F.conv2d(one, kernel, padding=1))
    return torch.cat(found)


def generator(weights, noise, z, label, sides):
    w = mapping(weights / 'mapper', z, label, 2)
    painter = weights / 'painter'
    x = painter['constant'].permute(2, 0, 1)[None].expand(len(z), -1, -1, -1)
    image, layer = None, 0
    for side in sides:
        for up in (False,) if side == 4 else (True, False):
            part = painter / f'conv_{layer}'
            x = styled(part, x, w, up)
            x = x + part['noise_strength'] * noise[f'painter/conv_{layer}/image'][None, None]
            x = lrelu(x + part['bias'][None, :, None, None])
            layer += 1
        part = painter / f'to_image_{side}'
        style = dense(part / 'style', w) / math.sqrt(x.shape[1])
        shown = torch.cat(
            [
                F.conv2d(x[i : i + 1], oihw(part['kernel']) * style[i][None, :, None, None])
                for i in range(len(x))
            ]
        )
        shown = shown + part['bias'][None, :, None, None]
        image = shown if image is None else upsample(image) + shown
    return image


def conv(weights, x, down=False, activate=True):
    kernel = oihw(weights['kernel'])
    kernel = kernel / math.sqrt(kernel[0].numel())
    if down and kernel.shape[2] == 3:
        y = F.conv2d(fir(x, (2, 2, 2, 2)), kernel, stride=2)
    else:
        y = F.conv2d(downsample(x) if down else x, kernel, padding=kernel.shape[2] // 2)
    return lrelu(y + weights['bias'][None, :, None, None]) if activate else y


def deviation(x, group):
    parts = []
    for start in range(0, len(x), group):
        part = x[start : start + group]
        value = torch.sqrt(part.var(0, unbiased=False) + 1e-8).mean()
        parts.append(value.expand(len(part), 1, *x.shape[2:]))
    return torch.cat([x, torch.cat(parts)], 1)


def discriminator(weights, image, label, sides, group):
    x = None
    for side in reversed(sides):
        if weights.has(f'from_image_{side}'):
            seen = conv(weights / f'from_image_{side}', image)
            x = seen if x is None else x + seen
            image = downsample(image) if side > 4 else image
        if side > 4:
            block = weights / f'block_{side}'
            h = conv(block / 'conv_1', conv(block / 'conv_0', x), down=True)
            if block.has('skip'):
                h = (h + conv(block / 'skip', x, down=True, activate=False)) / math.sqrt(2)
            x = h
    h = conv(weights / 'conv', deviation(x, group))
    h = dense(weights / 'dense', h.permute(0, 2, 3, 1).flatten(1), True)
    h = dense(weights / 'logit', h)
    mapped = mapping(weights / 'mapper', None, label, 2)
    return (h * mapped).sum(1) / math.sqrt(h.shape[1])


def main(source, target):
    with np.load(source, allow_pickle=False) as arrays:
        arrays = dict(arrays)
    tensors = {
        name: torch.tensor(values, dtype=torch.float64 if values.dtype.kind == 'f' else torch.int64)
        for name, values in arrays.items()
    }
    params = {
        name: values.requires_grad_() for name, values in tensors.items() if name.startswith(('g/', 'd/'))
    }
    noise = {
        name.removeprefix('noise/'): values for name, values in tensors.items() if name.startswith('noise/')
    }
    images = tensors['images'].permute(0, 3, 1, 2).requires_grad_()
    label, sides = tensors['label'], [side for side in (4, 8, 16) if side <= images.shape[2]]
    fake = generator(Weights(params, 'g/'), noise, tensors['z'], label, sides)
    logits = discriminator(Weights(params, 'd/'), images, label, sides, 2)
    on_fake = discriminator(Weights(params, 'd/'), fake, label, sides, 2)
    # R1 through the minibatch deviation, and a loss that reaches G through D
    slope = torch.autograd.grad(logits.sum(), images, create_graph=True)[0]
    penalty = slope.square().sum((1, 2, 3)).mean() / 2
    loss = F.softplus(-logits).mean() + F.softplus(on_fake).mean() + penalty
    names = list(params)
    gradients = torch.autograd.grad(loss, [params[name] for name in names])
    found = {f'gradient/{name}': gradient for name, gradient in zip(names, gradients)}
    found |= {'image': fake.permute(0, 2, 3, 1), 'logits': logits, 'loss': loss, 'penalty': penalty}
    np.savez(target, **{name: values.detach().numpy() for name, values in found.items()})


main(*sys.argv[1:])
