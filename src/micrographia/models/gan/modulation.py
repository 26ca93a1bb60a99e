"""Convolutions whose input channels are scaled by a style, image by image, and whose output variance is restored."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from micrographia.models.gan.convolution import conv2d, conv_transpose2d
from micrographia.models.gan.layers import GAIN, EqualisedLinear, rectify
from micrographia.models.gan.resampling import Resampling

EPSILON = 1e-8


def demodulation(weight: Tensor, styles: Tensor) -> Tensor:
    """Factors that bring each output channel back to unit variance.

    Parameters
    ----------
    weight
        ``(outputs, inputs, k, k)``.
    styles
        ``(n, inputs)``.

    Returns
    -------
    Tensor ``(n, outputs)``: ``1 / sqrt(sum over inputs and k x k of (weight * style) ** 2)``.
    """
    return (functional.linear(styles.square(), weight.square().sum((2, 3))) + EPSILON).rsqrt()


def scaled_convolution(images: Tensor, weight: Tensor, styles: Tensor, resampling: Resampling | None = None) -> Tensor:
    """Convolve images, their channels scaled by styles, with weights that all of them share.

    Times `demodulation` this is `grouped_convolution`, and faster: on a CPU by about a fifth, gradients included
    (benchmarks/stylegan2_steps.py).

    Parameters
    ----------
    images
        ``(n, inputs, s, s)``.
    weight
        ``(outputs, inputs, k, k)``.
    styles
        ``(n, inputs)``.
    resampling
        Doubles the side: a transposed convolution of stride 2, then a blur.

    Returns
    -------
    Tensor ``(n, outputs, s, s)``, or of side 2 s.
    """
    scaled = images * styles.to(images.dtype)[:, :, None, None]
    if resampling is None:
        return conv2d(scaled, weight, padding=weight.shape[-1] // 2)
    return resampling.blur(conv_transpose2d(scaled, weight.transpose(0, 1), stride=2), padding=1, gain=4.0)


def grouped_convolution(images: Tensor, weight: Tensor, styles: Tensor, resampling: Resampling | None = None) -> Tensor:
    """Convolve each image with its own modulated and demodulated weights, in n groups, as the paper has it."""
    count, inputs, *side = images.shape
    own = weight * styles[:, None, :, None, None] * demodulation(weight, styles)[:, :, None, None, None]
    stacked = images.reshape(1, count * inputs, *side)
    if resampling is None:
        outputs = conv2d(stacked, own.flatten(0, 1), padding=weight.shape[-1] // 2, groups=count)
    else:
        outputs = conv_transpose2d(stacked, own.transpose(1, 2).flatten(0, 1), stride=2, groups=count)
        outputs = resampling.blur(outputs, padding=1, gain=4.0)
    return outputs.view(count, -1, *outputs.shape[2:])


class StyledConvolution(nn.Module):
    """Modulated 3 x 3 convolution with demodulation, noise, bias and leaky ReLU.

    Parameters
    ----------
    w_dim
        Length of a style code.
    inputs, outputs
        Channels.
    side
        Of the output, in pixels.
    resampling
        Doubles the side; None keeps it.

    References
    ----------
    Karras et al., Analyzing and improving the image quality of StyleGAN, CVPR 2020 (arXiv 1912.04958), section 2.2.
    """

    fixed_noise: Tensor

    def __init__(self, w_dim: int, inputs: int, outputs: int, side: int, resampling: Resampling | None = None):
        super().__init__()
        self.affine = EqualisedLinear(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("fixed_noise", torch.randn(1, 1, side, side))
        self.resampling = resampling
        self.scale = 1 / math.sqrt(inputs * 9)

    def forward(self, images: Tensor, code: Tensor, noise: Tensor | None = None) -> Tensor:
        """``(n, inputs, s, s)`` and codes ``(n, w_dim)`` to ``(n, outputs, side, side)``; None: the fixed noise."""
        styles = self.affine(code)
        weight = self.weight * self.scale
        noise = self.fixed_noise if noise is None else noise
        outputs = scaled_convolution(images, weight, styles, self.resampling)
        # The factor of each image and channel, its bias and the noise, in two passes rather than three.
        factors, bias = demodulation(weight, styles) * GAIN, self.bias * GAIN
        noise = noise * (self.strength * GAIN)
        factors, bias, noise = (term.to(outputs.dtype) for term in (factors, bias, noise))
        return rectify(torch.addcmul(bias[:, None, None], outputs, factors[:, :, None, None]).add_(noise))


class ToImage(nn.Module):
    """Modulated 1 x 1 convolution to the image's channels, without demodulation.

    Each image has its own matrix ``(inputs, channels)``, small enough to be multiplied as such: no scaled copy of the
    activations is made.
    """

    def __init__(self, w_dim: int, inputs: int, channels: int):
        super().__init__()
        self.affine = EqualisedLinear(w_dim, inputs, bias=1.0)
        self.weight = nn.Parameter(torch.randn(channels, inputs))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.scale = 1 / math.sqrt(inputs)

    def forward(self, images: Tensor, code: Tensor) -> Tensor:
        """``(n, inputs, s, s)`` and codes ``(n, w_dim)`` to ``(n, channels, s, s)``."""
        styles = self.affine(code) * self.scale
        matrices = (styles[:, None] * self.weight).transpose(1, 2).to(images.dtype)
        pixels = images.permute(0, 2, 3, 1).flatten(1, 2)  # a view where channels come last in memory
        outputs = torch.bmm(pixels, matrices) + self.bias.to(images.dtype)
        return outputs.unflatten(1, images.shape[2:]).permute(0, 3, 1, 2)
