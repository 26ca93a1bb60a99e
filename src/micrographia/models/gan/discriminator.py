"""The residual discriminator of StyleGAN2."""

import math

import torch
from torch import Tensor, nn

from micrographia.models.gan.generator import SMALLEST, channel_widths
from micrographia.models.gan.layers import EqualisedConv2d, EqualisedLinear
from micrographia.models.gan.resampling import Resampling

GROUP = 4
"""Images whose standard deviation is taken together."""


class Block(nn.Module):
    """Two convolutions, of which the second halves the side, beside a 1 x 1 convolution of the downsampled input."""

    def __init__(self, inputs: int, outputs: int, resampling: Resampling):
        super().__init__()
        half = math.sqrt(0.5)  # keeps the variance of the sum
        self.first = EqualisedConv2d(inputs, inputs, 3, rectified=True)
        self.second = EqualisedConv2d(inputs, outputs, 3, stride=2, rectified=True, gain=half)
        self.skip = EqualisedConv2d(inputs, outputs, 1, biased=False, gain=half)
        self.resampling = resampling

    def forward(self, hidden: Tensor) -> Tensor:
        """``(n, inputs, s, s)`` to ``(n, outputs, s / 2, s / 2)``."""
        beside = self.skip(self.resampling.downsample(hidden))
        return beside.add_(self.second(self.resampling.blur(self.first(hidden), padding=2)))


def with_minibatch_deviation(hidden: Tensor) -> Tensor:
    """Append a channel with the mean standard deviation over groups of (up to) four images.

    Group g holds the images g, g + n/4, g + 2n/4, ...; where four does not divide n, groups are of two or of one.

    References
    ----------
    Karras et al., Progressive growing of GANs, ICLR 2018 (arXiv 1710.10196), section 3.

    Examples
    --------
    >>> round(float(with_minibatch_deviation(torch.ones(4, 2, 4, 4))[:, 2].max()), 6)
    0.0001
    """
    count, *shape = hidden.shape
    group = math.gcd(count, GROUP)
    grouped = hidden.float().view(group, count // group, *shape)
    deviation = (grouped.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))
    channel = deviation.to(hidden.dtype).repeat(group).view(-1, 1, 1, 1).expand(-1, 1, *shape[1:])
    return torch.cat([hidden, channel], 1)


class Discriminator(nn.Module):
    """Logit of "real" against "generated" of images in 0..1.

    Parameters
    ----------
    size, channels
        Side in pixels and channels of the images.
    channel_base, channel_max
        As in `Generator`.

    References
    ----------
    Karras et al., Analyzing and improving the image quality of StyleGAN, CVPR 2020 (arXiv 1912.04958).

    Examples
    --------
    >>> Discriminator(32, channels=2, channel_max=4)(torch.rand(3, 2, 32, 32)).shape
    torch.Size([3])
    """

    def __init__(self, size: int, channels: int, channel_base: int = 16384, channel_max: int = 512):
        super().__init__()
        widths = channel_widths(size, channel_base, channel_max)
        self.resampling = Resampling()
        self.from_image = EqualisedConv2d(channels, widths[size], 1, rectified=True)
        sides = [side for side in sorted(widths, reverse=True) if side > SMALLEST]
        self.blocks = nn.Sequential(*(Block(widths[side], widths[side // 2], self.resampling) for side in sides))
        width = widths[SMALLEST]
        self.last = EqualisedConv2d(width + 1, width, 3, rectified=True)
        self.hidden = EqualisedLinear(width * SMALLEST**2, width, rectified=True)
        self.logit = EqualisedLinear(width, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Logits ``(n,)``."""
        centred = (images * 2 - 1).contiguous(memory_format=torch.channels_last)
        hidden = self.blocks(self.from_image(centred))
        hidden = self.last(with_minibatch_deviation(hidden))
        return self.logit(self.hidden(hidden.flatten(1))).flatten()
