"""Pixel values of any depth as 0..1: by their type, by limits that are given or fitted, or image by image."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from micrographia.errors import UserError

Rule = Literal["dtype", "limits", "percentile", "zscore", "image"]
Limits = tuple[tuple[float, float], ...]
"""The values that become 0 and 1, a pair per channel, in the images' own units."""

# Pixels looked at for percentiles, per channel and in all: evenly spaced ones, at least 64 of every image.
SAMPLED_PIXELS = 2**24


@dataclass(frozen=True)
class Intensity:
    """Scale an image to 0..1.

    Attributes
    ----------
    rule : "dtype", "limits", "percentile", "zscore" or "image"
        By the range of the image's type; by limits per channel that were given, or fitted, to percentiles or to mean
        and deviation; by the image's own percentiles per channel.
    percentiles : pair of float
        Percentiles that become 0 and 1 under ``percentile`` and ``image``; values beyond are clipped.
    limits : tuple of pairs, one per channel
        The values that become 0 and 1 under ``limits``, ``percentile`` and ``zscore``, in the images' own units.
    deviations : float
        Standard deviations around the mean that 0..1 spans to each side under ``zscore``; values beyond are clipped.
    """

    rule: Rule
    percentiles: tuple[float, float] = (0.1, 99.9)
    limits: Limits = ()
    deviations: float = 3.0

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Image ``(channels, height, width)`` as uint8 in 0..255 if it was uint8, else as float32 in 0..1."""
        if image.dtype == np.uint8:
            return image if self.rule == "dtype" else np.rint(255 * self.scale(image)).astype(np.uint8)
        return self.scale(image)

    def scale(self, image: np.ndarray) -> np.ndarray:
        """Image as float32 in 0..1."""
        if self.rule == "dtype":
            highest = np.iinfo(image.dtype).max if image.dtype.kind in "ui" else 1
            return np.clip(image / np.float32(highest), 0, 1).astype(np.float32)
        limits = np.asarray(self.limits_of(image))
        low, high = (limits[:, side, None, None].astype(np.float32) for side in (0, 1))
        span = np.where(high > low, high - low, 1)
        return np.clip((image.astype(np.float32) - low) / span, 0, 1)

    def limits_of(self, image: np.ndarray) -> Limits:
        """The values of each channel that become 0 and 1, unless it is by the type."""
        if self.rule != "image":
            return self.limits
        pixels = zero_where_all_nan(image.reshape(len(image), -1))
        found = np.nanpercentile(pixels, self.percentiles, axis=1)
        return tuple((float(low), float(high)) for low, high in found.T)

    def describe(self, of: str = "the training part") -> str:
        """The scaling in words.

        Examples
        --------
        >>> Intensity("percentile", (1, 99), ((0, 255), (20, 4000))).describe()
        'percentiles 1 to 99 of the training part: 0 to 255, 20 to 4000'
        """
        low, high = self.percentiles
        if self.rule == "dtype":
            return "range of the type"
        if self.rule == "image":
            return f"percentiles {low:g} to {high:g} of each image"
        limits = ", ".join(f"{first:.4g} to {last:.4g}" for first, last in self.limits)
        return f"{self.fit(of)}: {limits}"

    def fit(self, of: str = "the training part") -> str:
        """How the limits came about, in words."""
        if self.rule == "limits":
            return "given limits"
        low, high = self.percentiles
        what = (
            f"percentiles {low:g} to {high:g}"
            if self.rule == "percentile"
            else f"mean +- {self.deviations:g} deviations"
        )
        return f"{what} of {of}"


def percentile_limits(images: Iterable[np.ndarray], count: int, percentiles: Sequence[float]) -> Limits:
    """Percentiles of each channel over ``count`` images, pixels weighing alike.

    Examples
    --------
    >>> percentile_limits([np.arange(101).reshape(1, 1, 101)], 1, (10, 90))
    ((10.0, 90.0),)
    """
    return fitted_limits(images, count, lambda pixels: np.nanpercentile(pixels, percentiles, axis=1))


def zscore_limits(images: Iterable[np.ndarray], count: int, deviations: float) -> Limits:
    """Mean of each channel over ``count`` images, pixels weighing alike, less and plus so many standard deviations.

    Examples
    --------
    >>> zscore_limits([np.array([[[1.0, 3.0]]])], 1, 2.0)
    ((0.0, 4.0),)
    """

    def around_mean(pixels: np.ndarray) -> np.ndarray:
        mean, deviation = (of(pixels, axis=1, dtype=np.float64) for of in (np.nanmean, np.nanstd))
        return np.stack([mean - deviations * deviation, mean + deviations * deviation])

    return fitted_limits(images, count, around_mean)


def fitted_limits(images: Iterable[np.ndarray], count: int, fit: Callable[[np.ndarray], np.ndarray]) -> Limits:
    """What ``fit`` makes of each channel's pixels; of large sets evenly spaced ones are taken, 2**24 per channel.

    Parameters
    ----------
    images
        ``count`` of them, ``(channels, height, width)``: of the training part, or of a plate that is scaled by itself.
    fit
        From ``(channels, pixels)`` to ``(2, channels)``: low and high.
    """
    share = max(64, SAMPLED_PIXELS // max(count, 1))
    samples = []
    for image in images:
        pixels = image.reshape(len(image), -1)
        # A step that is odd does not keep to the same columns of images whose width is a power of two.
        step = max(1, pixels.shape[1] // share) | 1
        samples.append(pixels[:, ::step].astype(np.float32))
    limits = fit(zero_where_all_nan(np.concatenate(samples, axis=1)))
    return tuple((float(low), float(high)) for low, high in limits.T)


def zero_where_all_nan(pixels: np.ndarray) -> np.ndarray:
    """Pixels ``(channels, n)``; a channel of NaN alone, which has no limits, is 0.

    Examples
    --------
    >>> zero_where_all_nan(np.array([[np.nan, np.nan], [1.0, np.nan]])).tolist()
    [[0.0, 0.0], [1.0, nan]]
    """
    unknown = np.isnan(pixels).all(axis=1, keepdims=True)
    return np.where(unknown, 0, pixels) if unknown.any() else pixels


def rising(percentiles: Sequence[float]) -> tuple[float, float]:
    """The two of ``data.percentiles``; raises `UserError` unless they rise, from 0 to 100."""
    if len(percentiles) != 2 or not 0 <= percentiles[0] < percentiles[1] <= 100:
        raise UserError(f"data.percentiles={list(percentiles)}: expected two rising numbers from 0 to 100.")
    return float(percentiles[0]), float(percentiles[1])


def pairs_of(limits: Sequence[Sequence[float]], channels: int) -> Limits:
    """Limits as one rising pair per channel; raises `UserError` if they are not.

    Examples
    --------
    >>> pairs_of([[100, 4000]], 2)
    ((100.0, 4000.0), (100.0, 4000.0))
    """
    rising = all(len(pair) == 2 and pair[0] < pair[1] for pair in limits)
    if not rising or len(limits) not in (1, channels):
        raise UserError(
            f"data.limits={[list(pair) for pair in limits]}: expected one rising pair, [[0, 4000]], or {channels}, one "
            "for each of the model's channels."
        )
    pairs = tuple((float(low), float(high)) for low, high in limits)
    return pairs * channels if len(pairs) < channels else pairs
