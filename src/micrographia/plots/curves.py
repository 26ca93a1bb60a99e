"""Losses over training."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from micrographia.plots.style import COUNTS, GRID, in_house_style, panels

FIRST = ("loss", "reconstruction", "kl", "total_correlation")
SHARES = ("accuracy", "f1")
PARTS = {"train": ("training", "#0072B2"), "val": ("validation", "#D55E00")}


@in_house_style
def curves_figure(curves: pd.DataFrame) -> Figure:
    """Draw every logged quantity over the images seen: one panel each, training and validation together.

    Training lines are smoothed over the faint raw line. The vertical axis is logarithmic where values are positive and
    the largest exceeds ten times the median, as when a loss falls steeply at first; accuracies keep 0..1.

    Parameters
    ----------
    curves
        Columns ``batches``, ``images`` (seen so far), ``name`` (``train/loss``, ``val/kl``, ...), ``value``. Rows that
        are not finite are left out.

    Raises
    ------
    ValueError
        If no finite value is left.
    """
    finite = curves[np.isfinite(curves["value"].astype(float))].sort_values("images", kind="stable")
    if finite.empty:
        raise ValueError("no finite value among the curves")
    split = finite["name"].str.partition("/")
    finite = finite.assign(part=split[0], quantity=split[2])
    finite = finite[finite["part"].isin(list(PARTS))]
    if finite.empty:
        raise ValueError("no curve is named train/... or val/...")
    quantities = quantity_order(finite["quantity"].unique().tolist())
    columns = min(3, len(quantities))
    rows = -(-len(quantities) // columns)
    figure, axes = panels(rows, columns, 3.3 * columns + 0.3, 2.4 * rows + 0.3)
    for panel, quantity in zip(axes, quantities, strict=False):
        draw_quantity(panel, quantity, finite[finite["quantity"] == quantity])
    for panel in axes[len(quantities) :]:
        panel.remove()
    for column in range(columns):
        axes[column : len(quantities) : columns][-1].set_xlabel("images seen")
    named = {
        label: line
        for panel in axes[: len(quantities)]
        for line, label in zip(*panel.get_legend_handles_labels(), strict=True)
    }
    figure.legend(named.values(), named.keys(), loc="outside upper right", ncols=len(named))
    return figure


def quantity_order(quantities: list[str]) -> list[str]:
    """Loss, its parts, then everything else as it was logged."""
    return [name for name in FIRST if name in quantities] + [name for name in quantities if name not in FIRST]


def smooth(values: pd.Series) -> pd.Series:
    """Centred moving average over a thirtieth of the curve: no lag, unlike an exponential one."""
    window = max(1, len(values) // 30) | 1
    return values.rolling(window, center=True, min_periods=1).mean()


def draw_quantity(axes: Axes, quantity: str, curves: pd.DataFrame) -> None:
    """Draw training and validation of one quantity."""
    for part, (label, colour) in PARTS.items():
        curve = curves[curves["part"] == part]
        if curve.empty:
            continue
        if part == "train" and len(curve) >= 60:
            axes.plot(curve["images"], curve["value"], color=colour, alpha=0.25, linewidth=0.7)
            axes.plot(curve["images"], smooth(curve["value"]), color=colour, linewidth=1.6, label=label)
        else:
            marker = "o" if len(curve) < 60 else None
            axes.plot(
                curve["images"],
                curve["value"],
                color=colour,
                linewidth=1.6,
                marker=marker,
                markersize=3,
                label=label,
            )
    axes.set_title(quantity.replace("_", " "))
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(COUNTS)
    low, high = curves["value"].min(), curves["value"].max()
    if any(share in quantity for share in SHARES) and low >= 0 and high <= 1:
        axes.set_ylim(0, 1.02)
    elif low > 0 and high > 10 * curves["value"].median():
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < 500 else (1,)))
        axes.yaxis.set_major_formatter(COUNTS if high >= 1000 else FuncFormatter(lambda value, _: f"{value:.4g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_formatter(COUNTS)
