"""One convolution: forward, gradient in its input, or gradient in its kernel."""

import torch


def build(
    *,
    device,
    direction,
    batch,
    size,
    features,
    kernel,
    stride,
    padding,
    groups,
    transposed,
    dtype,
    channels_last,
):
    """Make ``(call, parameters)`` of one of the three directions.

    Args:
        device: 'cpu' or 'cuda'.
        direction: 'forward', 'input' or 'weight'.
        batch: images.
        size: side of the input.
        features: (in, out).
        kernel: its side.
        stride: of both axes.
        padding: zeros at each side.
        groups: of the features.
        transposed: a transposed convolution.
        dtype: 'float32' or 'bfloat16'.
        channels_last: memory format.
    """
    layout = torch.channels_last if channels_last else torch.contiguous_format
    into, out = features

    def make(*shape):
        x = torch.randn(*shape, device=device, dtype=getattr(torch, dtype))
        return x.contiguous(memory_format=layout)

    x = make(batch, into, size, size)
    w = make(into, out // groups, kernel, kernel) if transposed else make(out, into // groups, kernel, kernel)
    rule = ([stride] * 2, [padding] * 2, [1, 1], transposed, [0, 0], groups)

    def forward():
        with torch.inference_mode():
            return torch.ops.aten.convolution(x, w, None, *rule)

    if direction == 'forward':
        return forward, w.numel()
    y = forward().clone()
    wanted = [direction == 'input', direction == 'weight', False]

    def backward():
        with torch.inference_mode():
            return torch.ops.aten.convolution_backward(y, x, w, None, *rule, wanted)

    return backward, w.numel()
