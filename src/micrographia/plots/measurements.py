"""What was measured on images: by method and condition, and by dose."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from micrographia.plots.style import FAINT, GRID, INK, broken, in_house_style, palette, panels
from micrographia.wording import method_words


@in_house_style
def measurement_figure(
    table: pd.DataFrame,
    value: str,
    methods: Sequence[str],
    column: str = "",
    roles: Mapping[str, str] = MappingProxyType({}),
) -> Figure:
    """Draw a measurement as one box per method and condition, each cell a point.

    Parameters
    ----------
    table
        One row per cell and method: ``method``, ``condition`` and the measured column; rows with NaN are left out.
    value
        The measured column.
    methods
        Order of the methods.
    column
        What the conditions are, over their names: ``dose``.
    roles
        What some conditions serve for, beside their names: ``{"0": "negative", "10": "positive"}``.

    Raises
    ------
    ValueError
        If nothing was measured.
    """
    table = table[table[value].notna()]
    if table.empty:
        raise ValueError(f"no row with a {value}")
    conditions = by_size(table["condition"])
    figure, (axes,) = panels(1, 1, max(3.6, 0.42 * len(methods) * len(conditions) + 1.6), 3.2)
    width = 0.8 / len(conditions)
    jitter = np.random.default_rng(0)
    for place, (condition, (colour, _)) in enumerate(zip(conditions, palette(len(conditions)), strict=True)):
        rows = table[table["condition"] == condition]
        groups = [rows.loc[rows["method"] == method, value] for method in methods]
        places = np.arange(len(methods)) + (place - (len(conditions) - 1) / 2) * width
        for position, group in zip(places, groups, strict=True):
            spots = position + width * jitter.uniform(-0.25, 0.25, len(group))
            axes.plot(spots, group, ".", color=colour, markersize=3.5, alpha=0.45, markeredgewidth=0)
        boxes = axes.boxplot(
            [group.to_numpy() for group in groups],
            positions=places,
            widths=0.75 * width,
            showfliers=False,
            manage_ticks=False,
            medianprops={"color": INK, "linewidth": 1.4},
            boxprops={"color": colour},
            whiskerprops={"color": colour},
            capprops={"color": colour},
        )
        role = roles.get(str(condition))
        boxes["boxes"][0].set_label(f"{condition}, {role}" if role else str(condition))
    axes.set_xticks(range(len(methods)), [broken(method_words(method), 12) for method in methods])
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.6, len(methods) - 0.4)
    axes.set_ylabel(value.replace("_", " "))
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=min(len(conditions), 6), title=column or None)
    return figure


@in_house_style
def dose_figure(table: pd.DataFrame, value: str, methods: Sequence[str]) -> Figure:
    """Draw a measurement against the dose: the median of the wells' means, and the wells themselves.

    Doses stand at equal distances, since they usually rise by a factor and begin at 0.

    Parameters
    ----------
    table
        One row per cell and method: ``method``, ``dose``, ``well`` and the measured column; rows with NaN are left out.
    value
        The measured column.
    methods
        Order of the methods, one panel each.

    Raises
    ------
    ValueError
        If nothing was measured.
    """
    table = table[table[value].notna()]
    if table.empty:
        raise ValueError(f"no row with a {value}")
    wells = table.groupby(["method", "dose", "well"], sort=True)[value].mean().reset_index()
    doses = by_size(sorted(wells["dose"].unique()))  # a table of controls has them as text
    figure, axes = panels(1, len(methods), 2.1 * len(methods) + 0.6, 2.7, share_rows=True)
    for axis, method in zip(axes, methods, strict=True):
        rows = wells[wells["method"] == method]
        places = [doses.index(dose) for dose in rows["dose"]]
        axis.plot(places, rows[value], ".", color=FAINT, markersize=5, alpha=0.7, markeredgewidth=0)
        medians = rows.groupby("dose")[value].median().reindex(doses).dropna()
        axis.plot([doses.index(dose) for dose in medians.index], medians, "o-", color="#0072B2", markersize=4)
        axis.set_title(broken(method_words(method), 18))
        axis.set_xticks(
            range(len(doses)),
            [str(dose).removesuffix(".0") for dose in doses],
            rotation=45,
        )
        axis.set_xlabel("dose")
        axis.grid(axis="y", color=GRID, linewidth=0.8)
    axes[0].set_ylabel(value.replace("_", " "))
    return figure


@in_house_style
def interval_figure(table: pd.DataFrame, value: str, reference: str = "true") -> Figure:
    """Draw each cell's interval against its reference, one panel per method.

    Parameters
    ----------
    table
        One row per cell and method: ``method``, ``reference``, ``median``, ``low``, ``high`` and ``nominal``; rows
        without an interval are left out.
    value
        The measured column.
    reference
        What the reference is, before the column's name: ``true``, or ``high-resolution``.
    """
    methods = list(dict.fromkeys(table["method"]))
    table = table.dropna(subset=["reference", "low", "high"])
    figure, axes = panels(1, len(methods), 2.9 * len(methods) + 0.6, 3.1, share_rows=True)
    (met, _), (missed, _) = palette(2)
    for axis, method in zip(axes, methods, strict=True):
        rows = table[table["method"] == method]
        within = (rows["low"] <= rows["reference"]) & (rows["reference"] <= rows["high"])
        for chosen, colour in ((within, met), (~within, missed)):
            some = rows[chosen]
            reach = [some["median"] - some["low"], some["high"] - some["median"]]
            axis.errorbar(some["reference"], some["median"], reach, fmt=".", color=colour, markersize=4, linewidth=0.9)
        if len(rows):
            ends = [rows["reference"].min(), rows["reference"].max()]
            axis.plot(ends, ends, color=INK, linewidth=0.8)
            axis.set_title(
                f"{broken(method_words(method), 18)}: {within.mean():.0%} covered of {rows['nominal'].iloc[0]:.0%}"
            )
        axis.set_xlabel(f"{reference} {value.replace('_', ' ')}")
        axis.grid(color=GRID, linewidth=0.8)
    axes[0].set_ylabel("median of the solutions, interval")
    return figure


def by_size(conditions: Iterable[Hashable]) -> list[Hashable]:
    """Conditions by size where all are numbers, also as text, else in their order of appearance.

    Examples
    --------
    >>> by_size(["10", "0", "2"]), by_size(["treated", "control"])
    (['0', '2', '10'], ['treated', 'control'])
    """
    found = list(dict.fromkeys(conditions))
    try:
        return sorted(found, key=lambda condition: float(str(condition)))
    except ValueError:
        return found
