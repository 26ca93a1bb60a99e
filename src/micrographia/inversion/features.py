"""Features of images without a trained network: blurred derivatives at several scales."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


class FilterPyramid(nn.Module):
    """Brightness, gradients and curvatures of every channel at octaves of scale, one number per pixel each.

    Steerable derivatives of Gaussians: linear, so that gradients reach every pixel, for any size and any channels.

    Parameters
    ----------
    scales
        Octaves; each halves the image, down to 4 px at least.
    deviation
        Of the Gaussian, in pixels of its octave.

    References
    ----------
    Freeman & Adelson, The design and use of steerable filters, PAMI 1991.

    Examples
    --------
    >>> FilterPyramid(scales=2)(torch.ones(2, 3, 8, 8)).shape
    torch.Size([2, 1440])
    """

    def __init__(self, scales: int = 3, deviation: float = 1.0):
        super().__init__()
        self.scales = scales
        radius = math.ceil(3 * deviation)
        place = torch.arange(-radius, radius + 1, dtype=torch.float64) / deviation
        smooth = torch.exp(-place.square() / 2)
        smooth /= smooth.sum()
        slope, curve = smooth * place, smooth * (place.square() - 1)
        # Each filter scaled to unit absolute sum, so that all answers are of the images' order.
        taps = torch.stack([smooth, slope / slope.abs().sum(), curve / curve.abs().sum()])
        orders = [(0, 0), (0, 1), (1, 0), (0, 2), (1, 1), (2, 0)]
        self.register_buffer("filters", torch.stack([taps[y][:, None] * taps[x] for y, x in orders])[:, None].float())

    filters: Tensor

    def forward(self, images: Tensor) -> Tensor:
        """Features ``(n, f)`` of images ``(n, channels, s, s)``."""
        count = len(images)
        radius = self.filters.shape[-1] // 2
        level, found = images.flatten(0, 1)[:, None], []
        for scale in range(self.scales):
            if scale:
                level = functional.avg_pool2d(level, 2)
            padded = functional.pad(level, [radius] * 4, mode="replicate")
            found.append(functional.conv2d(padded, self.filters).view(count, -1))
            if min(level.shape[-2:]) < 8:
                break
        return torch.cat(found, 1)
