"""Shapes in an object's own frame: its coordinates, soft edges, lines along edges.

Everything is elementwise on arrays ``(n, size, size)``, so that an object does not depend on those rendered beside it.
"""

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.floating]  # float32 throughout; the type checker follows no precision


class ObjectFrame:
    """Coordinates u and v in an object's own frame: turned, stretched, in its radii.

    Parameters
    ----------
    right, down
        Coordinates of the pixels in the image, ``(1, 1, size)`` and ``(1, size, 1)``, in image sides from its centre.
    f
        ``shift_x``, ``shift_y``, ``orientation`` and ``elongation``, ``(n, 1, 1)``.
    radius
        Of the object, in image sides.

    Attributes
    ----------
    u, v, squared : Image
        Coordinates and squared distance from the object's centre, ``(n, size, size)``.
    """

    def __init__(self, right: Image, down: Image, f: dict[str, Image], radius: Image):
        x, y = right - f["shift_x"], down - f["shift_y"]
        cosine, sine = np.cos(f["orientation"]) / radius, np.sin(f["orientation"]) / radius
        # What the column of a pixel adds to (u, v), and what its row adds.
        self.across = x * (cosine / f["elongation"]), x * (-sine * f["elongation"])
        self.along = y * (sine / f["elongation"]), y * (cosine * f["elongation"])
        self.u, self.v = self.linear(1, 0), self.linear(0, 1)
        self.squared = self.u * self.u
        self.squared += self.v * self.v

    def linear(self, a: Image | float, b: Image | float, c: Image | float = 0) -> Image:
        """``a u + b v + c`` at every pixel, in one pass over them."""
        return (self.across[0] * a + self.across[1] * b) + (self.along[0] * a + self.along[1] * b + c)

    def depth_in_disc(self, u: Image, v: Image | float, radius: Image) -> Image:
        """How deep the pixels lie in a disc, near its edge; further away (radius^2 - distance^2) / (2 radius)."""
        depth = self.linear(u / radius, v / radius, (radius * radius - u * u - v * v) / (2 * radius))
        depth -= self.squared * (0.5 / radius)
        return depth


def soft(inside: Image, sharpness: Image | float) -> Image:
    """Coverage in 0..1 of pixels that lie so far inside an edge of width 1 / sharpness."""
    cover = inside * sharpness
    cover += 0.5
    return np.clip(cover, 0, 1, out=cover)


def rim(inside: Image, sharpness: Image | float) -> Image:
    """A line along an edge: 1 on it, 0 from a distance of 1 / sharpness."""
    line = inside * sharpness
    line *= line
    np.subtract(1, line, out=line)
    return np.maximum(line, 0, out=line)


def smooth_maximum(a: Image, b: Image, width: float) -> Image:
    """The larger of two fields, raised a little where they differ by less than a width (and exactly it elsewhere)."""
    bridge = np.abs(a - b)
    np.subtract(width, bridge, out=bridge)
    np.maximum(bridge, 0, out=bridge)
    bridge *= bridge
    bridge *= 1 / (4 * width)
    bridge += np.maximum(a, b)
    return bridge
