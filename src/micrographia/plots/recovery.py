"""Super-resolved images beside what was seen and what is behind it: of several methods, or several of one image."""

from collections.abc import Mapping, Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch.nn import functional

from micrographia.plots.images import GAP, colour_images, middles, tiled
from micrographia.plots.strips import strip_of, strips_page
from micrographia.plots.style import FAINT, INK, broken, in_house_style
from micrographia.wording import method_words

BRIGHTEST = 0.999
"""Quantile of a channel's pixels that is drawn white."""

HIGH = "high resolution"
ABOUT = (
    "Two stages of each image meet at a divider: what was seen, what a method recovered, what is behind it where that "
    "is known. All images share one scale of brightness."
)


@in_house_style
def recovery_figure(columns: Mapping[str, torch.Tensor], titles: Sequence[str], brightest: float = BRIGHTEST) -> Figure:
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
    figure, axes = tiled(colour_images(alike(columns, titles, brightest)), tile=0.95, margin=(1.2, 0.4))
    name_rows_and_columns(axes, titles, list(columns))
    return figure


@in_house_style
def solutions_figure(
    columns: Mapping[str, torch.Tensor],
    titles: Sequence[str],
    labels: Mapping[str, Sequence[str]],
    doubted: Mapping[str, Sequence[bool]],
    axis: str = "",
) -> Figure:
    """Draw the solutions of an image in its row, each under what was measured on it.

    Parameters
    ----------
    columns, titles
        As of `recovery_figure`: low resolution, each solution, high resolution.
    labels
        By column what stands above its images, one per row; none for columns without.
    doubted
        By column whether each image is flagged; its label is then grey.
    axis
        What the labels are, below the images.

    Raises
    ------
    ValueError
        If columns, titles and labels differ in their number of images.
    """
    lengths = {len(values) for group in (labels, doubted) for values in group.values()}
    if lengths - {len(titles)}:
        raise ValueError(f"{len(titles)} titles for labels of {sorted(lengths)} images")
    tiles = colour_images(alike(columns, titles))
    heads = [0.2] * len(titles) if labels else ()
    figure, axes = tiled(tiles, tile=0.95, margin=(1.2, 0.7 if axis else 0.4), heads=heads)
    for place, image in enumerate(axes.images):
        row, column = divmod(place, len(columns))
        name = list(columns)[column]
        left, right, _, top = image.get_extent()
        if name in labels:
            colour = FAINT if name in doubted and doubted[name][row] else INK
            text = labels[name][row]
            axes.text((left + right) / 2, top - 0.03, text, fontsize=7.5, ha="center", va="bottom", color=colour)
    name_rows_and_columns(axes, titles, list(columns))
    axes.set_xlabel(axis)
    return figure


def alike(columns: Mapping[str, torch.Tensor], titles: Sequence[str], brightest: float = BRIGHTEST) -> torch.Tensor:
    """Images of all columns, ``(rows, columns, channels, S, S)``, of one size and on one scale of brightness."""
    if any(len(images) != len(titles) for images in columns.values()):
        raise ValueError(f"{len(titles)} titles for columns of {[len(images) for images in columns.values()]} images")
    reference = list(columns.values())[-1]
    white = torch.stack([channel.nanquantile(brightest) for channel in reference.movedim(1, 0).flatten(1)])
    white = torch.where(white > 0, white, torch.ones_like(white))[:, None, None]
    side = max(images.shape[-1] for images in columns.values())
    enlarged = [functional.interpolate(images.float(), side, mode="nearest") for images in columns.values()]
    return torch.stack([images.nan_to_num(0.0) / white for images in enlarged], dim=1)


def name_rows_and_columns(axes: Axes, titles: Sequence[str], headings: Sequence[str]) -> None:
    """Write titles beside the rows of `tiled` images, and headings above the columns."""
    axes.set_yticks(middles(axes, len(headings)), [broken(title, 18) for title in titles])
    axes.set_xticks(
        [column * (1 + GAP) + 0.5 for column in range(len(headings))],
        [broken(method_words(name), 14) for name in headings],
    )
    axes.xaxis.tick_top()
    axes.tick_params(length=0)


def recovery_page(
    columns: Mapping[str, torch.Tensor], titles: Sequence[str], title: str, brightest: float = BRIGHTEST
) -> str:
    """HTML of recovered images, any two of whose stages meet at a divider that can be moved.

    Parameters
    ----------
    columns, titles, brightest
        As of `recovery_figure`.
    title
        Of the page.
    """
    stages = [method_words(name) for name in columns]
    images = colour_images(alike(columns, titles, brightest))
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
