"""What a microscope and its camera add to an image: blur and photon noise."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.floating]  # float32 throughout; the type checker follows no precision


def blur(light: Image, sigma: Image, reach: int) -> Image:
    """Gaussian blur of images ``(n, 3, size, size)``, each by its own deviation; borders are repeated.

    Parameters
    ----------
    light
        Images.
    sigma
        Deviations in pixels, ``(n,)``.
    reach
        Pixels at which the kernel is cut.
    """
    weights = np.exp(-0.5 * (np.arange(reach + 1, dtype=np.float32) / sigma[:, None]) ** 2)
    weights /= weights[:, :1] + 2 * weights[:, 1:].sum(1, keepdims=True)
    weights = weights[:, :, None, None, None]
    size = light.shape[-1]
    across = np.pad(light, [(0, 0), (0, 0), (reach, reach), (0, 0)], mode="edge")
    rows = [across[:, :, k : k + size] for k in range(2 * reach + 1)]
    light = weighted_sum(rows, weights)
    along = np.pad(light, [(0, 0), (0, 0), (0, 0), (reach, reach)], mode="edge")
    columns = [along[:, :, :, k : k + size] for k in range(2 * reach + 1)]
    return weighted_sum(columns, weights)


def weighted_sum(shifted: list[Image], weights: Image) -> Image:
    """Sum of shifted images with the weights ``(n, reach + 1, 1, 1, 1)`` of a symmetric kernel, the middle first."""
    reach = len(shifted) // 2
    total = shifted[reach] * weights[:, 0]
    pair = np.empty_like(total)
    for k in range(1, reach + 1):
        np.add(shifted[reach - k], shifted[reach + k], out=pair)
        pair *= weights[:, k]
        total += pair
    return total


def photon_noise(light: Image, strength: Image, start: Image) -> Image:
    """Light with normal noise whose deviation grows with the light's square root.

    Parameters
    ----------
    light
        Images ``(n, channels, size, size)`` in 0..1.
    strength
        Deviation at full light, ``(n,)``.
    start
        Where each image's noise begins in one long sequence, in 0..1, ``(n,)``.
    """
    count = light[0].size
    sequence = normal_sequence(max(2**20, 8 * count))
    deviation = np.sqrt(np.maximum(light, 0))
    deviation *= strength[:, None, None, None]
    for image, first in zip(deviation, (start * (len(sequence) - count)).astype(np.int64), strict=True):
        image *= sequence[first : first + count].reshape(image.shape)
    deviation += light
    return deviation


@cache
def normal_sequence(count: int) -> Image:
    """Standard normal numbers, always the same."""
    return np.random.RandomState(1668).standard_normal(count).astype(np.float32)  # NumPy has frozen this stream
