"""A table of shares as shaded cells with a text in each: what confusion and association figures are made of."""

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from micrographia.plots.style import FAINT, INK, SHADES, broken


def draw_heatmap(
    figure: Figure,
    axes: Axes,
    shares: np.ndarray,
    texts: list[list[str]],
    rows: list[str],
    columns: list[str],
    bar: str,
) -> None:
    """Draw cells shaded by ``shares`` with their texts, row and column labels, and a colour bar.

    Parameters
    ----------
    shares
        Shape ``(rows, columns)`` in 0..1; NaN leaves a cell white.
    texts
        What is written into each cell.
    rows, columns
        Labels; long names are broken into lines.
    bar
        Label of the colour bar.
    """
    # The darkest part of the map is left out: figures must be readable on it.
    image = axes.imshow(np.ma.masked_invalid(shares), cmap=colormaps[SHADES], vmin=0, vmax=1, aspect="equal")
    for row, column in np.ndindex(shares.shape):
        share = np.nan_to_num(shares[row, column])
        colour = "white" if share > 0.55 else INK if share > 0 else FAINT
        axes.text(column, row, texts[row][column], ha="center", va="center", fontsize=8, color=colour)
    axes.set_xticks(
        range(len(columns)),
        [broken(name, max(26, len(name) // 2 + 8)) for name in columns],
        rotation=45,
        ha="right",
        va="center",
        rotation_mode="anchor",
    )
    axes.set_yticks(range(len(rows)), [broken(name) for name in rows])
    axes.set_xticks(np.arange(1, len(columns)) - 0.5, minor=True)
    axes.set_yticks(np.arange(1, len(rows)) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    axes.tick_params(axis="x", pad=7)
    axes.spines[:].set_visible(False)
    scale = figure.colorbar(
        image, ax=axes, shrink=min(1.0, 2.5 / max(figure.get_figheight() - 1.5, 2.5)), pad=0.02, aspect=16
    )
    scale.set_label(bar)
    scale.outline.set_visible(False)
    scale.ax.tick_params(labelsize=8, length=0)
