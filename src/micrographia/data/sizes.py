"""Images of different sizes as squares of one size: padded, so that relative scale is kept, or resized."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

Background = Literal["zero", "border"]


@dataclass(frozen=True)
class Squares:
    """Turn an image into a square of ``size`` pixels.

    Attributes
    ----------
    size : int
        Side of the result in pixels.
    side : int or None
        Side in the image's own pixels of the square to which it is padded first. A larger image is shrunk to fit,
        whole rather than cropped: its outline stays, its scale does not. None resizes without padding, which stretches.
    background : "zero" or "border"
        What it is padded with: 0, or for each channel the median of the image's outermost pixels.
    """

    size: int
    side: int | None
    background: Background = "border"

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Image ``(channels, height, width)`` as ``(channels, size, size)``, uint8 or float32 as it was."""
        if self.side is not None:
            image = pad_to_square(shrink_to_fit(image, self.side), self.side, self.background)
        return resize(image, self.size, self.size)


def common_side(shapes: Sequence[tuple[int, ...]], quantile: float = 1.0) -> int:
    """Side of the square for images of the given shapes ``(channels, height, width)``: a quantile of the longer sides.

    Pass the training part's shapes only, or the test part would shape the training images.

    Examples
    --------
    >>> common_side([(1, 30, 50), (1, 40, 20)])
    50
    """
    longer = [max(shape[-2:]) for shape in shapes]
    return int(np.quantile(longer, quantile, method="higher"))


def shrink_to_fit(image: np.ndarray, side: int) -> np.ndarray:
    """Image of which no side is longer than ``side``, in its own proportions."""
    height, width = image.shape[-2:]
    longer = max(height, width)
    if longer <= side:
        return image
    return resize(image, max(1, round(height * side / longer)), max(1, round(width * side / longer)))


def pad_to_square(image: np.ndarray, side: int, background: Background) -> np.ndarray:
    """Image ``(channels, height, width)`` in the middle of a square of ``side`` pixels."""
    channels, height, width = image.shape
    if (height, width) == (side, side):
        return image
    if background == "zero":
        fill = np.zeros(channels, image.dtype)
    else:
        border = [image[:, 0], image[:, -1], image[:, :, 0], image[:, :, -1]]
        fill = np.median(np.concatenate(border, axis=1), axis=1).astype(image.dtype)
    square = np.broadcast_to(fill[:, None, None], (channels, side, side)).copy()
    top, left = (side - height) // 2, (side - width) // 2
    square[:, top : top + height, left : left + width] = image
    return square


def resize(image: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize with a triangle filter as wide as the step between pixels: antialiased, never outside the image's range.

    Parameters
    ----------
    image
        ``(channels, height, width)``, uint8 or float32.
    """
    if image.shape[-2:] == (height, width):
        return image
    # Plane by plane: interleaving the colours for pillow takes longer than resizing them.
    planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in image]
    return np.stack([np.asarray(plane.resize((width, height), Image.Resampling.BILINEAR)) for plane in planes])
