"""A set at a glance: images of each class, their sizes, their intensities."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from micrographia.plots.style import COLOURS, COUNTS, FAINT, GRID, in_house_style, panels, shortened

SHADES = {"train": "#0072B2", "val": "#56B4E9", "test": "#E69F00"}
BINS = 60
PAD = 18  # points between a title and its panel: room for the legend of the parts


@in_house_style
def overview_figure(counts: pd.DataFrame, sides: NDArray | None, intensities: Mapping[str, NDArray]) -> Figure:
    """Draw how many images each class has in each part, how large they are, and how bright their channels.

    Parameters
    ----------
    counts
        Classes (rows) by parts (columns).
    sides
        Height and width of each image in pixels, ``(n, 2)``; None where all are rendered alike.
    intensities
        Values of some pixels of each channel, in the files' units.
    """
    shown = 2 if sides is None else 3
    height = max(2.8, 0.19 * len(counts) + 0.9)
    figure, axes = panels(1, shown, 3.3 * shown + 0.6, height)
    draw_counts(axes[0], counts)
    if sides is not None:
        draw_sides(axes[1], sides)
    draw_intensities(axes[-1], intensities)
    return figure


def draw_counts(axes: Axes, counts: pd.DataFrame) -> None:
    """Bars of classes, parts beside each other."""
    left = np.zeros(len(counts))
    rows = np.arange(len(counts))
    for part in counts:
        width = counts[part].to_numpy(float)
        axes.barh(rows, width, left=left, height=0.75, color=SHADES.get(str(part), FAINT), label=str(part))
        left += width
    axes.set_yticks(rows, [shortened(str(name)) for name in counts.index], fontsize=7.5)
    axes.invert_yaxis()
    axes.set_xlabel("images")
    axes.xaxis.set_major_formatter(COUNTS)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.tick_params(axis="y", length=0)
    axes.set_title("classes", pad=PAD)
    axes.legend(
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=3, fontsize=7.5, handlelength=0.9, borderpad=0, columnspacing=1
    )


def draw_sides(axes: Axes, sides: NDArray) -> None:
    """Where heights and widths lie; of images that are alike, their one size in words."""
    axes.set_title("sizes", pad=PAD)
    if (sides == sides[0]).all():
        height, width = sides[0]
        axes.set_axis_off()
        axes.text(0, 1, f"all {width} x {height} px", ha="left", va="top", transform=axes.transAxes)
        return
    bins = np.linspace(sides.min() - 0.5, sides.max() + 0.5, min(BINS, int(np.ptp(sides)) + 1) + 1).tolist()
    axes.hist(sides[:, 0], bins, histtype="step", color=COLOURS[0], label="height")
    axes.hist(sides[:, 1], bins, histtype="stepfilled", color=COLOURS[1], alpha=0.6, label="width")
    axes.set_xlabel("side in pixels")
    axes.set_ylabel("images")
    axes.yaxis.set_major_formatter(COUNTS)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.legend(fontsize=7.5, handlelength=0.9)


def draw_intensities(axes: Axes, intensities: Mapping[str, NDArray]) -> None:
    """Where the values of each channel lie; counts are on a logarithmic axis, since most of an image is background."""
    everything = np.concatenate(list(intensities.values()))
    low, high = np.percentile(everything, (0, 99.95))
    bins = np.linspace(low, high if high > low else low + 1, BINS + 1).tolist()
    for (name, values), colour in zip(alike_together(intensities).items(), COLOURS * 3, strict=False):
        axes.hist(np.clip(values, low, high), bins, histtype="step", color=colour, label=name, linewidth=1.2)
    axes.set_yscale("log")
    axes.set_xlabel("intensity")
    axes.set_ylabel("pixels")
    axes.xaxis.set_major_formatter(COUNTS)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_title("intensities", pad=PAD)
    axes.legend(fontsize=7.5, handlelength=0.9)


def alike_together(intensities: Mapping[str, NDArray]) -> dict[str, NDArray]:
    """Channels of which one is a copy of the other under one name, as of grey images that are stored as RGB.

    Examples
    --------
    >>> list(alike_together({"red": np.arange(3), "green": np.arange(3), "blue": np.zeros(3)}))
    ['red, green', 'blue']
    """
    found: dict[str, NDArray] = {}
    for name, values in intensities.items():
        twin = next((key for key, known in found.items() if np.array_equal(known, values)), None)
        if twin is None:
            found[name] = values
        else:
            found = {f"{key}, {name}" if key == twin else key: known for key, known in found.items()}
    return found
