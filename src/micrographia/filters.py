"""Separable filters: reduction by bicubic, average and point spread, and blur.

They are kept as matrices ``W``: an image ``x`` becomes ``W x W^T``. They are linear, so that gradients are exact, and
at the borders the image is continued by reflection.
"""

import math

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
