"""The full feature set of CellProfiler, computed by cp-measure: some 110 columns of shape and 160 of each channel."""

import re
import warnings
from collections.abc import Sequence
from itertools import combinations
from math import tau
from typing import Any

import numpy as np
from numpy.typing import NDArray

from micrographia.errors import needing

MODULES = {  # of CellProfiler, by cp-measure's groups that do not say theirs in the names
    "sizeshape": "AreaShape",
    "zernike": "AreaShape",
    "feret": "AreaShape",
    "texture": "Texture",
}
OF_MASK = ("sizeshape", "zernike", "feret")
LEVELS = 255  # of an image's range, in which Costes' threshold is sought
# Undefined, or the same for all images of one plane.
EMPTY = re.compile(r"AreaShape_NormalizedMoment_(0_[01]|1_0)|Location_\w+_Z")
UNITS = {  # by the pattern of a name, the first that fits; any other is a ratio
    r"AreaShape_(Area|BoundingBoxArea|ConvexArea|FilledArea|InertiaTensor\w*)": "px^2",
    r"AreaShape_(SpatialMoment|CentralMoment)_(\d)_(\d)": "px^{}",
    r"AreaShape_Orientation": "degree, period 180",
    r"AreaShape_\w*(Diameter|Perimeter|PerimeterCrofton|AxisLength|Radius|Center_[XY]|BoundingBoxM\w+_[XY])": "px",
    r"Location_\w+|Intensity_MassDisplacement": "px",
    r"Intensity_Integrated\w+": "share of the range, summed over pixels",
    r"Intensity_\w+": "share of the range",
    r"RadialDistribution_ZernikePhase_\w+": f"radian, period {tau!r}",
    r"RadialDistribution_FracAtD_\w+": "share of the signal",
    r"Granularity_\d+": "percent of the signal",
    r"Texture_(Sum|Difference)?Entropy_\w+": "bit",
    r"Texture_(Contrast|Variance|SumVariance)_\w+": "squared level of 256",
    r"Texture_SumAverage_\w+": "level of 256",
}


def require_cellprofiler() -> Any:
    """The package's functions.

    Raises
    ------
    UserError
        If it is not installed.
    """
    with needing("a set of CellProfiler's features", "cellprofiler"):
        from cp_measure import bulk
    return bulk


def cellprofiler_features(image: NDArray, mask: NDArray[np.bool_], channels: Sequence[str]) -> dict[str, float]:
    """CellProfiler's measurements of one object, under its names; of a channel, or a pair, followed by the channels'.

    Left out are normalised moments that are undefined, and the third coordinate of a plane.

    Parameters
    ----------
    image
        ``(channels, height, width)`` in 0..1.
    mask
        ``(height, width)``.
    channels
        Names of the channels.

    Returns
    -------
    dict
        Empty where the mask is, since columns and their units are known of any measured object: see `units_of`.

    References
    ----------
    Stirling et al., CellProfiler 4, 2021; Munoz et al., cp_measure, 2025.
    """
    if not mask.any():
        return {}
    bulk, labels = require_cellprofiler(), mask.astype(np.int32)
    pixels = np.ascontiguousarray(image, np.float64)
    found: dict[str, float] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of ratios that small or even objects do not have: NaN
        for group, measure in bulk.get_core_measurements().items():
            if group in OF_MASK:
                found |= named(measure(labels, pixels[0]), group)
                continue
            for channel, name in zip(pixels, channels, strict=True):
                found |= named(measure(labels, channel), group, f"_{name}")
        for group, measure in bulk.get_correlation_measurements().items():
            given = {"scale_max": LEVELS} if group == "costes" else {}
            for one, other in combinations(range(len(channels)), 2):
                values = measure(pixels[one], pixels[other], labels, **given)
                found |= named(values, group, f"_{channels[one]}_{channels[other]}")
    return found


def named(values: dict[str, Any], group: str, suffix: str = "") -> dict[str, float]:
    """Measurements of one object under CellProfiler's names."""
    module = f"{MODULES[group]}_" if group in MODULES else ""
    return {
        f"{module}{name}{suffix}": float(np.ravel(value)[0])
        for name, value in values.items()
        if not EMPTY.fullmatch(f"{module}{name}")
    }


def units_of(columns: Sequence[str]) -> dict[str, str]:
    """Unit of each column.

    Examples
    --------
    >>> units_of(["AreaShape_Area", "AreaShape_CentralMoment_0_2", "Granularity_3_red"])
    {'AreaShape_Area': 'px^2', 'AreaShape_CentralMoment_0_2': 'px^4', 'Granularity_3_red': 'percent of the signal'}
    """
    return {column: unit_of(column) for column in columns}


def unit_of(column: str) -> str:
    """Unit of one column."""
    for pattern, unit in UNITS.items():
        if found := re.match(rf"(?:{pattern})(?:_|$)", column):
            return unit.format(2 + sum(map(int, found.groups()[1:]))) if "{}" in unit else unit
    return "1"
