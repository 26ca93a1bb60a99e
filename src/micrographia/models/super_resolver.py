"""A residual network from low-resolution to high-resolution images, trained on pairs."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from micrographia.data.batches import Batch
from micrographia.devices.shares import drawn
from micrographia.errors import UserError
from micrographia.models.counting import CountingModule, MakeOptimizer, seeded_initialisation

KEYS = 2**31
"""Range of the keys by which training degradations draw their noise."""


class Residual(nn.Module):
    """Two 3 x 3 convolutions beside a shortcut, without normalisation, which would cost the range of intensities."""

    def __init__(self, filters: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(filters, filters, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(filters, filters, 3, padding=1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Feature maps of the same size."""
        return images + self.body(images)


class SuperResolver(CountingModule):
    """EDSR with a bicubic shortcut: residual blocks at low resolution, then one doubling after another.

    Trained by the mean absolute difference on the images of a data set and what a degradation, noise included, makes of
    them; a fresh noise for each image of each batch, a pure function of (seed, batches).

    Parameters
    ----------
    name
        Label in run folders and tables.
    shape
        Of a high-resolution image, ``(channels, side, side)``.
    optimizer
        Called with the network's parameters.
    seed
        Of initial weights and noise.
    degradation
        ``forward(images, keys)`` to low-resolution images, and ``factor``, a power of two.
    filters
        Channels of the feature maps.
    blocks
        Residual blocks at low resolution; each doubling has one more.

    References
    ----------
    Lim et al., Enhanced deep residual networks for single image super-resolution, CVPR workshops 2017
    (arXiv 1707.02921).
    """

    training_only = ("degradation.",)
    shareable = True

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        optimizer: MakeOptimizer,
        seed: int,
        degradation: nn.Module,
        filters: int = 64,
        blocks: int = 8,
    ):
        super().__init__(name, shape, seed)
        factor = int(degradation.factor)  # type: ignore[arg-type]
        if len(self.shape) != 3:
            raise UserError(f"model {name} takes images, the data give items of shape {self.shape}: set backbone=none.")
        if factor < 2 or factor & (factor - 1) or self.shape[1] % factor:
            raise UserError(
                f"model {name}: degradation.steps.reduce.factor={factor} of {self.shape[1]} px; expected a power of "
                "two that divides them."
            )
        if filters < 1 or blocks < 1:
            raise UserError(f"model.filters={filters}, model.blocks={blocks}: expected whole numbers from 1 on.")
        self.make_optimizer = optimizer
        self.degradation = degradation.requires_grad_(False)
        channels, doublings = self.shape[0], factor.bit_length() - 1
        with seeded_initialisation(seed):
            self.network = nn.Sequential(
                nn.Conv2d(channels, filters, 3, padding=1),
                *[Residual(filters) for _ in range(blocks)],
                *[
                    nn.Sequential(nn.Conv2d(filters, 4 * filters, 3, padding=1), nn.PixelShuffle(2), Residual(filters))
                    for _ in range(doublings)
                ],
                nn.Conv2d(filters, channels, 3, padding=1),
            )
        # The last layer begins at nothing, so that training begins at the bicubic image.
        nn.init.zeros_(self.network[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.network[-1].bias)  # type: ignore[arg-type]

    def forward(self, low: Tensor) -> Tensor:
        """High-resolution images of low-resolution ones, ``(n, channels, s, s)`` in 0..1."""
        upsampled = functional.interpolate(low, self.shape[1:], mode="bicubic", antialias=True)
        return upsampled + self.network(low)

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Mean absolute difference, and peak signal-to-noise ratio in dB."""
        truth = batch["image"]
        keys = drawn(partial(torch.randint, KEYS), (len(truth),), generator)
        with torch.no_grad():
            low = self.degradation(truth, keys.to(truth.device))
        difference = self(low) - truth
        squared = difference.detach().square().flatten(1).mean(1)
        return {"loss": difference.abs().mean(), "psnr": -10 * squared.log10().mean()}

    def configure_optimizers(self) -> Any:
        """One optimiser of the network's parameters."""
        return self.make_optimizer(self.network.parameters())
