"""StyleGAN2's training: both updates on the same fakes, R1 each 16 steps, the path length each 4."""

import math

import torch
import torch.nn.functional as F
from torch_steps import count
from torch_stylegan2 import Discriminator, Generator

R1_EVERY, PATH_EVERY, PATH_WEIGHT, SHRINK, DECAY = 16, 4, 2.0, 2, 0.01


def build(
    *,
    device,
    batch,
    size,
    width,
    dtype='float32',
    compile=False,
    shifts=False,
    channels_last=True,
    **_,
):
    """Make ``(call, parameters)`` of one step.

    Args:
        device: 'cpu' or 'cuda'.
        batch: real images a step.
        size: side of the images.
        width: features at that side.
        dtype: of the four largest sides.
        compile: by torch.compile, where no second derivative is needed: that is beyond it.
        shifts: filter by shifts and additions.
        channels_last: memory format of images and kernels.
        **_: of other models.
    """
    low = getattr(torch, dtype)
    g, d = Generator(size, width, low, shifts).to(device), Discriminator(size, width, low, shifts).to(device)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    g, d = g.to(memory_format=layout), d.to(memory_format=layout)
    real = (torch.rand(batch, 3, size, size, device=device) * 2 - 1).contiguous(memory_format=layout)
    fast_g, fast_d = (torch.compile(g), torch.compile(d)) if compile else (g, d)
    g_tx, d_tx = (torch.optim.Adam(net.parameters(), 2.5e-3, (0.0, 0.99), fused=True) for net in (g, d))
    mean = torch.zeros((), device=device)
    done = 0

    def d_step(fake):
        loss = F.softplus(fast_d(fake.detach())).mean()
        if done % R1_EVERY:
            loss = loss + F.softplus(-fast_d(real)).mean()
        else:
            x = real.detach().requires_grad_()
            logits = d(x)
            (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
            loss = loss + F.softplus(-logits).mean() + R1_EVERY * 0.5 * slope.square().sum() / batch
        update(d_tx, loss)

    def g_step(fake):
        d.requires_grad_(False)
        update(g_tx, F.softplus(-fast_d(fake)).mean())
        d.requires_grad_(True)

    def path_step():
        w = g.styles(torch.randn(batch // SHRINK, 512, device=device), 0.9)
        image = g.paint(w)
        noise = torch.randn_like(image) / math.sqrt(image.shape[2] * image.shape[3])
        (pulled,) = torch.autograd.grad((image * noise).sum(), w, create_graph=True)
        lengths = (pulled.square().sum(2).mean(1) + 1e-12).sqrt()
        loss = PATH_WEIGHT * PATH_EVERY * (lengths - mean).square().mean()
        mean.lerp_(lengths.mean().detach(), DECAY)
        update(g_tx, loss)

    def step():
        nonlocal done
        fake = fast_g(torch.randn(batch, 512, device=device))
        d_step(fake)
        g_step(fake)
        if done % PATH_EVERY == 0:
            path_step()
        done += 1

    return step, [count(g), count(d)]


def update(tx, loss):
    """Take an optimizer step."""
    tx.zero_grad(set_to_none=True)
    loss.backward()
    tx.step()
