"""StyleGAN2's pair in PyTorch, with the operations of ``jaxgan.models.stylegan2``: the same parameters, modulation by scaling.

Karras et al. 2020, arXiv 1912.04958, section 2 and figure 7; the sides that compute in a lower precision, arXiv 2006.06676.
"""

import itertools
import math

import torch
import torch.nn.functional as F
from torch import nn

GROUP = 8  # samples that the minibatch deviation compares: arXiv 2006.06676's setting for 256 pixels
LOW, W, LAYERS, MAX, CLAMP = 4, 512, 8, 512, 256.0


def stages(size, width, low):
    """List (side, features, dtype) from 4x4; the largest four sides compute in ``low``."""
    sides = [4 << i for i in range(int(math.log2(size)) - 1)]
    first = max(len(sides) - LOW, 1)
    return [
        (side, min(width * size // side, MAX), low if i >= first else torch.float32)
        for i, side in enumerate(sides)
    ]


def leaky(x, clamp=None):
    """Apply a leaky ReLU with gain sqrt 2, and limit the magnitude."""
    x = F.leaky_relu(x, 0.2) * math.sqrt(2)
    return x if clamp is None else x.clamp(-clamp, clamp)


class Dense(nn.Module):
    """A linear map with an equalized learning rate."""

    def __init__(self, into, out, activate=False, rate=1.0, bias=0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, into) / rate)
        self.bias = nn.Parameter(torch.full((out,), bias / rate))
        self.activate, self.rate = activate, rate

    def forward(self, x):
        """Map [B, C] to [B, out]."""
        y = F.linear(x, self.weight * (self.rate / math.sqrt(x.shape[1])), self.bias * self.rate)
        return leaky(y) if self.activate else y


class Filter(nn.Module):
    """The filter [1, 3, 3, 1] on each channel: a depthwise convolution, or shifts and additions that a compiler can fuse."""

    def __init__(self, shifts):
        super().__init__()
        line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.shifts = shifts
        self.register_buffer('square', line[:, None] * line[None], persistent=False)

    def blur(self, x, padding, gain=1.0, stride=1):
        """Smooth [B, C, H, W]; every ``stride``-th place of it."""
        if not self.shifts:
            kernel = (gain * self.square).to(x.dtype).expand(x.shape[1], 1, 4, 4)
            return F.conv2d(x, kernel, stride=stride, padding=padding, groups=x.shape[1])
        x = F.pad(x, (padding,) * 4)
        for axis in (2, 3):
            parts = [x.narrow(axis, i, x.shape[axis] - 3) for i in range(4)]
            x = (parts[1] + parts[2]) * 0.375 + (parts[0] + parts[3]) * 0.125
        return (x if stride == 1 else x[:, :, ::stride, ::stride]) * gain

    def up(self, x):
        """Double the size of an image."""
        kernel = (4 * self.square).to(x.dtype).expand(x.shape[1], 1, 4, 4)
        return F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=x.shape[1])


