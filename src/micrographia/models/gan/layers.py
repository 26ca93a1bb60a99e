"""Layers with an equalised learning rate: weights are drawn from N(0, 1) and scaled where they are used.

Leaky ReLUs are followed by a gain of sqrt(2), which keeps the variance. Since they are positively homogeneous, the gain
is multiplied into weights and biases before them: that is one pass over the activations less.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from micrographia.models.gan.convolution import conv2d

SLOPE = 0.2
GAIN = math.sqrt(2)


def rectify(values: Tensor) -> Tensor:
    """Leaky ReLU of slope .2, in place; the gain is in the weights."""
    return functional.leaky_relu(values, SLOPE, inplace=True)


class EqualisedLinear(nn.Module):
    """Linear layer whose weights are scaled by ``rate / sqrt(inputs)`` at use.

    Parameters
    ----------
    inputs, outputs
        Lengths.
    rectified
        Whether a leaky ReLU follows.
    rate
        Learning rate relative to that of other layers (mapping network: .01).
    bias
        Initial bias.

    References
    ----------
    Karras et al., Progressive growing of GANs, ICLR 2018 (arXiv 1710.10196), section 4.1.

    Examples
    --------
    >>> EqualisedLinear(3, 5)(torch.zeros(2, 3)).shape
    torch.Size([2, 5])
    """

    def __init__(self, inputs: int, outputs: int, rectified: bool = False, rate: float = 1.0, bias: float = 0.0):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias / rate))
        self.rectified = rectified
        gain = GAIN if rectified else 1.0
        self.scale, self.bias_scale = gain * rate / math.sqrt(inputs), gain * rate

    def forward(self, values: Tensor) -> Tensor:
        """``(n, inputs)`` to ``(n, outputs)``."""
        outputs = functional.linear(values, self.weight * self.scale, self.bias * self.bias_scale)
        return rectify(outputs) if self.rectified else outputs


class EqualisedConv2d(nn.Module):
    """Convolution whose weights are scaled by ``gain / sqrt(inputs * kernel ** 2)`` at use.

    Parameters
    ----------
    inputs, outputs
        Channels.
    kernel
        Side of the kernel, odd; the image is padded to keep its size, or not at all where ``stride`` is 2.
    stride
        1, or 2 behind a blur that has padded the image.
    rectified
        Whether a leaky ReLU follows.
    biased
        Whether there is a bias, at first 0.
    gain
        Factor on the output.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        rectified: bool = False,
        biased: bool = True,
        gain: float = 1.0,
    ):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if biased else None
        self.stride = stride
        self.padding = kernel // 2 if stride == 1 else 0
        self.rectified = rectified
        self.gain = gain * (GAIN if rectified else 1.0)
        self.scale = self.gain / math.sqrt(inputs * kernel**2)

    def forward(self, images: Tensor) -> Tensor:
        """``(n, inputs, h, w)`` to ``(n, outputs, h / stride, w / stride)``."""
        bias = None if self.bias is None else self.bias * self.gain
        outputs = conv2d(images, self.weight * self.scale, bias, self.stride, self.padding)
        return rectify(outputs) if self.rectified else outputs
