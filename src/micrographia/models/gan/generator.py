"""The generator of StyleGAN2: a mapping network Z -> W, and a synthesis network W+ -> image."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from micrographia.devices.shares import drawn
from micrographia.errors import UserError
from micrographia.models.gan.layers import EqualisedLinear
from micrographia.models.gan.modulation import StyledConvolution, ToImage
from micrographia.models.gan.resampling import Resampling

SMALLEST = 4  # pixels a side of the learnt constant
CHUNK = 10_000  # codes mapped at a time


class Mapping(nn.Sequential):
    """Perceptron from normalised z to w.

    Parameters
    ----------
    z_dim, w_dim
        Lengths of the codes.
    depth
        Layers.
    rate
        Learning rate relative to that of the other networks.
    """

    def __init__(self, z_dim: int, w_dim: int, depth: int = 8, rate: float = 0.01):
        inputs = [z_dim] + [w_dim] * (depth - 1)
        super().__init__(*(EqualisedLinear(before, w_dim, rectified=True, rate=rate) for before in inputs))

    def forward(self, z: Tensor) -> Tensor:
        """``(n, z_dim)`` to ``(n, w_dim)``; the length of z has no effect."""
        with torch.autocast(z.device.type, enabled=False):  # small, and a code's digits are an image's details
            return super().forward(z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt())


class Synthesis(nn.Module):
    """From one style code per layer to an image: a learnt constant, doubled in size until it has the image's.

    Each resolution has two styled convolutions (the smallest one) and adds to an image that is upsampled beside them.

    Parameters
    ----------
    size
        Side of the images in pixels.
    channels
        Of the images.
    w_dim
        Length of a style code.
    widths
        Channels of the activations at each side, from 4 pixels to ``size``.
    """

    def __init__(self, size: int, channels: int, w_dim: int, widths: dict[int, int]):
        super().__init__()
        sides = [side for side in widths if side <= size]
        self.constant = nn.Parameter(torch.randn(1, widths[SMALLEST], SMALLEST, SMALLEST))
        self.resampling = Resampling()
        convolutions = [StyledConvolution(w_dim, widths[SMALLEST], widths[SMALLEST], SMALLEST)]
        for side in sides[1:]:
            before, after = widths[side // 2], widths[side]
            convolutions.append(StyledConvolution(w_dim, before, after, side, self.resampling))
            convolutions.append(StyledConvolution(w_dim, after, after, side))
        self.convolutions = nn.ModuleList(convolutions)
        self.to_image = nn.ModuleList(ToImage(w_dim, widths[side], channels) for side in sides)
        self.layers = len(convolutions) + 1
        self.noise_shapes = tuple((1, *convolution.fixed_noise.shape[2:]) for convolution in convolutions)

    def forward(self, w_plus: Tensor, noise: Sequence[Tensor] | None = None) -> Tensor:
        """Images ``(n, channels, size, size)``: background to brightest is 0..1, not clamped.

        Parameters
        ----------
        w_plus
            ``(n, layers, w_dim)``.
        noise
            One tensor ``(n or 1, 1, s, s)`` per convolution; None takes the fixed noise.
        """
        maps = [None] * len(self.convolutions) if noise is None else noise
        codes = w_plus.unbind(1)
        hidden = self.constant.expand(w_plus.shape[0], -1, -1, -1).contiguous(memory_format=torch.channels_last)
        image: Tensor | None = None
        for layer, (convolution, own) in enumerate(zip(self.convolutions, maps, strict=True)):
            hidden = convolution(hidden, codes[layer], own)
            if layer % 2 == 0:  # the last of its resolution; the image's code is that of the layer to come
                part = self.to_image[layer // 2](hidden, codes[layer + 1]).to(self.constant.dtype)
                image = part if image is None else self.doubled(image) + part
        assert image is not None
        return (image + 1) / 2

    def doubled(self, image: Tensor) -> Tensor:
        """The image at twice the side, in full precision whatever the activations have."""
        with torch.autocast(image.device.type, enabled=False):
            return self.resampling.upsample(image)


class Generator(nn.Module):
    """StyleGAN2's generator with skip connections, for any number of channels.

    Parameters
    ----------
    size
        Side of the images in pixels, a power of two, 32 to 512.
    channels
        Of the images.
    z_dim, w_dim
        Lengths of the codes.
    mapping_layers
        Layers of the mapping network.
    mapping_rate
        Its learning rate, relative to the rest's.
    channel_base, channel_max
        Activations at side s have ``min(channel_base // s, channel_max)`` channels.

    Attributes
    ----------
    layers : int
        Style codes per image, ``2 * log2(size) - 2``.
    noise_shapes : tuple of (int, int, int)
        Shape of each noise map without the batch.
    w_mean : Tensor
        Mean of mapped codes; see `measure_mean`.

    References
    ----------
    Karras et al., Analyzing and improving the image quality of StyleGAN, CVPR 2020 (arXiv 1912.04958).

    Examples
    --------
    >>> generator = Generator(size=32, channels=2, z_dim=8, w_dim=8, channel_max=4)
    >>> generator(torch.randn(3, 8)).shape, generator.layers
    (torch.Size([3, 2, 32, 32]), 8)
    """

    w_mean: Tensor

    def __init__(
        self,
        size: int,
        channels: int,
        z_dim: int = 512,
        w_dim: int = 512,
        mapping_layers: int = 8,
        mapping_rate: float = 0.01,
        channel_base: int = 16384,
        channel_max: int = 512,
    ):
        super().__init__()
        widths = channel_widths(size, channel_base, channel_max)
        self.size, self.channels, self.z_dim, self.w_dim = size, channels, z_dim, w_dim
        self.mapping = Mapping(z_dim, w_dim, mapping_layers, mapping_rate)
        self.synthesis = Synthesis(size, channels, w_dim, widths)
        self.layers = self.synthesis.layers
        self.noise_shapes = self.synthesis.noise_shapes
        self.register_buffer("w_mean", torch.zeros(w_dim))

    def forward(self, z: Tensor, truncation: float = 1.0, noise: Sequence[Tensor] | None = None) -> Tensor:
        """Images of codes ``(n, z_dim)``, one style for all layers, drawn towards `w_mean` by a truncation below 1."""
        w = self.mapping(z)
        if truncation != 1:
            w = self.w_mean + truncation * (w - self.w_mean)
        return self.synthesis(self.tile(w), noise)

    def tile(self, w: Tensor) -> Tensor:
        """W to W+: ``(n, w_dim)`` to ``(n, layers, w_dim)``."""
        return w[:, None].expand(-1, self.layers, -1)

    def draw_noise(self, count: int, generator: torch.Generator) -> list[Tensor]:
        """Fresh noise maps for so many images, on the device of the random numbers."""
        return [drawn(torch.randn, (count, *shape), generator) for shape in self.noise_shapes]

    @torch.no_grad()
    def measure_mean(self, count: int, generator: torch.Generator) -> None:
        """Set `w_mean` to the mean of so many mapped codes."""
        total = torch.zeros(self.w_dim, dtype=torch.float64)  # on the CPU: not every device has float64
        for done in range(0, count, CHUNK):
            z = torch.randn(min(CHUNK, count - done), self.z_dim, generator=generator, device=generator.device)
            total += self.mapping(z.to(self.w_mean)).cpu().double().sum(0)
        self.w_mean.copy_(total / count)


def channel_widths(size: int, base: int, maximum: int) -> dict[int, int]:
    """Channels of the activations at every side from 4 to ``size``.

    Raises
    ------
    UserError
        If the size is no power of two from 32 to 512.

    Examples
    --------
    >>> channel_widths(32, base=1024, maximum=64)
    {4: 64, 8: 64, 16: 64, 32: 32}
    """
    if size not in (32, 64, 128, 256, 512):
        raise UserError(
            f"data.size={size}: StyleGAN2 makes images of 32, 64, 128, 256 or 512 px. Set data.size to one of them."
        )
    sides = [2**power for power in range(2, size.bit_length())]
    return {side: max(1, min(base // side, maximum)) for side in sides}
