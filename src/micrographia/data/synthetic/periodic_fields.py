"""Periodic patterns kept as tables, from which the texture of any number of cells is looked up."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.floating]  # float32 throughout; the type checker follows no precision

SIDE = 256  # a power of 2, so that a place wraps around by its low bits
SPACING = 16  # pixels between the grid points of `granule_grid`


def address(column: Image, row: Image) -> NDArray[np.int32]:
    """Places in a flat periodic table for coordinates in pixels, at most 64 tables below 0.

    Examples
    --------
    >>> address(np.array([0.5, -0.5, 256.0]), np.array([0.0, 1.0, -1.0])).tolist()
    [0, 511, 65280]
    """
    # Positive numbers are rounded down by the cast.
    place = (row + 64 * SIDE).astype(np.int32)
    place &= SIDE - 1
    place *= SIDE
    column_place = (column + 64 * SIDE).astype(np.int32)
    column_place &= SIDE - 1
    place += column_place
    return place


@cache
def clouds(wavelength: float = 7.0) -> Image:
    """Smooth noise with mean 0 and deviation 1, flat: ``(SIDE * SIDE,)``; features are about a wavelength apart."""
    white = np.random.RandomState(1665).standard_normal((SIDE, SIDE))  # NumPy has frozen this stream
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None, :])
    passed = frequency * np.exp(-((frequency * wavelength) ** 2))
    field = np.fft.irfft2(np.fft.rfft2(white) * passed, s=(SIDE, SIDE))
    return np.clip(field / field.std(), -2, 2).astype(np.float32).ravel()


@cache
def granule_grid() -> NDArray[np.uint16]:
    """Discs on a jittered grid, 0.84 spacings wide: rank of the disc times 256 plus coverage in 0..255, flat.

    In one number, so that a pixel looks up its granule once. The ranks of the discs are spread evenly over 0..255.
    """
    random = np.random.RandomState(1667)
    points = SIDE // SPACING
    jitter_down, jitter_right = random.uniform(0.2, 0.8, (2, points, points))
    rank = random.permutation(points**2).reshape(points, points) * 256 // points**2
    place = (np.arange(SIDE) + 0.5) / SPACING
    home = np.arange(SIDE) // SPACING
    nearest = np.full((SIDE, SIDE), np.inf)
    ranks = np.zeros((SIDE, SIDE), np.int64)
    for down in home - 1, home, home + 1:
        for right in home - 1, home, home + 1:
            point = np.ix_(down % points, right % points)
            distance = np.hypot(
                (place - down)[:, None] - jitter_down[point], (place - right)[None, :] - jitter_right[point]
            )
            ranks = np.where(distance < nearest, rank[point], ranks)
            nearest = np.minimum(nearest, distance)
    cover = np.rint(255 * np.clip((0.42 - nearest) / 0.25 + 0.5, 0, 1)).astype(np.int64)
    return (ranks * 256 + cover).astype(np.uint16).ravel()
