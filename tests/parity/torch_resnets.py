"""PyTorch's side of tests/parity/test_sngan.py: DCGAN and SNGAN by torch.nn.functional, from the papers, in float64.

Called as ``python torch_resnets.py inputs.npz outputs.npz``. Reads ``case``, the parameters by their Flax paths
(``params/...``), ``input``, ``label`` and ``cotangent``; writes ``output`` and the gradients of ``sum(output * cotangent)``:
``gradient/...`` and ``gradient/input``. Nothing here imports jaxgan.
"""

import sys

import numpy as np
import torch
import torch.nn.functional as F


class Layers:
    """Layers that take their weights by Flax's paths, from Flax's layouts; tensors between them are NCHW."""

    def __init__(self, weights, label, prefix=''):
        self.weights, self.label, self.prefix = weights, label, prefix

    def __getitem__(self, name):
        return self.weights[self.prefix + name]

    def within(self, name):
        return Layers(self.weights, self.label, f'{self.prefix}{name}/')

    def bias(self, name):
        return self.weights.get(f'{self.prefix}{name}/bias')

    def dense(self, name, x):
        return F.linear(x, self[name + '/kernel'].T, self.bias(name))

    def start(self, name, z, side):
        """A linear layer to [B, side, side, C], whose features Flax orders positions first."""
        x = self.dense(name, z)
        return x.reshape(len(z), side, side, -1).permute(0, 3, 1, 2)

    def conv(self, name, x, stride=1, padding=None):
        weight = self[name + '/kernel'].permute(3, 2, 0, 1)
        padding = weight.shape[-1] // 2 if padding is None else padding
        return F.conv2d(x, weight, self.bias(name), stride, padding)

    def transposed(self, name, x):
        """ConvTranspose2d(4, 2, 1), whose kernel PyTorch turns round and Flax does not."""
        weight = self[name + '/kernel'].flip(0, 1).permute(2, 3, 0, 1)
        return F.conv_transpose2d(x, weight, self.bias(name), 2, 1)

    def norm(self, name, x):
        return F.batch_norm(x, None, None, self[name + '/scale'], self[name + '/bias'], True)

    def conditional_norm(self, name, x):
        """De Vries et al. 2017: a gain and a bias for each class; without classes one for all."""
        if f'{self.prefix}{name}/gain/embedding' not in self.weights:
            return self.norm(name + '/BatchNorm_0', x)
        gain, bias = (
            self[f'{name}/{part}/embedding'][self.label][:, :, None, None] for part in ('gain', 'bias')
        )
        return F.batch_norm(x, None, None, None, None, True) * (1 + gain) + bias


def up_block(layers, x, label=None):
    """SNGAN, appendix B.4: the shortcut is convolved after its up-sampling."""
    h = F.interpolate(F.relu(layers.conditional_norm('ConditionalBatchNorm_0', x)), scale_factor=2)
    h = layers.conv('Conv_0', h)
    h = layers.conv('Conv_1', F.relu(layers.conditional_norm('ConditionalBatchNorm_1', h)))
    return h + layers.conv('Conv_2', F.interpolate(x, scale_factor=2))


def down_block(layers, x, down=True, first=False):
    """SNGAN, appendix B.4, and the block that sees the image; inner blocks pool their shortcut after its convolution."""
    h = layers.conv('Conv_1', F.relu(layers.conv('Conv_0', x if first else F.relu(x))))
    if first:
        return F.avg_pool2d(h, 2) + layers.conv('Conv_2', F.avg_pool2d(x, 2))
    if layers.prefix + 'Conv_2/kernel' in layers.weights:
        x = layers.conv('Conv_2', x)
    return F.avg_pool2d(h, 2) + F.avg_pool2d(x, 2) if down else h + x


def sngan_generator(layers, z):
    """Table 4 a."""
    x = layers.start('Dense_0', z, 4)
    for i in range(3):
        x = up_block(layers.within(f'UpBlock_{i}'), x)
    return torch.tanh(layers.conv('Conv_0', F.relu(layers.norm('BatchNorm_0', x))))


def projected(layers, evidence, pooled):
    """Miyato and Koyama 2018, equation 3."""
    return layers.dense('Dense_0', evidence)[:, 0] + (pooled * layers['Embed_0/embedding'][layers.label]).sum(
        1
    )


def sngan_discriminator(layers, x):
    """Table 4 b."""
    for i, down in enumerate((True, True, False, False)):
        x = down_block(layers.within(f'DownBlock_{i}'), x, down, first=i == 0)
    pooled = F.relu(x).sum((2, 3))
    return projected(layers.within('Head_0'), pooled, pooled)


def dcgan_generator(layers, z):
    """Radford et al. 2015, figure 1, to 16 pixels."""
    x = F.relu(layers.norm('BatchNorm_0', layers.start('Dense_0', z, 4)))
    x = F.relu(layers.norm('BatchNorm_1', layers.transposed('ConvTranspose_0', x)))
    return torch.tanh(layers.transposed('ConvTranspose_1', x))


def dcgan_discriminator(layers, x):
    """Radford et al. 2015, section 3: no normalization behind the first layer."""
    x = F.leaky_relu(layers.conv('Conv_0', x, 2, 1), 0.2)
    x = F.leaky_relu(layers.norm('BatchNorm_0', layers.conv('Conv_1', x, 2, 1)), 0.2)
    return projected(layers, x.permute(0, 2, 3, 1).flatten(1), x.sum((2, 3)))


CASES = {
    'up_block': up_block,
    'down_block': down_block,
    'same_block': lambda layers, x: down_block(layers, x, down=False),
    'first_block': lambda layers, x: down_block(layers, x, first=True),
    'sngan_generator': sngan_generator,
    'sngan_discriminator': sngan_discriminator,
    'dcgan_generator': dcgan_generator,
    'dcgan_discriminator': dcgan_discriminator,
}


def nchw(x):
    return x.permute(0, 3, 1, 2) if x.ndim == 4 else x


def nhwc(x):
    return x.permute(0, 2, 3, 1) if x.ndim == 4 else x


def main(inputs, outputs):
    with np.load(inputs, allow_pickle=False) as found:
        arrays = dict(found)
    case, label = str(arrays.pop('case')), torch.from_numpy(arrays.pop('label')).long()
    tensors = {name: torch.from_numpy(values).double().requires_grad_() for name, values in arrays.items()}
    cotangent = tensors.pop('cotangent').detach()
    weights = {
        name.removeprefix('params/'): value for name, value in tensors.items() if name.startswith('params/')
    }
    output = nhwc(CASES[case](Layers(weights, label), nchw(tensors['input'])))
    (output * cotangent).sum().backward()
    named = {'gradient/' + name: value.grad for name, value in weights.items()}
    named |= {'output': output.detach(), 'gradient/input': tensors['input'].grad}
    np.savez(outputs, **{name: value.numpy() for name, value in named.items()})


if __name__ == '__main__':
    main(*sys.argv[1:])
