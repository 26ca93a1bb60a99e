"""The sprites of dSprites, drawn by this package: square, ellipse and heart of any size."""

from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

SHAPES = ("square", "ellipse", "heart")
SCALES = np.linspace(0.5, 1.0, 6)
ORIENTATIONS = np.linspace(0.0, 2 * np.pi, 40)  # both ends, as in dSprites: the first and the last look the same
POSITIONS = 32

# Side of the square of scale 1, in image sides. The three shapes have the same area, so that area tells the scale
# and nothing else, and none reaches further from its centroid than RADIUS.
SIDE = 21 / 64
RADIUS = 0.715 * SIDE

ELLIPSE_ASPECT = 1.6
# The heart (x^2 + y^2 - 1)^3 < x^2 y^3: its area, and the height of its centroid.
HEART_AREA = 3.66198
HEART_CENTROID = 0.29348


class Sprites(Protocol):
    """Masks of sprites that have been placed in an image.

    Attributes
    ----------
    box : int
        Side of a mask in pixels, at most the side of the image.
    binary : bool
        Whether masks hold nothing but 0 and 255.
    """

    box: int
    binary: bool

    def place(
        self,
        shape: NDArray[np.int64],
        scale: NDArray[np.int64],
        orientation: NDArray[np.int64],
        pos_x: NDArray[np.int64],
        pos_y: NDArray[np.int64],
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        """Masks ``(n, box, box)`` with coverage in 0..255, and the row and column of their first pixel."""


class DrawnSprites:
    """Sprites drawn from their equations; each is drawn once and pasted at whole pixels.

    Positions stand size / 64 pixels apart, rounded to whole pixels: below 64 pixels some neighbours coincide.

    Parameters
    ----------
    size
        Side of the image in pixels.
    antialias
        Coverage of each pixel by the shape; otherwise 0 or 255 by the pixel's centre, as in dSprites.

    Examples
    --------
    >>> import numpy as np
    >>> one = np.array([0])
    >>> mask, row, column = DrawnSprites(64).place(one, one + 5, one, one, one + 31)
    >>> int((mask > 0).sum()), int(row[0]), int(column[0])
    (441, 32, 1)
    """

    def __init__(self, size: int, antialias: bool = False):
        self.size = size
        self.binary = not antialias
        steps = np.floor(np.arange(POSITIONS) * size / 64 + 0.5).astype(np.int64)
        first_centre = (size - int(steps[-1])) / 2
        # The box's corner has to be a whole pixel, and the centre may lie between two.
        reach = np.ceil(RADIUS * size - first_centre % 1) + first_centre % 1
        self.box = int(2 * reach)
        self.corners = steps + int(first_centre - reach)

    def place(
        self,
        shape: NDArray[np.int64],
        scale: NDArray[np.int64],
        orientation: NDArray[np.int64],
        pos_x: NDArray[np.int64],
        pos_y: NDArray[np.int64],
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        """Masks, rows and columns as `Sprites.place` has them."""
        masks = draw_all(self.size, self.box, self.binary)
        return masks[shape, scale, orientation], self.corners[pos_y], self.corners[pos_x]


@cache
def draw_all(size: int, box: int, binary: bool) -> NDArray[np.uint8]:
    """Centred masks of all shapes, scales and orientations: ``(3, 6, 40, box, box)``, 0..255."""
    subpixels = 1 if binary else 4 if size <= 128 else 2
    masks = np.empty((len(SHAPES), len(SCALES), len(ORIENTATIONS), box, box), np.uint8)
    for i, shape in enumerate(SHAPES):
        for j, scale in enumerate(SCALES):
            masks[i, j] = draw_sprites(shape, scale * SIDE * size, ORIENTATIONS, box, subpixels)
    return masks


def draw_sprites(
    shape: str, side: float, angles: NDArray[np.floating], box: int, subpixels: int = 1
) -> NDArray[np.uint8]:
    """One shape at several angles, its centroid in the middle of the box.

    Parameters
    ----------
    shape
        One of `SHAPES`.
    side
        Square root of the shape's area, in pixels.
    angles
        Clockwise turns in radians, ``(n,)``.
    box
        Side of the masks in pixels.
    subpixels
        Points per pixel and axis at which the shape is sampled.

    Returns
    -------
    Masks ``(n, box, box)``, uint8, coverage in 0..255.
    """
    points = ((np.arange(box * subpixels) + 0.5) / subpixels - box / 2).astype(np.float32) / np.float32(side)
    cosine = np.cos(angles).astype(np.float32)[:, None, None]
    sine = np.sin(angles).astype(np.float32)[:, None, None]
    right, down = points[None, None, :], points[None, :, None]
    covered = is_inside(shape, right * cosine + down * sine, down * cosine - right * sine)
    if subpixels == 1:
        return covered.astype(np.uint8) * np.uint8(255)
    counts = covered.reshape(len(angles), box, subpixels, box, subpixels).sum((2, 4), dtype=np.float32)
    return np.rint(counts * (255 / subpixels**2)).astype(np.uint8)


def is_inside(shape: str, right: NDArray[np.float32], down: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Whether points lie inside an upright shape of area 1 whose centroid is the origin.

    Raises
    ------
    ValueError
        If the shape is none of `SHAPES`.
    """
    match shape:
        case "square":
            return np.maximum(np.abs(right), np.abs(down)) < 0.5
        case "ellipse":
            return right**2 / ELLIPSE_ASPECT + down**2 * ELLIPSE_ASPECT < 1 / np.pi
        case "heart":
            unit = HEART_AREA**0.5
            x_squared, y = (right * unit) ** 2, HEART_CENTROID - down * unit
            bulge = x_squared + y * y - 1
            return bulge * bulge * bulge < x_squared * (y * y * y)
        case _:
            raise ValueError(f"shape {shape} is none of {', '.join(SHAPES)}")
