"""Encoders and decoders of the VAEs: two for images, one for feature vectors. They know no loss."""

from collections.abc import Iterable
from itertools import pairwise

import torch
from torch import Tensor, nn

from micrographia.errors import UserError


class Network(nn.Module):
    """An encoder and a decoder, and the units in which they work.

    Attributes
    ----------
    encoder : Module
        ``(n, *shape)`` in network units to mean and log-variance, each ``(n, latents)``.
    decoder : Module
        Codes ``(n, latents)`` to raw output ``(n, *shape)``: logits of images, network units of features.
    of_images : bool
        Whether data lie in 0..1 and raw outputs are logits.
    """

    encoder: nn.Module
    decoder: nn.Module
    of_images: bool = True

    def normalise(self, data: Tensor) -> Tensor:
        """From units of the data to those of the network."""
        return data

    def activate(self, raw: Tensor) -> Tensor:
        """From raw output to network units."""
        return raw.sigmoid()

    def restore(self, values: Tensor) -> Tensor:
        """From network units to those of the data: the inverse of `normalise`."""
        return values


class ChannelsLast(nn.Module):
    """Lay images out channels last in memory, in which convolutions on a CPU and on tensor cores are faster.

    The networks lay out their weights in the same way, so what writes them as plain arrays (safetensors) has to make
    them contiguous first.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Images with the same values and shape."""
        return images.contiguous(memory_format=torch.channels_last)


