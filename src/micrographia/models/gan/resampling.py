"""Up- and downsampling by 2 with the binomial filter [1, 3, 3, 1], as depthwise convolutions."""

import torch
from torch import Tensor, nn

from micrographia.models.gan.convolution import conv2d, conv_transpose2d

TAPS = (1.0, 3.0, 3.0, 1.0)


class Resampling(nn.Module):
    """The filter [1, 3, 3, 1] / 8 along rows and columns; the image is continued by zeros.

    One depthwise 4 x 4 convolution is faster than two of 4 x 1, and in channels-last order costs a sixth of the 3 x 3
    convolution of 64 channels beside it (benchmarks/stylegan2_steps.py).

    References
    ----------
    Karras et al., Analyzing and improving the image quality of StyleGAN, CVPR 2020 (arXiv 1912.04958); Zhang, Making
    convolutional networks shift-invariant again, ICML 2019.

    Examples
    --------
    >>> resampling = Resampling()
    >>> resampling.upsample(torch.zeros(1, 3, 8, 8)).shape, resampling.downsample(torch.zeros(1, 3, 8, 8)).shape
    (torch.Size([1, 3, 16, 16]), torch.Size([1, 3, 4, 4]))
    """

    kernel: Tensor

    def __init__(self):
        super().__init__()
        taps = torch.tensor(TAPS)
        kernel = taps[:, None] * taps / taps.sum() ** 2
        self.register_buffer("kernel", kernel.view(1, 1, 4, 4), persistent=False)

    def depthwise(self, images: Tensor, gain: float = 1.0) -> Tensor:
        """The kernel once for each channel, in the precision of the images."""
        kernel = (self.kernel * gain).to(images.dtype)
        return kernel.expand(int(images.shape[1]), 1, 4, 4).contiguous(memory_format=torch.channels_last)

    def blur(self, images: Tensor, padding: int, gain: float = 1.0) -> Tensor:
        """Filter only: side s to ``s + 2 * padding - 3``."""
        return conv2d(images, self.depthwise(images, gain), padding=padding, groups=images.shape[1])

    def downsample(self, images: Tensor) -> Tensor:
        """Filter and take every second pixel: side s to s / 2."""
        return conv2d(images, self.depthwise(images), stride=2, padding=1, groups=images.shape[1])

    def upsample(self, images: Tensor) -> Tensor:
        """Put zeros between pixels and filter: side s to 2 s; the mean is kept but for the border."""
        kernel = self.depthwise(images, gain=4.0)
        return conv_transpose2d(images, kernel, stride=2, padding=1, groups=images.shape[1])
