"""Super-resolved images beside what was seen and what is behind it."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from matplotlib.figure import Figure
from torch.nn import functional

from micrographia.plots.images import GAP, colour_images, middles, tiled
from micrographia.plots.strips import strip_of, strips_page
from micrographia.plots.style import broken, in_house_style

HIGH = "high resolution"
ABOUT = (
    "Two stages of each image meet at a divider: what was seen, what a method recovered, what is behind it where that "
    "is known. All images share one scale of brightness."
)


@in_house_style
def recovery_figure(columns: Mapping[str, torch.Tensor], titles: Sequence[str], brightest: float = 0.999) -> Figure:
    """Draw images in rows, one column per stage or method: low resolution, each method, high resolution.

    All images of a channel share one scale of brightness, so that they can be compared: 1 is the given quantile of the
    last column, which is the truth where there is one.

    Parameters
    ----------
    columns
        From a column's heading to its images ``(n, channels, s, s)`` in 0..1, NaN where there is none; sides may differ
        and are enlarged to the largest without interpolation.
    titles
        Of the rows.
    brightest
        Quantile of the last column's pixels that is drawn white.

    Raises
    ------
    ValueError
        If columns differ in their number of images, or it is not that of the titles.
    """
    if any(len(images) != len(titles) for images in columns.values()):
        raise ValueError(f"{len(titles)} titles for columns of {[len(images) for images in columns.values()]} images")
    figure, axes = tiled(bright_tiles(columns, brightest), tile=0.95, margin=(1.2, 0.4))
    axes.set_yticks(middles(axes, len(columns)), [broken(title, 18) for title in titles])
    axes.set_xticks(
        [column * (1 + GAP) + 0.5 for column in range(len(columns))], [broken(name, 14) for name in columns]
    )
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    return figure


def bright_tiles(columns: Mapping[str, torch.Tensor], brightest: float) -> np.ndarray:
    """Images of all columns as RGB, ``(n, columns, side, side, 3)``: of one size and one scale of brightness."""
    reference = list(columns.values())[-1]
    white = torch.stack([channel.nanquantile(brightest) for channel in reference.movedim(1, 0).flatten(1)])
    white = torch.where(white > 0, white, torch.ones_like(white))[:, None, None]
    side = max(images.shape[-1] for images in columns.values())
    enlarged = [functional.interpolate(images.float(), side, mode="nearest") for images in columns.values()]
    return colour_images(torch.stack([images.nan_to_num(0.0) / white for images in enlarged], dim=1))


def recovery_page(
    columns: Mapping[str, torch.Tensor], titles: Sequence[str], title: str, brightest: float = 0.999
) -> str:
    """HTML of recovered images, any two of whose stages meet at a divider that can be moved.

    Parameters
    ----------
    columns, titles, brightest
        As of `recovery_figure`.
    title
        Of the page.
    """
    stages = list(columns)
    images = bright_tiles(columns, brightest)
    strips = [strip_of(name, "", "stage", stages, row) for name, row in zip(titles, images, strict=True)]
    return strips_page(strips, title, ABOUT, compared=compared_stage(stages))


def compared_stage(stages: Sequence[str]) -> int:
    """The stage that stands at the right of the divider at first: the last method.

    Examples
    --------
    >>> compared_stage(["low resolution", "pulse", "rls", "high resolution"]), compared_stage(["low resolution", "rls"])
    (2, 1)
    """
    return max(index for index, stage in enumerate(stages) if stage != HIGH or index == 0)
