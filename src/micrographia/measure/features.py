"""Hand-made features of images with one object each: a named row per image, with the unit of each column."""

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrographia.errors import UserError
from micrographia.measure import cellprofiler, shape, texture
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
    kinds: Sequence[str] = ("basic",),
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
    kinds
        Of features: ``basic``, and ``cellprofiler`` for all that CellProfiler measures, under its names (an extra).

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
    basic, rows = "basic" in kinds, []
    for number, image in enumerate(images):
        mask = object_mask(image) if masks is None else masks[number].astype(bool)
        row = basic_features(image, mask, names) if basic else {}
        if "cellprofiler" in kinds:
            row |= cellprofiler.cellprofiler_features(image, mask, names)
        rows.append(row)
        if progress is not None and (number % CHUNK == CHUNK - 1 or number == len(images) - 1):
            progress(number + 1, len(images))
    units = {**shape.UNITS, **colour_units(names), **texture.UNITS} if basic else {}
    units |= cellprofiler.units_of([name for name in max(rows, key=len, default={}) if name not in units])
    table = pd.DataFrame(rows, columns=list(units), dtype=float)
    if um_per_px is not None:
        table, units = in_micrometres(table, units, um_per_px)
    table.attrs["units"] = units
    return table


def basic_features(image: NDArray, mask: NDArray[np.bool_], channels: Sequence[str]) -> dict[str, float]:
    """Our own few features of one object, which have plain names."""
    return {
        **shape.shape_features(mask),
        **colour_features(image, mask, channels),
        **texture.texture_features(image.mean(axis=0), mask),
    }


def in_micrometres(
    table: pd.DataFrame, units: Mapping[str, str], um_per_px: float
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Features whose unit is a power of pixels as powers of micrometres, and all units."""
    found = {name: re.fullmatch(r"px(?:\^(\d+))?", unit) for name, unit in units.items()}
    powers = {name: int(power[1] or 1) for name, power in found.items() if power}
    scaled = table.assign(**{name: table[name] * um_per_px**power for name, power in powers.items()})
    return scaled, {name: unit.replace("px", "um") if name in powers else unit for name, unit in units.items()}