class Mapping(nn.Module):
    """From z to w."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*(Dense(W, W, True, 0.01) for _ in range(LAYERS)))

    def forward(self, z):
        """Map [B, 512] to [B, 512]."""
        return self.layers(z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8))


class Modulated(nn.Module):
    """A modulated convolution: the style scales its input, the demodulation its result; for all samples one convolution."""

    def __init__(self, into, out, side, up, filters, dtype, styled=True):
        super().__init__()
        self.style = Dense(W, into, bias=1.0)
        self.kernel = nn.Parameter(torch.randn(out, into, *((3, 3) if styled else (1, 1))))
        self.bias = nn.Parameter(torch.zeros(out))
        self.strength = nn.Parameter(torch.zeros(())) if styled else None
        self.side, self.up, self.filters, self.dtype = side, up, filters, dtype

    def forward(self, x, w):
        """Map [B, C, H, W] and [B, 512] to [B, out, side, side]."""
        style, kernel = self.style(w), self.kernel
        if self.strength is None:
            style = style / math.sqrt(style.shape[1])
        elif self.dtype != torch.float32:  # so that no sum overflows; demodulation undoes it
            biggest = kernel.detach().abs().amax((1, 2, 3), keepdim=True) + 1e-8
            kernel = kernel / (biggest * math.sqrt(kernel[0].numel()))
            style = style / (style.detach().abs().amax(1, keepdim=True) + 1e-8)
        x = x.to(self.dtype) * style[:, :, None, None].to(self.dtype)
        if self.up:
            y = F.conv_transpose2d(x, kernel.to(self.dtype).transpose(0, 1).flip(2, 3), stride=2)
            y = self.filters.blur(y, 1, 4.0)
        else:
            y = F.conv2d(x, kernel.to(self.dtype), padding=kernel.shape[2] // 2)
        bias = self.bias[None, :, None, None]
        if self.strength is None:
            return (y + bias.to(self.dtype)).clamp(-CLAMP, CLAMP).float()
        scale = torch.rsqrt(style.square() @ kernel.square().sum((2, 3)).T + 1e-8)
        noise = torch.randn(len(x), 1, self.side, self.side, device=x.device) * self.strength
        y = y * scale[:, :, None, None].to(self.dtype) + noise.to(self.dtype)
        return leaky(y + bias.to(self.dtype), CLAMP)


class Generator(nn.Module):
    """Styles, and the skip architecture that they modulate."""

    def __init__(self, size, width, low, shifts):
        super().__init__()
        self.mapping, self.filters = Mapping(), Filter(shifts)
        found = stages(size, width, low)
        self.constant = nn.Parameter(torch.randn(1, found[0][1], 4, 4))
        self.convs, self.shown, before = nn.ModuleList(), nn.ModuleList(), found[0][1]
        for side, features, dtype in found:
            for up in (False,) if side == 4 else (True, False):
                self.convs.append(Modulated(before, features, side, up, self.filters, dtype))
                before = features
            self.shown.append(Modulated(features, 3, side, False, self.filters, dtype, styled=False))

    def styles(self, z, mixing):
        """Map [B, 512] to w [B, layers, 512], with another latent's in the last layers of so many samples."""
        n, layers = len(z), 2 * len(self.shown)
        w, other = self.mapping(torch.cat([z, torch.randn_like(z)])).split(n)
        place = torch.where(torch.rand(n, device=z.device) < mixing, torch.rand(n, device=z.device), 1.0)
        own = torch.arange(layers, device=z.device)[None] < 1 + (place * (layers - 1)).floor()[:, None]
        return torch.where(own[..., None], w[:, None], other[:, None])

    def paint(self, w):
        """Map w [B, layers, 512] to images [B, 3, H, W]."""
        x = self.constant.expand(len(w), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        image = None
        for i, conv in enumerate(self.convs):
            x = conv(x, w[:, i])
            if i % 2 == 0:
                shown = self.shown[i // 2](x, w[:, i + 1])
                image = shown if image is None else self.filters.up(image) + shown
        return image

    def forward(self, z, mixing=0.9):
        """Map latents to images."""
        return self.paint(self.styles(z, mixing))


class Conv(nn.Module):
    """A convolution with an equalized learning rate; of half the size where asked."""

    def __init__(self, into, out, filters, dtype, *, side=3, down=False, activate=True, gain=1.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, into, side, side))
        self.bias = nn.Parameter(torch.zeros(out)) if activate else None
        self.filters, self.dtype, self.down, self.gain = filters, dtype, down, gain

    def forward(self, x):
        """Map [B, C, H, W]."""
        kernel = (self.weight / math.sqrt(self.weight[0].numel())).to(self.dtype)
        x, side = x.to(self.dtype), kernel.shape[2]
        if self.down and side == 3:
            y = F.conv2d(self.filters.blur(x, 2), kernel, stride=2)
        else:
            y = F.conv2d(self.filters.blur(x, 1, stride=2) if self.down else x, kernel, padding=side // 2)
        if self.bias is not None:
            y = leaky(y + self.bias[None, :, None, None].to(self.dtype), CLAMP)
        return y * self.gain


class Discriminator(nn.Module):
    """Residual blocks, the minibatch deviation, two dense layers."""

    def __init__(self, size, width, low, shifts):
        super().__init__()
        filters, found = Filter(shifts), stages(size, width, low)[::-1]
        self.filters, half = filters, math.sqrt(0.5)
        self.seen = Conv(3, found[0][1], filters, found[0][2], side=1)
        self.blocks = nn.ModuleList()
        for (_, features, dtype), (_, out, _) in itertools.pairwise(found):
            main = nn.Sequential(
                Conv(features, features, filters, dtype),
                Conv(features, out, filters, dtype, down=True, gain=half),
            )
            skip = Conv(features, out, filters, dtype, side=1, down=True, activate=False, gain=half)
            self.blocks.append(nn.ModuleDict({'main': main, 'skip': skip}))
        last = found[-1][1]
        self.conv = Conv(last + 1, last, filters, torch.float32)
        self.dense, self.logit = Dense(16 * last, last, True), Dense(last, 1)

    def forward(self, image):
        """Map images [B, 3, H, W] to logits [B]."""
        x = self.seen(image)
        for block in self.blocks:
            x = block['main'](x) + block['skip'](x)
        x = x.float()
        group = min(GROUP, len(x))
        grouped = x.reshape(len(x) // group, group, -1)
        value = (grouped.var(1, unbiased=False) + 1e-8).sqrt().mean(1)
        value = value.repeat_interleave(group)[:, None, None, None].expand(-1, 1, *x.shape[2:])
        h = self.conv(torch.cat([x, value], 1))
        return self.logit(self.dense(h.flatten(1)))[:, 0]
