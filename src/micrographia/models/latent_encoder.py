"""An encoder from low-resolution images to a generator's styles: where a short search begins."""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from micrographia.data.batches import Batch, step_generator
from micrographia.devices.shares import drawn
from micrographia.errors import UserError
from micrographia.models.counting import CountingModule, MakeOptimizer, seeded_initialisation
from micrographia.models.super_resolver import KEYS, Residual

SAMPLES = 10_000
"""Mapped samples from which mean and deviation of W are taken."""


class LatentEncoder(CountingModule):
    """A residual network from a low-resolution image to a style per layer.

    It learns from generated pairs, whose styles are known, and from the data's own images, which are only to be
    explained: ``mean ((E(D(G(w))) - w) / std)^2 + consistency * mean |D(G(E(y))) - y|``.

    Parameters
    ----------
    name
        Label in run folders and tables.
    shape
        Of a high-resolution image, ``(channels, side, side)``.
    optimizer
        Called with the encoder's parameters.
    seed
        Of initial weights, generated pairs and noise.
    generator
        Whose styles to find; it is frozen, and not kept with the finished run.
    degradation
        ``forward(images, keys)``, ``clean(images)`` and ``factor``.
    filters
        Channels of the feature maps.
    blocks
        Residual blocks.
    consistency
        Weight of the second term.
    """

    training_only = ("generator.", "degradation.")
    shareable = True

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        optimizer: MakeOptimizer,
        seed: int,
        generator: nn.Module,
        degradation: nn.Module,
        filters: int = 64,
        blocks: int = 4,
        consistency: float = 10.0,
    ):
        super().__init__(name, shape, seed)
        source: Any = generator
        if self.shape != (source.channels, source.size, source.size):
            raise UserError(
                f"model {name}: the data give images of shape {self.shape}, the generator makes "
                f"{(source.channels, source.size, source.size)}: choose the data that it was trained on."
            )
        if filters < 1 or blocks < 1 or consistency < 0:
            raise UserError(
                f"model.filters={filters}, model.blocks={blocks}, model.consistency={consistency}: expected whole "
                "numbers from 1 on, and a weight from 0 on."
            )
        self.make_optimizer = optimizer
        self.generator: Any = generator.requires_grad_(False).eval()
        self.degradation: Any = degradation.requires_grad_(False)
        self.consistency = consistency
        self.layers, self.width = source.layers, source.w_dim
        reduced: Any = degradation
        side = self.shape[1] // reduced.factor
        with seeded_initialisation(seed):
            self.network = nn.Sequential(
                nn.Conv2d(self.shape[0], filters, 3, padding=1),
                *[Residual(filters) for _ in range(blocks)],
                nn.Flatten(),
                nn.Linear(filters * side**2, 4 * self.width),
                nn.ReLU(inplace=True),
                nn.Linear(4 * self.width, self.layers * self.width),
            )
        w = self.sample(SAMPLES, step_generator(seed, 0))
        self.register_buffer("w_mean", w.mean(0))
        self.register_buffer("w_std", w.std(0).clamp(min=1e-6))

    w_mean: Tensor
    w_std: Tensor

    def forward(self, low: Tensor) -> Tensor:
        """Styles ``(n, layers, d)`` of low-resolution images in 0..1."""
        return self.w_mean + self.w_std * self.network(low).unflatten(1, (self.layers, self.width))

    @torch.no_grad()
    def sample(self, count: int, generator: torch.Generator) -> Tensor:
        """Mapped samples ``(n, d)``."""
        z = drawn(torch.randn, (count, self.generator.z_dim), generator)
        return self.generator.mapping(z.to(next(self.generator.parameters())))

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Error of the styles of as many generated pairs as there are images, and how these are explained."""
        images = batch["image"]
        keys = drawn(partial(torch.randint, KEYS), (2, len(images)), generator, dim=1).to(images.device)
        w = self.sample(len(images), generator)
        with torch.no_grad():
            generated = self.generator.synthesis(w[:, None].expand(-1, self.layers, -1))
            known, own = self.degradation(generated, keys[0]), self.degradation(images, keys[1])
        styles, own_styles = self(torch.cat([known, own])).chunk(2)
        error = ((styles - w[:, None]) / self.w_std).square().mean()
        residual = functional.l1_loss(self.degradation.clean(self.generator.synthesis(own_styles)), own)
        return {"loss": error + self.consistency * residual, "styles": error, "lr_residual": residual}

    def train(self, mode: bool = True) -> "LatentEncoder":
        """Set the mode of the encoder; the generator stays in evaluation mode."""
        super().train(mode)
        self.generator.eval()
        return self

    def configure_optimizers(self) -> Any:
        """One optimiser of the encoder's parameters."""
        return self.make_optimizer(self.network.parameters())
