"""Training steps: non-saturating for the DCGAN and MLP pairs, relativistic with R1 and R2 for the R3GAN-like pair."""

import torch
import torch.nn.functional as F
from torch_models import pair


def count(module):
    """Count a network's parameters."""
    return sum(p.numel() for p in module.parameters())


def build(*, device, model, batch, dtype='float32', compile=False, channels_last=True, **shape):
    """Make ``(call, parameters)`` of one step with both updates, on the same fakes.

    Args:
        device: 'cpu' or 'cuda'.
        model: 'dcgan', 'r3gan' or 'mlp'.
        batch: real images a step.
        dtype: 'bfloat16' is autocast.
        compile: by torch.compile. A penalty's second derivative is beyond it: there D stays eager in its own step.
        channels_last: memory format of images and kernels.
        **shape: of the networks.
    """
    g, d = (net.to(device) for net in pair(model, **shape))
    layout = torch.channels_last if channels_last and model != 'mlp' else torch.contiguous_format
    if model == 'mlp':
        real = torch.rand(batch, 784, device=device) * 2 - 1
    else:
        g, d = g.to(memory_format=layout), d.to(memory_format=layout)
        size = shape.get('size', 64)
        real = (torch.rand(batch, 3, size, size, device=device) * 2 - 1).contiguous(memory_format=layout)
    betas = (0.0, 0.99) if model == 'r3gan' else (0.5, 0.999)
    optimizers = [torch.optim.Adam(net.parameters(), 2e-4, betas, fused=True) for net in (g, d)]
    fast_g, fast_d = (torch.compile(g), torch.compile(d)) if compile else (g, d)
    latent_dim = 64 if model == 'r3gan' else 100
    losses = relativistic if model == 'r3gan' else non_saturating
    d_loss, g_loss = losses(d if model == 'r3gan' else fast_d, fast_d, real, mixes=model == 'dcgan')
    autocast = dict(device_type=device, dtype=torch.bfloat16, enabled=dtype == 'bfloat16')

    def step():
        g_tx, d_tx = optimizers
        d_tx.zero_grad(set_to_none=True)
        with torch.autocast(**autocast):
            fake = fast_g(torch.randn(batch, latent_dim, device=device))
            loss = d_loss(fake.detach())
        loss.backward()
        d_tx.step()
        g_tx.zero_grad(set_to_none=True)
        d.requires_grad_(False)
        with torch.autocast(**autocast):
            loss = g_loss(fake)
        loss.backward()
        g_tx.step()
        d.requires_grad_(True)

    return step, [count(g), count(d)]


def non_saturating(d_train, d_frozen, real, mixes):
    """Goodfellow et al. 2014; real and fake in one pass, unless the network mixes samples."""

    def d_loss(fake):
        if mixes:
            on_real, on_fake = d_train(real), d_train(fake)
        else:
            on_real, on_fake = d_train(torch.cat([real, fake])).split(len(real))
        return F.softplus(-on_real.float()).mean() + F.softplus(on_fake.float()).mean()

    def g_loss(fake):
        return F.softplus(-d_frozen(fake).float()).mean()

    return d_loss, g_loss


def relativistic(d_train, d_frozen, real, mixes):
    """Huang et al. 2025, with R1 and R2 of weight 1 in one pass over real and fake."""
    del mixes
    n = len(real)

    def d_loss(fake):
        x = torch.cat([real, fake]).requires_grad_()
        logits = d_train(x)
        (slope,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
        return F.softplus(logits[n:] - logits[:n]).mean() + 0.5 * slope.square().sum() / n

    def g_loss(fake):
        logits = d_frozen(torch.cat([real, fake]))
        return F.softplus(logits[:n] - logits[n:]).mean()

    return d_loss, g_loss
