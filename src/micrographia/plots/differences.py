"""Two conditions: how far latents and features are moved, and what that looks like."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from micrographia.plots.images import colour_images
from micrographia.plots.style import FAINT, GRID, INK, broken, in_house_style, palette, panels
from micrographia.scores.differences import SIGNIFICANT, significant

SHOWN = 20  # rows of a panel, those that differ most
SIGNED = "RdBu_r"


@in_house_style
def forest_figure(
    tables: Mapping[str, pd.DataFrame], conditions: tuple[str, str], resampled: str, unit: str = "replicate"
) -> Figure:
    """Draw effect sizes with their intervals, those that differ most on top; filled where significant.

    Parameters
    ----------
    tables
        By kind of column (latents, features), one panel each, not empty: of
        `micrographia.scores.differences.Differences`.
    conditions
        The negative and the positive one.
    resampled
        What the intervals are over, and of what they do not speak, for the title.
    unit
        What a replicate is.

    Raises
    ------
    ValueError
        If there is no table.
    """
    if not tables:
        raise ValueError("no differences to draw")
    most = max(min(len(table), SHOWN) for table in tables.values())
    figure, axes = panels(1, len(tables), 4.3 * len(tables) + 0.4, 0.23 * most + 1.7)
    reach = max(float(widest(table)) for table in tables.values())
    for panel, (kind, table) in zip(axes, tables.items(), strict=True):
        draw_effects(panel, table)
        shown = min(len(table), SHOWN)
        panel.set_title(
            f"{kind}: {significant(table).sum()} of {len(table)} significant" if table["q"].notna().any() else kind
        )
        if shown < len(table):
            panel.set_title(f"{panel.get_title(loc='left')}, {shown} drawn")
        panel.set_xlim(-1.05 * reach, 1.05 * reach)
        panel.set_xlabel("difference, in standard deviations of a cell")
    tested = any(table["q"].notna().any() for table in tables.values())
    note = f"; filled: q < {SIGNIFICANT} over {unit}s; bars: 95 % intervals" if tested else ""
    figure.suptitle(f"{conditions[1]} against {conditions[0]}\n{resampled}{note}", x=0.01, ha="left", fontsize=9)
    return figure


def widest(table: pd.DataFrame) -> float:
    """Largest size of an effect or of an end of its interval, 0 of none."""
    sizes = table[["effect", "effect_low", "effect_high"]].abs().to_numpy(float)
    return float(np.nanmax(sizes)) if np.isfinite(sizes).any() else 1.0


def draw_effects(axes: Axes, table: pd.DataFrame) -> None:
    """Draw the rows of one table."""
    (colour, _), *_ = palette(1)
    order = table["effect"].abs().sort_values(ascending=False, kind="stable", na_position="last").index[:SHOWN]
    rows = table.loc[order]
    sure = significant(rows).to_numpy()
    places = np.arange(len(rows))
    axes.axvline(0, color=FAINT, linewidth=0.8)
    axes.hlines(places, rows["effect_low"], rows["effect_high"], color=colour, linewidth=1.2)
    for chosen, face in ((sure, colour), (~sure, "white")):
        axes.plot(rows["effect"][chosen], places[chosen], "o", color=colour, markerfacecolor=face, markersize=5)
    axes.set_yticks(places, [broken(name, 30) for name in rows["column"]])
    axes.set_ylim(max(len(rows), 2) - 0.4, -0.6)
    axes.grid(axis="both", color=GRID, linewidth=0.8)
    axes.tick_params(axis="y", length=0)


@in_house_style
def phenotype_figure(
    pairs: torch.Tensor,
    changes: torch.Tensor,
    labels: Sequence[str],
    conditions: tuple[str, str],
    channels: Sequence[str],
) -> Figure:
    """Draw pairs of images, negative and positive, and beside them the signed change of each channel.

    Parameters
    ----------
    pairs
        ``(rows, 2, channels, height, width)`` in 0..1.
    changes
        ``(rows, maps, height, width)``, positive minus negative; NaN leaves a map out. All have one colour scale.
    labels
        Of the rows.
    conditions
        Names of the negative and of the positive images.
    channels
        Names of the maps.

    Raises
    ------
    ValueError
        If labels or names do not fit the images.
    """
    if not len(labels) == len(pairs) == len(changes) or changes.shape[1] != len(channels):
        raise ValueError(
            f"{len(labels)} labels for {len(pairs)} rows, {len(channels)} names for {changes.shape[1]} maps"
        )
    tiles = colour_images(pairs)
    values = changes.detach().cpu().numpy()
    columns = 2 + len(channels)
    figure, axes = panels(len(pairs), columns, 1.25 * columns + 2.2, 1.32 * len(pairs) + 0.6)
    grid = [axes[first : first + columns] for first in range(0, len(axes), columns)]
    reach = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
    reach = reach or 1.0
    shown = None
    for row, column in np.ndindex(len(pairs), columns):
        panel = grid[row][column]
        panel.set_xticks([])
        panel.set_yticks([])
        panel.spines[:].set_visible(False)
        if column < 2:
            panel.imshow(tiles[row, column])
        elif np.isfinite(values[row, column - 2]).all():
            shown = panel.imshow(values[row, column - 2], cmap=colormaps[SIGNED], vmin=-reach, vmax=reach)
    for panel, title in zip(
        grid[0],
        [*(broken(side, 18) for side in conditions), *(f"change of\n{broken(name, 18)}" for name in channels)],
        strict=True,
    ):
        panel.set_title(title, fontsize=8.5, loc="center")
    for (panel, *_), label in zip(grid, labels, strict=True):
        panel.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8.5)
    if shown is not None:
        scale = figure.colorbar(shown, ax=[row[-1] for row in grid], shrink=0.6, aspect=22, pad=0.02)
        scale.set_label("change, of the images' range 0 to 1", color=INK)
        scale.outline.set_visible(False)
        scale.ax.tick_params(labelsize=8, length=0)
    return figure
