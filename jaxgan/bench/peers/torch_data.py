"""Batches from images in memory: bytes picked by index, turned into floats in [-1, 1]."""

import torch


def build(*, device, count, size, batch):
    """Make ``(call, parameters)``; there are no parameters."""
    images = torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, device=device)
    images = images.contiguous(memory_format=torch.channels_last)

    def call():
        index = torch.randint(0, count, (batch,), device=device)
        return (images[index].float() - 127.5) / 127.5

    return call, 0
