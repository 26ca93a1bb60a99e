"""Shape of an object by its mask: size, roundness, elongation, orientation, position."""

import numpy as np
from numpy.typing import NDArray
from skimage.measure import regionprops

UNITS = {
    "area": "px^2",
    "perimeter": "px",
    "roundness": "1",
    "solidity": "1",
    "eccentricity": "1",
    "elongation": "1",
    "orientation": "degree, period 180",
    "position_x": "share of the width",
    "position_y": "share of the height",
}


def shape_features(mask: NDArray[np.bool_]) -> dict[str, float]:
    """Named measurements of one object's shape; all NaN where the mask is empty.

    Roundness is 4 pi area over the squared perimeter, 1 of a disc. Solidity is the area over that of the convex hull.
    Eccentricity and elongation (1 - minor over major axis) are those of the ellipse with the same second moments, 0 of
    a disc. Orientation is that of its major axis, anticlockwise from the horizontal, above -90 to 90.

    Parameters
    ----------
    mask
        ``(height, width)``.

    Examples
    --------
    >>> mask = np.zeros((20, 40), bool)
    >>> mask[8:12, 10:30] = True
    >>> found = shape_features(mask)
    >>> found["area"], found["solidity"], found["orientation"], found["position_x"]
    (80.0, 1.0, 0.0, 0.5)
    """
    if not mask.any():
        return dict.fromkeys(UNITS, np.nan)
    (region,) = regionprops(mask.astype(np.uint8))
    perimeter = float(region.perimeter_crofton)
    major, minor = float(region.axis_major_length), float(region.axis_minor_length)
    # scikit-image's angle is from the vertical; 90 and -90 are one direction.
    orientation = (float(np.rad2deg(region.orientation)) + 180) % 180 - 90
    row, column = region.centroid
    return {
        "area": float(region.area),
        "perimeter": perimeter,
        "roundness": 4 * np.pi * float(region.area) / perimeter**2,
        "solidity": float(region.solidity),
        "eccentricity": float(region.eccentricity),
        "elongation": 1 - minor / major if major else 0.0,
        "orientation": 90.0 if orientation == -90 else orientation,
        "position_x": (float(column) + 0.5) / mask.shape[1],
        "position_y": (float(row) + 0.5) / mask.shape[0],
    }
