"""Uneven light of a microscope, estimated from all fields of a plate, and taken out of each."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from micrographia.errors import UserError

LEAST = 0.2  # of the mean: what is darker is the stop of the field, not uneven light


def illumination(fields: Iterable[NDArray], smoothing: float = 0.1) -> NDArray[np.float32]:
    """Relative light at each pixel of each channel, with mean 1.

    Cells lie anywhere, so that the mean of many fields shows the light, up to what a smoothing takes out.

    Parameters
    ----------
    fields
        ``(channels, height, width)`` each, all of one plate.
    smoothing
        Deviation of the Gaussian, as a share of the longer side.

    Returns
    -------
    Array ``(channels, height, width)``, float32; ones where there are no fields.

    Raises
    ------
    UserError
        If fields differ in size.

    References
    ----------
    Jones et al., Methods for high-content, high-throughput image-based cell screening, 2006 (CellProfiler's regular
    illumination function of all images).
    """
    total: NDArray | None = None
    for field in fields:
        if total is None:
            total = np.zeros(field.shape, np.float64)
        elif total.shape != field.shape:
            raise UserError(
                f"data.fields: fields of one plate are {total.shape[1:]} and {field.shape[1:]} px. Cut them alike."
            )
        total += field
    if total is None:
        return np.ones((1, 1, 1), np.float32)
    deviation = smoothing * max(total.shape[1:])
    light = np.stack([gaussian_filter(channel, deviation, mode="nearest") for channel in total])
    mean = light.mean((1, 2), keepdims=True)
    return np.maximum(np.divide(light, mean, out=np.ones_like(light), where=mean > 0), LEAST).astype(np.float32)


def evened(field: NDArray, light: NDArray[np.float32]) -> NDArray:
    """A field under even light, in its own type and range.

    Examples
    --------
    >>> evened(np.array([[[100, 50]]], np.uint16), np.array([[[2.0, 0.5]]], np.float32)).tolist()
    [[[50, 100]]]
    """
    even = field / light
    if field.dtype.kind in "ui":
        return np.clip(np.rint(even), 0, np.iinfo(field.dtype).max).astype(field.dtype)
    return even.astype(field.dtype)
