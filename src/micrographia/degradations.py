"""From a high-resolution image to the low-resolution one that was seen: optics and pixels, then further alterations.

Downsampling and blur are separable filters, kept as matrices ``W``: an image ``x`` becomes ``W x W^T``. They are
linear, so that gradients are exact, and at the borders the image is continued by reflection.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from micrographia.errors import UserError


class SeparableFilter(nn.Module):
    """A linear filter along rows and columns; a subclass gives its kernel.

    Attributes
    ----------
    factor : int
        Pixels of the image per pixel of the result.
    """

    factor: int = 1

    def __init__(self) -> None:
        super().__init__()
        self._matrices: dict[tuple[int, torch.dtype, torch.device], Tensor] = {}

    def taps(self) -> tuple[np.ndarray, int]:
        """Kernel, and the place of its first weight relative to the first pixel of the window of ``factor`` pixels."""
        raise NotImplementedError

    def forward(self, images: Tensor) -> Tensor:
        """Images ``(n, channels, height, width)`` filtered to ``(n, channels, height / factor, width / factor)``."""
        rows, columns = (self.weights(side, images) for side in images.shape[-2:])
        return rows @ images @ columns.transpose(0, 1)

    def weights(self, side: int, like: Tensor) -> Tensor:
        """Matrix ``(side / factor, side)`` in the type and on the device of a tensor; its rows sum to 1.

        Raises
        ------
        UserError
            If the side is not a multiple of the factor.
        """
        if side % self.factor:
            raise UserError(
                f"degradation: images of {side} px cannot be reduced {self.factor} times. "
                f"Choose a factor that divides {side}, or another data.size."
            )
        key = (side, like.dtype, like.device)
        if key not in self._matrices:
            self._matrices[key] = torch.from_numpy(reflected_filter(*self.taps(), self.factor, side)).to(like)
        return self._matrices[key]


class Bicubic(SeparableFilter):
    """Reduce by the bicubic kernel with a = -1/2, stretched to ``4 * factor`` pixels (Keys, 1981).

    Parameters
    ----------
    factor
        2 to 64, a divisor of the images' side.
    """

    def __init__(self, factor: int):
        super().__init__()
        self.factor = checked_factor(factor)

    def taps(self) -> tuple[np.ndarray, int]:
        """The kernel at the pixels less than ``2 * factor`` from the window's middle, normalised."""
        # 4 * factor pixels of an even factor, whose middle is between two; one fewer of an odd one.
        middle, reach = (self.factor - 1) / 2, 2 * self.factor
        first = math.floor(middle - reach) + 1
        pixels = np.arange(first, math.ceil(middle + reach))
        kernel = cubic((pixels - middle) / self.factor)
        return kernel / kernel.sum(), first


class AveragePooling(SeparableFilter):
    """Reduce by the mean over ``factor * factor`` pixels, as a camera's larger pixels do.

    Parameters
    ----------
    factor
        2 to 64, a divisor of the images' side.
    """

    def __init__(self, factor: int):
        super().__init__()
        self.factor = checked_factor(factor)

    def taps(self) -> tuple[np.ndarray, int]:
        """Equal weights over the window."""
        return np.full(self.factor, 1 / self.factor), 0


class GaussianPointSpread(SeparableFilter):
    """Blur by a weaker objective's point spread, then collect the light in larger pixels.

    Parameters
    ----------
    factor
        2 to 64, a divisor of the images' side.
    sigma
        Deviation of the point spread in pixels of the high-resolution image; None is half the factor.
    """

    def __init__(self, factor: int, sigma: float | None = None):
        super().__init__()
        self.factor = checked_factor(factor)
        self.sigma = self.factor / 2 if sigma is None else checked_positive("sigma", sigma)

    def taps(self) -> tuple[np.ndarray, int]:
        """The Gaussian, averaged over the window."""
        kernel = gaussian(self.sigma)
        pooled = np.convolve(kernel, np.full(self.factor, 1 / self.factor))
        return pooled, -(len(kernel) // 2)


class GaussianBlur(SeparableFilter):
    """Blur by a Gaussian.

    Parameters
    ----------
    sigma
        Deviation in pixels of the image it is given.
    """

    def __init__(self, sigma: float):
        super().__init__()
        self.sigma = checked_positive("sigma", sigma)

    def taps(self) -> tuple[np.ndarray, int]:
        """The Gaussian, cut at four deviations."""
        kernel = gaussian(self.sigma)
        return kernel, -(len(kernel) // 2)


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


def reflected_filter(kernel: np.ndarray, first: int, factor: int, side: int) -> np.ndarray:
    """Matrix ``(side / factor, side)`` of a filter whose window continues over the borders by reflection.

    The pixel at the border is not repeated, and a window longer than the image is reflected again and again.

    Examples
    --------
    >>> reflected_filter(np.array([0.25, 0.5, 0.25]), -1, 1, 3).tolist()
    [[0.5, 0.5, 0.0], [0.25, 0.5, 0.25], [0.0, 0.5, 0.5]]
    """
    pixel = np.arange(side // factor)[:, None] * factor + first + np.arange(len(kernel))
    pixel = np.abs(pixel) % max(2 * (side - 1), 1)
    pixel = np.minimum(pixel, 2 * (side - 1) - pixel) if side > 1 else np.zeros_like(pixel)
    matrix = np.zeros((side // factor, side))
    np.add.at(matrix, (np.arange(side // factor)[:, None], pixel), kernel)
    return matrix


def cubic(x: np.ndarray, a: float = -0.5) -> np.ndarray:
    """Keys' cubic convolution kernel, 0 from 2 on.

    Examples
    --------
    >>> cubic(np.array([0.0, 0.5, 1.0, 1.5, 2.0])).tolist()
    [1.0, 0.5625, 0.0, -0.0625, 0.0]
    """
    x = np.abs(x)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def gaussian(sigma: float) -> np.ndarray:
    """Normalised Gaussian at whole pixels, cut at four deviations: of odd length."""
    reach = max(1, math.ceil(4 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return kernel / kernel.sum()


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


def checked_factor(factor: int) -> int:
    """A factor of 2 to 64, else a UserError."""
    if not 2 <= factor <= 64:
        raise UserError(f"degradation: factor={factor} is not in 2..64.")
    return factor


def checked_positive(name: str, value: float) -> float:
    """A number above 0, else a UserError."""
    if not value > 0:
        raise UserError(f"degradation: {name}={value} must be above 0.")
    return value
