"""Texture of an object: Haralick's statistics, local binary patterns, granularity."""

import numpy as np
from numpy.typing import NDArray
from skimage.feature import graycomatrix, graycoprops, local_binary_pattern
from skimage.morphology import disk, erosion, reconstruction

LEVELS = 32  # grey levels of the co-occurrence matrix
ANGLES = (0.0, np.pi / 4, np.pi / 2, 3 * np.pi / 4)
HARALICK = ("contrast", "dissimilarity", "homogeneity", "energy", "correlation")
POINTS = 8  # neighbours of a local binary pattern, at a distance of one pixel
GRAINS = 6  # radii of the granularity spectrum, in pixels

UNITS = {
    **{f"haralick_{name}": "1" for name in HARALICK},
    "haralick_entropy": "bit",
    **{f"lbp_{number}": "share of the object" for number in range(POINTS + 2)},
    **{f"granularity_{radius}": "share of the signal" for radius in range(1, GRAINS + 1)},
}


def texture_features(grey: NDArray, mask: NDArray[np.bool_]) -> dict[str, float]:
    """Named measurements of the texture within a mask; all NaN where it is empty.

    Haralick's statistics are those of the co-occurrence of neighbouring pixels of the object, at one pixel's distance,
    over four directions, on 32 levels between the object's extremes. ``lbp_0`` to ``lbp_8`` are shares of the uniform
    patterns by their number of brighter neighbours, ``lbp_9`` of all others. ``granularity_r`` is the share of the
    signal above the object's least that erosion by a disc of radius r, and reconstruction, takes beyond radius r - 1.

    Parameters
    ----------
    grey
        ``(height, width)`` in 0..1.
    mask
        ``(height, width)``.

    References
    ----------
    Haralick et al., Textural features for image classification, 1973; Ojala et al., Multiresolution gray-scale and
    rotation invariant texture classification with local binary patterns, 2002; granularity as CellProfiler measures it.

    Examples
    --------
    >>> found = texture_features(np.full((8, 8), 0.5), np.ones((8, 8), bool))
    >>> found["haralick_contrast"], found["haralick_energy"], found["lbp_8"], found["granularity_1"]
    (0.0, 1.0, 1.0, 0.0)
    """
    if not mask.any():
        return dict.fromkeys(UNITS, np.nan)
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
    inner, within = np.asarray(grey[box], np.float64), mask[box]
    low, high = inner[within].min(), inner[within].max()
    unit = np.where(within, (inner - low) / (high - low) if high > low else 0.0, 0.0)
    found = {**haralick(unit, within), **binary_patterns(unit, within), **granularity(unit)}
    return {name: found[name] for name in UNITS}


def haralick(unit: NDArray[np.float64], within: NDArray[np.bool_]) -> dict[str, float]:
    """Statistics of the co-occurrence matrix of an object's pixels, which are in 0..1."""
    levels = np.where(within, 1 + np.rint(unit * (LEVELS - 1)), 0).astype(np.uint8)  # 0: outside, left out below
    counts = graycomatrix(levels, [1], ANGLES, LEVELS + 1, symmetric=True)[1:, 1:].sum(axis=(2, 3), keepdims=True)
    total = counts.sum()
    if not total:  # no two pixels of the object are neighbours
        return {**{f"haralick_{name}": np.nan for name in HARALICK}, "haralick_entropy": np.nan}
    share = counts / total
    found = {f"haralick_{name}": float(graycoprops(share, name)[0, 0]) for name in HARALICK}
    some = share[share > 0]
    return {**found, "haralick_entropy": float(-(some * np.log2(some)).sum()) + 0.0}


def binary_patterns(unit: NDArray[np.float64], within: NDArray[np.bool_]) -> dict[str, float]:
    """Shares of local binary patterns among an object's pixels."""
    eight_bit = np.rint(unit * 255).astype(np.uint8)
    patterns = local_binary_pattern(eight_bit, POINTS, 1, "uniform")[within].astype(int)
    shares = np.bincount(patterns, minlength=POINTS + 2) / len(patterns)
    return {f"lbp_{number}": float(share) for number, share in enumerate(shares)}


def granularity(unit: NDArray[np.float64]) -> dict[str, float]:
    """Share of the signal in grains of each radius."""
    found = {}
    whole = before = float(unit.sum())
    for radius in range(1, GRAINS + 1):
        eroded = erosion(np.pad(unit, radius), disk(radius))[radius:-radius, radius:-radius]
        left = float(reconstruction(eroded, unit).sum())
        found[f"granularity_{radius}"] = (before - left) / whole if whole else 0.0
        before = left
    return found
