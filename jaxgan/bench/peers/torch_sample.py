"""Images from a trained DCGAN generator, batch normalization folded into the kernels."""

import os
import tempfile

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch_models import To4x4, pair
from torch_steps import count


def fold(generator):
    """Fold each batch normalization into the layer before it."""
    layers, folded = list(generator.eval()), []
    for layer in layers:
        if not isinstance(layer, nn.BatchNorm2d):
            folded.append(layer)
        elif isinstance(folded[-1], To4x4):
            folded[-2] = _fold_linear(folded[-2], layer)
        else:
            folded[-1] = fuse_conv_bn_eval(folded[-1], layer, transpose=True)
    return nn.Sequential(*folded)


def _fold_linear(linear, norm):
    scale = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).repeat(16)
    shift = (norm.bias - norm.running_mean * norm.weight / torch.sqrt(norm.running_var + norm.eps)).repeat(16)
    fused = nn.Linear(linear.in_features, linear.out_features)
    with torch.no_grad():
        fused.weight.copy_(linear.weight * scale[:, None])
        fused.bias.copy_(shift)
    return fused


def build(*, device, batch, dtype, runtime, size=64, width=64):
    """Make ``(call, parameters)``; the parameters are those before folding.

    Args:
        device: 'cpu' or 'cuda'.
        batch: images at once.
        dtype: 'bfloat16' is autocast.
        runtime: 'eager', 'compile' or 'onnxruntime'.
        size: side of the images.
        width: the generator's.
    """
    generator, _ = pair('dcgan', size=size, width=width)
    parameters = count(generator)
    generator = fold(generator)
    if runtime == 'onnxruntime':
        return _onnx(generator, batch), parameters
    generator = generator.to(device).to(memory_format=torch.channels_last)
    run = torch.compile(generator) if runtime == 'compile' else generator
    z = torch.randn(batch, 100, device=device)

    def call():
        with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=dtype == 'bfloat16'):
            return run(z)

    return call, parameters


def _onnx(generator, batch):
    import onnxruntime

    z = torch.randn(batch, 100)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'generator.onnx')
        torch.onnx.export(generator, (z,), path, input_names=['z'], output_names=['x'], dynamo=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(path, options, onnxruntime.get_available_providers())
    feed = {'z': z.numpy()}
    return lambda: session.run(None, feed)
