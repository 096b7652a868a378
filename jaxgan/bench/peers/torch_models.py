"""The networks of ``jaxgan.models`` in PyTorch: the same layers, so the same parameters and operations."""

import itertools
import math

import torch
import torch.nn.functional as F
from torch import nn

MAX_WIDTH = 512


def pair(model, *, size=64, width=64, norm='batch', widths=(), groups=(), blocks=1, **_):
    """Make generator and discriminator."""
    if model == 'dcgan':
        return dcgan_generator(size, width, norm), dcgan_discriminator(size, width, norm)
    if model == 'r3gan':
        return R3Generator(widths, groups, blocks), R3Discriminator(widths, groups, blocks)
    return mlp((100, 256, 512, 1024, 784), nn.Tanh()), nn.Sequential(mlp((784, 512, 256, 1)), Flat())


class Flat(nn.Module):
    """[B, 1] to [B]."""

    def forward(self, x):
        """Flatten."""
        return x[:, 0]


class To4x4(nn.Module):
    """[B, 16 C] to [B, C, 4, 4], channels last without a copy."""

    def forward(self, x):
        """Reshape."""
        return x.view(x.shape[0], 4, 4, -1).permute(0, 3, 1, 2)


def _active(features, norm):
    if norm == 'batch':
        return [nn.BatchNorm2d(features), nn.ReLU(True)]
    return [nn.LeakyReLU(0.2, True)]


def dcgan_generator(size, width, norm, latent_dim=100):
    """Radford et al. 2015: linear to 4x4, transposed 4x4 convolutions, tanh."""
    doublings = int(math.log2(size)) - 2
    first, *rest = [min(width << i, MAX_WIDTH) for i in reversed(range(doublings))]
    bias = norm == 'none'
    layers = [nn.Linear(latent_dim, 16 * first, bias=bias), To4x4(), *_active(first, norm)]
    before = first
    for features in rest:
        layers += [nn.ConvTranspose2d(before, features, 4, 2, 1, bias=bias), *_active(features, norm)]
        before = features
    return nn.Sequential(*layers, nn.ConvTranspose2d(before, 3, 4, 2, 1), nn.Tanh())


def dcgan_discriminator(size, width, norm):
    """Radford et al. 2015: 4x4 convolutions with stride 2 down to 4x4, then linear."""
    layers, before = [], 3
    for i in range(int(math.log2(size)) - 2):
        features, own = min(width << i, MAX_WIDTH), norm if i else 'none'
        layers.append(nn.Conv2d(before, features, 4, 2, 1, bias=own == 'none'))
        layers += [nn.BatchNorm2d(features)] if own == 'batch' else []
        layers.append(nn.LeakyReLU(0.2, True))
        before = features
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * before, 1), Flat())


def mlp(sizes, last=None):
    """Linear layers with leaky ReLU between them."""
    layers = []
    for i, (a, b) in enumerate(itertools.pairwise(sizes)):
        layers.append(nn.Linear(a, b))
        layers += [nn.LeakyReLU(0.2)] if i < len(sizes) - 2 else []
    return nn.Sequential(*layers, *([last] if last else []))


class R3Block(nn.Module):
    """Huang et al. 2025: 1x1 to twice the features, grouped 3x3, 1x1 back, added."""

    def __init__(self, features, groups):
        super().__init__()
        self.widen = nn.Conv2d(features, 2 * features, 1)
        self.group = nn.Conv2d(2 * features, 2 * features, 3, padding=1, groups=groups)
        self.narrow = nn.Conv2d(2 * features, features, 1, bias=False)
        nn.init.zeros_(self.narrow.weight)

    def forward(self, x):
        """Map [B, C, H, W] to the same shape."""
        h = F.leaky_relu(self.group(F.leaky_relu(self.widen(x), 0.2)), 0.2)
        return x + self.narrow(h)


def stage(features, groups, blocks):
    """Make the blocks of one resolution."""
    return nn.Sequential(*(R3Block(features, groups) for _ in range(blocks)))


class Resample(nn.Module):
    """The filter [1, 3, 3, 1] by depthwise convolutions; one axis after the other is the fastest way down."""

    def __init__(self, up):
        super().__init__()
        line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.up = up
        self.register_buffer('square', 4 * line[:, None] * line[None], persistent=False)
        self.register_buffer('line', line, persistent=False)

    def forward(self, x):
        """Double or halve the size."""
        c, dtype = x.shape[1], x.dtype
        if self.up:
            kernel = self.square.to(dtype).expand(c, 1, 4, 4)
            return F.conv_transpose2d(x, kernel, stride=2, padding=1, groups=c)
        line = self.line.to(dtype)
        rows = line.view(1, 1, 4, 1).expand(c, 1, 4, 1)
        columns = line.view(1, 1, 1, 4).expand(c, 1, 1, 4)
        h = F.conv2d(x, rows, stride=(2, 1), padding=(1, 0), groups=c)
        return F.conv2d(h, columns, stride=(1, 2), padding=(0, 1), groups=c)


class R3Generator(nn.Module):
    """A 4x4 basis scaled by the latent, then blocks in each stage; equal widths."""

    def __init__(self, widths, groups, blocks, latent_dim=64):
        super().__init__()
        width = widths[0]
        self.basis = nn.Parameter(torch.randn(width, 4, 4))
        self.scale = nn.Linear(latent_dim, width, bias=False)
        self.stages = nn.ModuleList([stage(w, g, blocks) for w, g in zip(widths, groups)])
        self.up = Resample(up=True)
        self.to_image = nn.Conv2d(widths[-1], 3, 1, bias=False)

    def forward(self, z):
        """Map latents [B, Z] to images [B, 3, H, W]."""
        x = self.basis * self.scale(z)[:, :, None, None]
        x = x.contiguous(memory_format=torch.channels_last)
        for i, stage in enumerate(self.stages):
            x = stage(self.up(x) if i else x)
        return self.to_image(x)


class R3Discriminator(nn.Module):
    """The generator's stages in reverse, a 4x4 depthwise convolution, a linear map."""

    def __init__(self, widths, groups, blocks):
        super().__init__()
        width = widths[0]
        self.from_image = nn.Conv2d(3, widths[-1], 1, bias=False)
        pairs = list(zip(widths, groups))[::-1]
        self.stages = nn.ModuleList([stage(w, g, blocks) for w, g in pairs])
        self.down = Resample(up=False)
        self.pool = nn.Conv2d(width, width, 4, groups=width, bias=False)
        self.logit = nn.Linear(width, 1, bias=False)

    def forward(self, x):
        """Map images [B, 3, H, W] to logits [B]."""
        x = self.from_image(x)
        for i, stage in enumerate(self.stages):
            x = stage(self.down(x) if i else x)
        return self.logit(self.pool(x)[:, :, 0, 0])[:, 0]
