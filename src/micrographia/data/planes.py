"""One plane of an image with its channels: what is known of it, and which of its axes is which."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from micrographia.errors import UserError

COLOURS: tuple[str, ...] = ("red", "green", "blue")
MOST_PIXELS = 89_000_000  # of a channel; beyond, pillow takes an image for a decompression bomb
MOST_VALUES = 4 * MOST_PIXELS  # of all channels: four of the largest, 16 of some 4,700 px, which 2 GB hold as floats


@dataclass(frozen=True)
class ImageHeader:
    """What a file holds, known without decoding its pixels.

    Attributes
    ----------
    shape : tuple of int
        ``(channels, height, width)`` of what `read_image` returns.
    dtype : numpy dtype
        Type of its pixels.
    names : tuple of str
        One name per channel: from the file's metadata, the colours' names, or the channel's number.
    alpha : bool
        Whether the file also has transparency, which is dropped.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype
    names: tuple[str, ...]
    alpha: bool = False


def too_large(path: Path) -> UserError:
    """That an image has more pixels than are read."""
    return UserError(f"{path}: has more than {MOST_PIXELS:,} pixels. Cut it into fields or cells first.")


def plane_axes(axes: str, shape: Sequence[int], path: Path) -> str:
    """Name each axis Y, X, C (channels) or ``_`` (length 1), from a file's axes or, where those say nothing, by rule.

    The rule for an axis without a meaning: a last axis of at most 4 holds the channels, but of square planes one after
    the other (low-resolution images may be 4 px wide) the first; else a first axis that is the smallest, else a last
    one that is.

    Raises
    ------
    UserError
        If there is more than one plane: z, time, or several axes besides height, width and channels.

    Examples
    --------
    >>> plane_axes("YXS", (48, 48, 3), Path()), plane_axes("TZCYX", (1, 1, 2, 48, 48), Path())
    ('YXC', '__CYX')
    >>> plane_axes("QYX", (48, 48, 4), Path()), plane_axes("QYX", (5, 48, 48), Path())
    ('YXC', 'CYX')
    >>> plane_axes("QYX", (2, 4, 4), Path()), plane_axes("QYX", (5, 4, 4), Path())
    ('CYX', 'CYX')
    """
    named = ["_" if length == 1 and axis not in "YX" else axis for axis, length in zip(axes, shape, strict=True)]
    extra = [position for position, axis in enumerate(named) if axis not in "_YX"]
    if not extra and sorted(axis for axis in named if axis != "_") == ["X", "Y"]:
        return "".join(named)
    long = [position for position, axis in enumerate(named) if axis != "_"]
    if len(long) != 3:
        raise UserError(f"{path}: has axes {axes} of lengths {tuple(shape)}. Save one plane with its channels.")
    if len(extra) == 1 and named[extra[0]] in "CSE":
        named[extra[0]] = "C"
        return "".join(named)
    if not all(named[position] in "QI" for position in extra):
        position = extra[0]
        raise UserError(
            f"{path}: has {shape[position]} planes along axis {named[position]} (axes {axes}). "
            "Save one plane or a projection."
        )
    first, middle, last = (shape[position] for position in long)
    tiny = middle == last <= 4
    order = "YXC" if not tiny and (last <= 4 or (last < first and last <= middle)) else "CYX"
    if order == "CYX" and not tiny and first > min(middle, last):
        raise UserError(f"{path}: no axis of {tuple(shape)} is plainly the channels. Save it with axes metadata.")
    for position, axis in zip(long, order, strict=True):
        named[position] = axis
    return "".join(named)


def channels_first(array: np.ndarray, axes: str) -> np.ndarray:
    """Array with axes named by `plane_axes`, as ``(channels, height, width)``."""
    array = array.reshape([length for length, axis in zip(array.shape, axes, strict=True) if axis != "_"])
    kept = axes.replace("_", "")
    return array.transpose([kept.index(axis) for axis in "CYX" if axis in kept]).reshape(
        (-1, *(array.shape[kept.index(axis)] for axis in "YX"))
    )


def require_few_pixels(size: Mapping[str, int], path: Path) -> None:
    """Raise if an image is too large to be read; ``size`` has the lengths of its axes Y, X and, if it has them, C."""
    if size["Y"] * size["X"] > MOST_PIXELS:
        raise too_large(path)
    if (values := size.get("C", 1) * size["Y"] * size["X"]) > MOST_VALUES:
        raise UserError(
            f"{path}: has {values:,} pixels in its {size['C']} channels, more than {MOST_VALUES:,}. Keep fewer "
            "channels, or cut it into fields or cells first."
        )


def native(dtype: np.dtype, path: Path) -> np.dtype:
    """A pixel type in this machine's byte order; raises unless it is of real numbers."""
    found = np.dtype(dtype).newbyteorder("=")
    if found.kind not in "buif":
        raise UserError(f"{path}: pixels of type {found} are not supported. Save real numbers.")
    return found