class Posterior(nn.Module):
    """Two linear heads: mean and log-variance of a diagonal Gaussian.

    Parameters
    ----------
    clamp
        Lowest and highest log-variance; None leaves it free.
    """

    def __init__(self, features: int, latents: int, clamp: tuple[float, float] | None = None):
        super().__init__()
        self.mean = nn.Linear(features, latents)
        self.logvar = nn.Linear(features, latents)
        self.clamp = clamp

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance, each ``(n, latents)``."""
        logvar = self.logvar(features)
        return self.mean(features), logvar.clamp(*self.clamp) if self.clamp else logvar


class ConvNetwork(Network):
    """The field's usual four-layer network at 64 px; other powers of two add or drop layers of 32 filters.

    Encoder: conv 32 k4 s2, 32 k4 s2, 64 k2 s2, 64 k2 s2, linear 256, heads; decoder: linear 256, linear 64 x 4 x 4,
    transposed conv 64, 32, 32, channels, all k4 s2; ReLU. The kernels of 2 are those of disentanglement_lib's code.

    Parameters
    ----------
    shape
        ``(channels, side, side)``; the side a power of two, 16 or more.
    latents
        Size of the code.

    References
    ----------
    Locatello et al., Challenging common assumptions in the unsupervised learning of disentangled representations,
    ICML 2019 (arXiv 1811.12359), network of Higgins et al. 2017.

    Examples
    --------
    >>> network = ConvNetwork((3, 64, 64), latents=10)
    >>> mean, logvar = network.encoder(torch.zeros(2, 3, 64, 64))
    >>> mean.shape, network.decoder(mean).shape
    (torch.Size([2, 10]), torch.Size([2, 3, 64, 64]))
    """

    def __init__(self, shape: tuple[int, ...], latents: int):
        super().__init__()
        channels, side = image_shape(shape, "conv")
        if side < 16 or side & (side - 1):
            raise UserError(
                f"model/network=conv takes images of 16, 32, 64, 128 ... px, not {side}: "
                "set data.size=64, or choose model/network=reference_conv (any multiple of 8)."
            )
        layers = side.bit_length() - 3  # halvings down to 4 x 4
        widths = [32] * (layers - 2) + [64, 64]
        kernels = [4] * (layers - 2) + [2, 2]
        self.encoder = nn.Sequential(
            ChannelsLast(),
            *[
                nn.Sequential(nn.Conv2d(before, after, kernel, 2, kernel // 2 - 1), nn.ReLU(inplace=True))
                for before, after, kernel in zip([channels, *widths], widths, kernels, strict=False)
            ],
            nn.Flatten(),
            nn.Linear(64 * 4 * 4, 256),
            nn.ReLU(inplace=True),
            Posterior(256, latents),
        )
        widths = [64, 64] + [32] * (layers - 2)
        self.decoder = nn.Sequential(
            nn.Linear(latents, 256),
            nn.ReLU(inplace=True),
            nn.Linear(256, 64 * 4 * 4),
            nn.ReLU(inplace=True),
            nn.Unflatten(1, (64, 4, 4)),
            ChannelsLast(),
            *[
                nn.Sequential(nn.ConvTranspose2d(before, after, 4, 2, 1), nn.ReLU(inplace=True))
                for before, after in pairwise(widths)
            ],
            nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1),
        )
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs


class ReferenceConvNetwork(Network):
    """The RGB network of the DRL papers: three convolutions with batch normalisation, made for 224 px.

    Encoder: conv k4 s2 p1 to F/4, F/2, F filters, each with BatchNorm and LeakyReLU(.02), LayerNorm over all features,
    heads; decoder: linear and three transposed convolutions. The papers' output (tanh + 1) / 2 is the sigmoid of twice
    its argument, so the raw output here is a logit as in the other network of images.

    Parameters
    ----------
    shape
        ``(channels, side, side)``; the side a multiple of 8.
    latents
        Size of the code.
    filters
        F, the width of the last convolution; a multiple of 4.

    References
    ----------
    Dapueto et al., Disentangled representations of microscopy images, IJCNN 2025 (arXiv 2506.20649).
    """

    def __init__(self, shape: tuple[int, ...], latents: int, filters: int = 128):
        super().__init__()
        channels, side = image_shape(shape, "reference_conv")
        if side % 8:
            raise UserError(f"model/network=reference_conv takes sizes divisible by 8, not {side}: set data.size=224.")
        if filters < 4 or filters % 4:
            raise UserError(f"model.network.filters={filters}: expected a multiple of 4.")
        widths = [channels, filters // 4, filters // 2, filters]
        features = filters * (side // 8) ** 2

        def block(convolution: nn.Module, width: int) -> nn.Sequential:
            return nn.Sequential(convolution, nn.BatchNorm2d(width), nn.LeakyReLU(0.02, inplace=True))

        self.encoder = nn.Sequential(
            ChannelsLast(),
            *[block(nn.Conv2d(before, after, 4, 2, 1), after) for before, after in pairwise(widths)],
            nn.Flatten(),
            nn.LayerNorm(features),
            Posterior(features, latents),
        )
        self.decoder = nn.Sequential(
            nn.Linear(latents, features),
            nn.Unflatten(1, (filters, side // 8, side // 8)),
            ChannelsLast(),
            block(nn.ConvTranspose2d(filters, filters // 2, 4, 2, 1), filters // 2),
            block(nn.ConvTranspose2d(filters // 2, filters // 4, 4, 2, 1), filters // 4),
            nn.ConvTranspose2d(filters // 4, channels, 4, 2, 1),
        )
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's stubs


class FeatureNetwork(Network):
    """Perceptron on feature vectors: d -> F -> 2F -> 3F -> heads and mirrored, log-variance clamped to [-20, 10].

    Features are scaled to 0..1 by the minimum and maximum of the source set, kept as buffers so that they travel with
    the weights to the target, whose features may then lie outside 0..1.

    Parameters
    ----------
    shape
        ``(features,)``.
    latents
        Size of the code.
    filters
        F; the papers use 512 and 256.

    References
    ----------
    Dapueto et al., Disentangled representations of microscopy images, IJCNN 2025 (arXiv 2506.20649).

    Examples
    --------
    >>> network = FeatureNetwork((768,), latents=10)
    >>> network.set_range([torch.tensor([-14.0, 20.0])])
    >>> network.normalise(torch.tensor([-14.0, 3.0, 20.0]))
    tensor([0.0000, 0.5000, 1.0000])
    """

    of_images = False

    def __init__(self, shape: tuple[int, ...], latents: int, filters: int = 512):
        super().__init__()
        if len(shape) != 1:
            raise UserError(
                f"model/network=features takes feature vectors, the data give images of shape {tuple(shape)}: "
                "choose a backbone, or model/network=conv."
            )
        widths = [shape[0], filters, 2 * filters, 3 * filters]

        def layers(sizes: list[int]) -> list[nn.Module]:
            return [
                nn.Sequential(nn.Linear(before, after), nn.LeakyReLU(0.2, inplace=True))
                for before, after in pairwise(sizes)
            ]

        self.encoder = nn.Sequential(*layers(widths), Posterior(widths[-1], latents, clamp=(-20, 10)))
        self.decoder = nn.Sequential(
            *layers([latents, *widths[:0:-1]]),
            nn.Linear(filters, shape[0]),
        )
        self.register_buffer("lowest", torch.tensor(float("nan")))
        self.register_buffer("highest", torch.tensor(float("nan")))
        self._known = False

    lowest: Tensor
    highest: Tensor

    def set_range(self, chunks: Iterable[Tensor]) -> None:
        """Set the scaling from the features of a data set, given in chunks of any shape.

        Raises
        ------
        UserError
            If there are no features, or they are not finite, or all equal.
        """
        extremes = [torch.stack(chunk.aminmax()) for chunk in chunks]
        if not extremes:
            raise UserError("backbone: no features to take the minimum and maximum from.")
        lowest, highest = torch.stack(extremes)[:, 0].min(), torch.stack(extremes)[:, 1].max()
        if not (torch.isfinite(lowest) and torch.isfinite(highest) and lowest < highest):
            raise UserError(f"backbone: features reach from {lowest} to {highest}, which cannot be scaled to 0..1.")
        self.lowest.copy_(lowest)
        self.highest.copy_(highest)

    def require_range(self) -> None:
        """Raise unless the scaling is set; the answer is remembered, since asking a GPU would wait for it."""
        if not self._known and bool(torch.isnan(self.lowest) | torch.isnan(self.highest)):
            raise UserError(
                "model.network: minimum and maximum of the features are not set. "
                "Train on features first, or call network.set_range(chunks) with those of the source set."
            )
        self._known = True

    def normalise(self, data: Tensor) -> Tensor:
        """Scale so that the source set's minimum and maximum become 0 and 1."""
        self.require_range()
        return (data - self.lowest) / (self.highest - self.lowest)

    def activate(self, raw: Tensor) -> Tensor:
        """The output layer is linear."""
        return raw

    def restore(self, values: Tensor) -> Tensor:
        """Back to units of the features."""
        self.require_range()
        return values * (self.highest - self.lowest) + self.lowest


def image_shape(shape: tuple[int, ...], network: str) -> tuple[int, int]:
    """Channels and side of square images."""
    if len(shape) != 3:
        raise UserError(
            f"model/network={network} takes images, the data give items of shape {tuple(shape)}: "
            "choose model/network=features."
        )
    channels, height, width = shape
    if height != width:
        raise UserError(f"model/network={network} takes square images, the data give {height} x {width}.")
    return channels, height
