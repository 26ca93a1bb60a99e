"""Low-resolution images that cannot be searched, or only with a reservation."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd
import torch
from torch import Tensor

from micrographia.errors import UserError
from micrographia.inversion.problem import Problem
from micrographia.inversion.solutions import Solutions

NAN = "NaN pixels"
RANGE = "values far outside 0..1"
CONSTANT = "constant"
CONSTANT_CHANNEL = "constant channel"
SATURATED = "saturated"
UNUSABLE = (NAN, RANGE, CONSTANT)

MARGIN = 0.5
"""Noise and the bicubic kernel's overshoot may leave 0..1 by this much; beyond it the units are wrong."""
LEAST_RANGE = 1e-4
"""Below this difference between the brightest and the darkest pixel nothing is seen; 16-bit steps are 1.5e-5."""
SATURATION = 0.999
"""From here on a pixel is at the detector's end."""
SATURATED_SHARE = 0.25
"""From this share of such pixels on an image is flagged: what was above is lost."""


def require_fits(problem: Problem, low: Tensor) -> None:
    """Raise unless images have the shape that the generator's images have after the degradation.

    Raises
    ------
    UserError
        For another number of channels or another size.
    """
    if low.dim() != 4:
        raise UserError(f"low-resolution images: expected (n, channels, s, s), these are {tuple(low.shape)}.")
    channels, *sides = low.shape[1:]
    expected, size = problem.low_shape, problem.shape[1]
    if channels != expected[0]:
        raise UserError(
            f"low-resolution images have {channels} channels, the generator {expected[0]}: choose the channels that it "
            "was trained on, or another generator."
        )
    if max(sides) > size:
        raise UserError(
            f"low-resolution images of {' x '.join(map(str, sides))} px are larger than the generator's {size} px: "
            "cut them, or choose a generator of larger images."
        )
    if tuple(sides) != tuple(expected[1:]):
        raise UserError(
            f"low-resolution images are {' x '.join(map(str, sides))} px; the degradation makes "
            f"{' x '.join(map(str, expected[1:]))} of the generator's {size}: set "
            "degradation.steps.reduce.factor, or choose another generator."
        )


def flags_of(low: Tensor, blank: Sequence[int] = ()) -> list[str]:
    """Why each image cannot be searched or not be trusted; empty where nothing is known against it.

    An image counts as saturated if one of its channels is. Channels that are ``blank`` in the whole set, since the
    images lack them, are not looked at.

    Examples
    --------
    >>> low = torch.rand(3, 1, 8, 8)
    >>> low[1, 0, 0, 0], low[2] = torch.nan, 0.25
    >>> flags_of(low)
    ['', 'NaN pixels', 'constant']
    """
    pixels = low.flatten(2)[:, [channel for channel in range(low.shape[1]) if channel not in blank]]
    finite = pixels.isfinite().all(2).all(1)
    least, most = pixels.amin(2), pixels.amax(2)
    beyond = ((least < -MARGIN) | (most > 1 + MARGIN)).any(1)
    constant = most - least < LEAST_RANGE
    saturated = ((pixels >= SATURATION).float().mean(2) >= SATURATED_SHARE).any(1)
    named = {
        NAN: ~finite,
        RANGE: beyond,
        CONSTANT: constant.all(1),
        SATURATED: saturated,
        CONSTANT_CHANNEL: constant.any(1),
    }
    return [next((name for name, mask in named.items() if mask[row]), "") for row in range(len(low))]


def unsearched(
    keys: Tensor, flags: list[str], solutions: int, shape: tuple[int, ...], layers: int | None, width: int
) -> Solutions:
    """Rows of images that cannot be searched.

    Parameters
    ----------
    keys, flags
        Of these images.
    solutions
        Per image.
    shape, layers, width
        Of an image, and of a code (None: the method has none): NaN throughout.
    """
    images = torch.full((len(keys), solutions, *shape), torch.nan)
    codes = None if layers is None else torch.full((len(keys), solutions, layers, width), torch.nan)
    table = pd.DataFrame(
        {
            "key": keys.repeat_interleave(solutions).tolist(),
            "solution": list(range(solutions)) * len(keys),
            "steps": 0,
            **dict.fromkeys(("lr_residual", "log_p", "log_p_least"), math.nan),
            "flag": [flag for flag in flags for _ in range(solutions)],
        }
    )
    return Solutions(keys, images, codes, table)


def with_reservations(found: Solutions, flag_of: Mapping[int, str]) -> Solutions:
    """Solutions as they are kept; what is known against a low-resolution image, by key, stands before other flags."""
    flags = found.table["key"].map(flag_of)
    joined = ["; ".join(word for word in words if word) for words in zip(flags, found.table["flag"], strict=True)]
    codes = None if found.codes is None else found.codes.float().cpu()
    return Solutions(found.keys, found.images.float().cpu(), codes, found.table.assign(flag=joined))
