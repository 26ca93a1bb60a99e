"""A small residual network for images of 32 px and more."""

import torch
from torch import Tensor, nn

from micrographia.errors import UserError


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with batch norms beside a shortcut."""

    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, after, 3, stride, 1, bias=False),
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
            nn.Conv2d(after, after, 3, 1, 1, bias=False),
            nn.BatchNorm2d(after),
        )
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or before != after:
            self.shortcut = nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))

    def forward(self, images: Tensor) -> Tensor:
        """Feature maps, smaller by the stride."""
        return torch.relu(self.body(images) + self.shortcut(images))


class ResidualEncoder(nn.Module):
    """Convolution k3 s2, four stages of residual blocks with F, 2F, 4F, 8F channels, average over the last map.

    Parameters
    ----------
    shape
        ``(channels, height, width)``, 32 px or more.
    filters
        F.
    blocks
        Blocks per stage; 2 make it a ResNet-18 with a smaller stem.

    Attributes
    ----------
    width : int
        Length of its output, 8F.

    References
    ----------
    He et al., Deep residual learning for image recognition, CVPR 2016 (arXiv 1512.03385).

    Examples
    --------
    >>> ResidualEncoder((3, 64, 64))(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 256])
    """

    def __init__(self, shape: tuple[int, ...], filters: int = 32, blocks: int = 1):
        super().__init__()
        if len(shape) != 3:
            raise UserError(
                f"model=cnn takes images, the data give features of shape {tuple(shape)}: set backbone=none."
            )
        if min(shape[1:]) < 32:
            raise UserError(
                f"model=cnn takes images of 32 px or more, the data give {shape[1]} x {shape[2]}: set data.size=64."
            )
        if filters < 1 or blocks < 1:
            raise UserError(f"model.filters={filters}, model.blocks={blocks}: expected whole numbers from 1 on.")
        widths = [filters, filters, 2 * filters, 4 * filters, 8 * filters]
        stages = [
            ResidualBlock(before if block == 0 else after, after, stride if block == 0 else 1)
            for before, after, stride in zip(widths[:-1], widths[1:], (1, 2, 2, 2), strict=True)
            for block in range(blocks)
        ]
        self.width = widths[-1]
        self.layers = nn.Sequential(
            nn.Conv2d(shape[0], filters, 3, 2, 1, bias=False),
            nn.BatchNorm2d(filters),
            nn.ReLU(inplace=True),
            *stages,
        )

    def forward(self, images: Tensor) -> Tensor:
        """Feature vectors ``(n, width)`` of images in 0..1."""
        return self.layers(images.contiguous(memory_format=torch.channels_last)).mean((2, 3))
