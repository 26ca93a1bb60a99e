"""Hand-made features of images with one object each: a named row per image, with the unit of each column."""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrographia.errors import UserError
from micrographia.measure import shape, texture
from micrographia.measure.colour import COLOURS, colour_features, colour_units
from micrographia.measure.objects import object_mask

Progress = Callable[[int, int], None]
CHUNK = 64  # images between two reports of progress


def hand_made_features(
    images: NDArray,
    masks: NDArray[np.bool_] | None = None,
    channels: Sequence[str] | None = None,
    um_per_px: float | None = None,
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Shape, colour and texture of the object of each image.

    Parameters
    ----------
    images
        ``(n, channels, height, width)`` in 0..1.
    masks
        ``(n, height, width)`` of the objects; None finds them: see `object_mask`.
    channels
        Names of the channels; None: red, green and blue of three, else numbers.
    um_per_px
        Size of a pixel in micrometres; None leaves lengths in pixels.
    progress
        Called with (images done, of how many).

    Returns
    -------
    DataFrame with a row per image, all NaN where no object was found; ``attrs["units"]`` holds each column's unit.

    Raises
    ------
    UserError
        If masks or names do not fit the images.

    Examples
    --------
    >>> images = np.zeros((2, 3, 16, 16))
    >>> images[:, 0, 4:10, 5:9] = 1
    >>> table = hand_made_features(images)
    >>> table["area"].tolist(), table["hue"].tolist(), table.attrs["units"]["area"]
    ([24.0, 24.0], [0.0, 0.0], 'px^2')
    """
    names = tuple(channels or (COLOURS if images.shape[1] == 3 else map(str, range(images.shape[1]))))
    if len(names) != images.shape[1]:
        raise UserError(
            f"features: {len(names)} names of channels ({', '.join(names)}) for {images.shape[1]} channels."
        )
    if masks is not None and masks.shape != (len(images), *images.shape[2:]):
        raise UserError(f"features: masks {masks.shape} for images {images.shape}. Give one mask for each image.")
    rows = []
    for number, image in enumerate(images):
        mask = object_mask(image) if masks is None else masks[number].astype(bool)
        rows.append(
            {
                **shape.shape_features(mask),
                **colour_features(image, mask, names),
                **texture.texture_features(image.mean(axis=0), mask),
            }
        )
        if progress is not None and (number % CHUNK == CHUNK - 1 or number == len(images) - 1):
            progress(number + 1, len(images))
    units = {**shape.UNITS, **colour_units(names), **texture.UNITS}
    table = pd.DataFrame(rows, columns=list(units))
    if um_per_px is not None:
        table["area"] *= um_per_px**2
        table["perimeter"] *= um_per_px
        units |= {"area": "um^2", "perimeter": "um"}
    table.attrs["units"] = units
    return table
