"""From a high-resolution image to the low-resolution one that was seen: optics and pixels, then further alterations."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from micrographia.errors import UserError
from micrographia.filters import (
    AveragePooling,
    Bicubic,
    GaussianBlur,
    GaussianPointSpread,
    SeparableFilter,
    checked_positive,
)

__all__ = [
    "AveragePooling",
    "Bicubic",
    "Degradation",
    "GaussianBlur",
    "GaussianNoise",
    "GaussianPointSpread",
    "Noise",
    "PoissonGaussianNoise",
    "SaltAndPepper",
    "SeparableFilter",
]


class Noise(nn.Module):
    """Noise that is a function of the seed and of each image's key; a subclass adds it to one image."""

    def forward(self, images: Tensor, seeds: Tensor) -> Tensor:
        """Images with noise, ``(n, channels, height, width)``; ``seeds`` ``(n,)``, int64, one of each image."""
        return torch.stack([self.alter(*pair) for pair in zip(images, map(generator_of, seeds.tolist()), strict=True)])

    def alter(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """One image ``(channels, height, width)`` with noise; random numbers are drawn on the CPU."""
        raise NotImplementedError


class GaussianNoise(Noise):
    """Add normal noise.

    Parameters
    ----------
    sigma
        Deviation, images being in 0..1.
    """

    def __init__(self, sigma: float):
        super().__init__()
        self.sigma = checked_positive("sigma", sigma)

    def alter(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """The image plus noise; its gradient is 1."""
        return image + self.sigma * torch.randn(image.shape, generator=generator).to(image)


class PoissonGaussianNoise(Noise):
    """Photons arrive at random, and the readout adds normal noise.

    Parameters
    ----------
    electrons
        Mean number of electrons where the image is 1.
    read_noise
        Deviation of the readout in electrons.
    """

    def __init__(self, electrons: float, read_noise: float = 0.0):
        super().__init__()
        self.electrons = checked_positive("electrons", electrons)
        if read_noise < 0:
            raise UserError(f"degradation: read_noise={read_noise} must not be negative.")
        self.read_noise = read_noise

    def alter(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """Counted electrons over ``electrons``; the gradient is that of the mean, 1."""
        expected = (image.detach().cpu().float() * self.electrons).clamp(min=0)
        counted = torch.poisson(expected, generator=generator)
        counted += self.read_noise * torch.randn(image.shape, generator=generator)
        return (counted / self.electrons).to(image) + (image - image.detach())


class SaltAndPepper(Noise):
    """Set a share of the pixels to 0 or 1, each channel by itself.

    Parameters
    ----------
    share
        Of the pixels, in 0..1; half of them become 0.
    """

    def __init__(self, share: float):
        super().__init__()
        if not 0 <= share <= 1:
            raise UserError(f"degradation: share={share} is not in 0..1.")
        self.share = share

    def alter(self, image: Tensor, generator: torch.Generator) -> Tensor:
        """The image with such pixels; there its gradient is 0."""
        drawn = torch.rand(image.shape, generator=generator).to(image.device)
        pepper, salt = drawn < self.share / 2, drawn > 1 - self.share / 2
        return image.masked_fill(pepper, 0.0).masked_fill(salt, 1.0)


class Degradation(nn.Module):
    """What turns a high-resolution image into the one that was observed.

    Parameters
    ----------
    name
        Label in tables.
    steps
        Named filters that are known, and that a search inverts: `clean`.
    alterations
        Named filters and noise that come on top, and that a search does not know; None for none.
    seed
        Of the noise.

    Raises
    ------
    UserError
        If no step reduces the image, a known step is noise, or an alteration changes the size.

    Examples
    --------
    >>> degradation = Degradation("8x", {"reduce": Bicubic(8)}, {"noise": GaussianNoise(0.1)})
    >>> degradation(torch.rand(2, 3, 64, 64), torch.tensor([7, 8])).shape
    torch.Size([2, 3, 8, 8])
    """

    def __init__(
        self,
        name: str,
        steps: Mapping[str, nn.Module],
        alterations: Mapping[str, nn.Module] | None = None,
        seed: int = 0,
    ):
        super().__init__()
        self.name = name
        self.steps = nn.ModuleDict(without_none(steps))
        self.alterations = nn.ModuleDict(without_none(alterations or {}))
        self.seed = seed
        for step, module in self.steps.items():
            if isinstance(module, Noise):
                raise UserError(f"degradation.steps.{step}: noise belongs into degradation.alterations.")
        for step, module in self.alterations.items():
            if getattr(module, "factor", 1) != 1:
                raise UserError(
                    f"degradation.alterations.{step}: what reduces the image belongs into degradation.steps."
                )
        self.factor: int = math.prod(getattr(module, "factor", 1) for module in self.steps.values())
        if self.factor < 2:
            raise UserError(
                "degradation.steps: no step reduces the image. Add one of bicubic, average or point spread."
            )

    def clean(self, images: Tensor) -> Tensor:
        """The known part: ``(n, channels, side, side)`` to ``(n, channels, side / factor, side / factor)``."""
        for module in self.steps.values():
            images = module(images)
        return images

    def altered(self, further: Mapping[str, nn.Module]) -> "Degradation":
        """The same, with alterations that come after its own."""
        return Degradation(self.name, dict(self.steps.items()), {**self.alterations, **further}, self.seed)

    def forward(self, images: Tensor, keys: Tensor | None = None) -> Tensor:
        """Degraded images.

        Parameters
        ----------
        images
            ``(n, channels, side, side)``, floating point in 0..1.
        keys
            Number of each image, ``(n,)``, int64: its noise is a function of the seed and this number. Not needed
            without noise.

        Raises
        ------
        ValueError
            If there is noise and no keys.
        """
        images = self.clean(images)
        for position, (name, module) in enumerate(self.alterations.items()):
            if not isinstance(module, Noise):
                images = module(images)
                continue
            if keys is None:
                raise ValueError(f"alteration {name} is noise: it needs the keys of the images")
            images = module(images, image_seeds(self.seed, position, keys))
        return images


def image_seeds(seed: int, position: int, keys: Tensor) -> Tensor:
    """Seeds of the random numbers of each image at one step, int64, not negative: mixed by odd multipliers."""
    mixed = [
        (seed * 0x9E3779B97F4A7C15 + position * 0xBF58476D1CE4E5B9 + key * 0x94D049BB133111EB) for key in keys.tolist()
    ]
    return torch.tensor([number % 2**63 for number in mixed], dtype=torch.int64)


def generator_of(seed: int) -> torch.Generator:
    """Generator on the CPU, the same on every machine."""
    return torch.Generator().manual_seed(seed)


def without_none(modules: Mapping[str, Any]) -> dict[str, nn.Module]:
    """Named modules without those that a config has set to null."""
    return {name: module for name, module in modules.items() if module is not None}
