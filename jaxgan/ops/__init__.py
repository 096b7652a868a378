"""Convolutions that are fast on every platform, to every order of differentiation; resampling by two; the norm of a tree."""

from jaxgan.ops.conv import conv, conv_transpose
from jaxgan.ops.native import portable, uncompiled
from jaxgan.ops.norm import norm
from jaxgan.ops.resample import blur2d, downsample2d, upsample2d

__all__ = ['blur2d', 'conv', 'conv_transpose', 'downsample2d', 'norm', 'portable', 'uncompiled', 'upsample2d']
