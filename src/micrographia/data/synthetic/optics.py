"""What a microscope and its camera add to an image: blur, uneven light, photon noise, eight bits."""

from collections.abc import Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.floating]  # float32 throughout; the type checker follows no precision


def pixel_places(size: int) -> tuple[Image, Image]:
    """Places of the columns and of the rows, ``(1, 1, size)`` and ``(1, size, 1)``, in image sides from the centre."""
    places = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    return places[None, None, :], places[None, :, None]


def photograph(light: Image, disturbed: Mapping[str, NDArray], white: Image | float) -> NDArray[np.uint8]:
    """Light as an eight-bit camera gives it.

    Parameters
    ----------
    light
        Images ``(n, channels, size, size)`` in 0..1, of which the array is used.
    disturbed
        ``(n,)`` each: ``blur``, a deviation in image sides; ``illumination`` in 0..1, and how much of it more there is
        at the end of an image than at its start, ``gradient_x`` and ``gradient_y``; ``noise`` and ``noise_start`` as
        `photon_noise` takes them.
    white
        Light where there is no object, ``(channels, 1, 1)`` or one number.
    """
    size = light.shape[-1]
    right, down = pixel_places(size)
    f = {
        name: np.asarray(disturbed[name], np.float32)[:, None, None]
        for name in ("illumination", "gradient_x", "gradient_y")
    }
    light = blur(light, disturbed["blur"] * size)
    lamp = f["illumination"] * (1 + f["gradient_x"] * right) + f["illumination"] * f["gradient_y"] * down
    light *= lamp[:, None] * white
    light = photon_noise(light, disturbed["noise"].astype(np.float32), disturbed["noise_start"])
    light *= 255
    light += 0.5
    return np.clip(light, 0, 255.5, out=light).astype(np.uint8)


def blur(light: Image, sigma: Image) -> Image:
    """Gaussian blur of square images, each by its own deviation; at the borders the kernel is renormalised.

    Parameters
    ----------
    light
        Images ``(n, channels, size, size)``.
    sigma
        Deviations in pixels, ``(n,)``.
    """
    place = np.arange(light.shape[-1], dtype=np.float32)
    exponent = (place[:, None] - place) ** 2 * (-0.5 / sigma.astype(np.float32) ** 2)[:, None, None]
    # The bound keeps the far weights, which count for nothing, from becoming slow denormal numbers.
    weights = np.exp(np.maximum(exponent, -60))
    weights /= weights.sum(2, keepdims=True)
    # As products of matrices a batch takes half the time of sums of shifted images.
    return weights[:, None] @ light @ weights.swapaxes(1, 2)[:, None]


def photon_noise(light: Image, strength: Image, start: Image) -> Image:
    """Light with normal noise whose deviation grows with the light's square root.

    Parameters
    ----------
    light
        Images ``(n, channels, size, size)`` in 0..1, and never below.
    strength
        Deviation at full light, ``(n,)``.
    start
        Where each image's noise begins in one long sequence, in 0..1, ``(n,)``.
    """
    count = light[0].size
    sequence = normal_sequence(max(2**20, 8 * count))
    deviation = np.sqrt(light)
    deviation *= strength[:, None, None, None]
    for image, first in zip(deviation, (start * (len(sequence) - count)).astype(np.int64), strict=True):
        image *= sequence[first : first + count].reshape(image.shape)
    deviation += light
    return deviation


@cache
def normal_sequence(count: int) -> Image:
    """Standard normal numbers, always the same."""
    return np.random.RandomState(1668).standard_normal(count).astype(np.float32)  # NumPy has frozen this stream
