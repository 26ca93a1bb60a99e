"""Brightness and colour of an object: mean and spread of each channel, dominant hue."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from skimage.color import rgb2hsv

COLOURS = ("red", "green", "blue")
LEAST_SATURATION = 0.02  # mean, weighted by brightness, below which an object has no hue


def colour_units(channels: Sequence[str]) -> dict[str, str]:
    """Columns of `colour_features`, each with its unit."""
    units = {f"{what}_{name}": "share of the range" for what in ("mean", "spread") for name in channels}
    return {**units, "hue": "degree, period 360"} if tuple(channels) == COLOURS else units


def colour_features(image: NDArray, mask: NDArray[np.bool_], channels: Sequence[str]) -> dict[str, float]:
    """Mean and standard deviation of each channel in the mask, and, of RGB, the hue; NaN where the mask is empty.

    The hue is the direction of the mean of all pixels' hues on the circle, each as long as its chroma: 0 is red, 120
    green, 240 blue; NaN of grey objects.

    Parameters
    ----------
    image
        ``(channels, height, width)`` in 0..1.
    mask
        ``(height, width)``.
    channels
        Their names; red, green and blue have a hue.

    Examples
    --------
    >>> image = np.zeros((3, 4, 4))
    >>> image[1] = 0.5
    >>> found = colour_features(image, np.ones((4, 4), bool), ("red", "green", "blue"))
    >>> found["mean_green"], found["spread_green"], round(found["hue"])
    (0.5, 0.0, 120)
    """
    units = colour_units(channels)
    if not mask.any():
        return dict.fromkeys(units, np.nan)
    values = image[:, mask].astype(np.float64)
    found = {f"mean_{name}": float(of.mean()) for name, of in zip(channels, values, strict=True)}
    found |= {f"spread_{name}": float(of.std()) for name, of in zip(channels, values, strict=True)}
    if "hue" in units:
        found["hue"] = hue_of(values.T)
    return {name: found[name] for name in units}


def hue_of(pixels: NDArray[np.float64]) -> float:
    """Mean hue in degrees, 0 to 360, of RGB pixels ``(n, 3)``; NaN where they are grey."""
    hue, saturation, brightness = rgb2hsv(np.clip(pixels, 0, 1)).T
    chroma = saturation * brightness
    direction = (chroma * np.exp(2j * np.pi * hue)).sum()
    if chroma.sum() < LEAST_SATURATION * brightness.sum() or not np.abs(direction):
        return np.nan
    return float(np.rad2deg(np.angle(direction)) % 360)
