"""Results of studies: values of many runs by what was swept."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from micrographia.plots.style import COLOURS, GRID, INK, broken, in_house_style, palette, panels, short_number, spread

MOST_PANELS = 4  # side by side


@in_house_style
def dots_figure(values: pd.DataFrame, share: bool = False, across: int = MOST_PANELS) -> Figure:
    """Draw a table: a panel per column, each row's mean and standard deviation beside its single values.

    Parameters
    ----------
    values
        Columns ``row`` and ``column`` (categories in the order to draw) and ``value``; several values of one cell are
        repeats.
    share
        Whether all panels have one axis of values.
    across
        Panels side by side.

    Raises
    ------
    ValueError
        If there is no finite value.
    """
    values = finite(values)
    rows, columns = present(values["row"]), present(values["column"])
    across = min(across, MOST_PANELS, len(columns))
    down = -(-len(columns) // across)
    figure, axes = panels(down, across, 1.5 + 2.1 * across, down * (0.9 + 0.27 * len(rows)))
    for place, (panel, column) in enumerate(zip(axes, columns, strict=False)):
        own = values[values["column"] == column]
        for position, row in enumerate(rows):
            found = own.loc[own["row"] == row, "value"].to_numpy(float)
            if len(found):
                panel.plot(found, np.full(len(found), position), "o", color=COLOURS[0], markersize=3, alpha=0.35)
                panel.errorbar(
                    found.mean(), position, xerr=spread(found) or None, fmt="o", color=COLOURS[0], markersize=5,
                    capsize=2.5, elinewidth=1.2,
                )  # fmt: skip
        shown = [broken(row, 30) for row in rows] if place % across == 0 else [""] * len(rows)
        panel.set_yticks(range(len(rows)), shown)
        panel.set_ylim(len(rows) - 0.4, -0.6)
        panel.tick_params(axis="y", length=0)
        panel.grid(axis="both", color=GRID, linewidth=0.8)
        panel.xaxis.set_major_locator(MaxNLocator(4))
        panel.set_title(broken(column, 30) if len(columns) > 1 else "")
    if share:
        limits = [panel.get_xlim() for panel in axes[: len(columns)]]
        for panel in axes[: len(columns)]:
            panel.set_xlim(min(low for low, _ in limits), max(high for _, high in limits))
    for panel in axes[len(columns) :]:
        panel.remove()
    return figure


@in_house_style
def study_figure(values: pd.DataFrame, kind: str, x_label: str, y_label: str, share: bool = False) -> Figure:
    """Draw values over a key, in colours by another and panels by a third.

    Parameters
    ----------
    values
        Columns ``x``, ``value`` and, where wanted, ``hue`` and ``panel``: categories in the order to draw. Several
        values of one place are repeats: their mean and standard deviation (n - 1) are drawn.
    kind
        ``lines``, ``points`` or ``bars`` of means with their repeats; ``boxes`` of all values.
    x_label, y_label
        Of the axes.
    share
        Whether all panels have one axis of values.

    Raises
    ------
    ValueError
        If there is no finite value, or no such kind.
    """
    values = finite(values)
    if kind not in DRAWN:
        raise ValueError(f"kind={kind}: expected one of {', '.join(DRAWN)}")
    names = present(values["panel"]) if "panel" in values else [""]
    hues = present(values["hue"]) if "hue" in values else [""]
    across = min(MOST_PANELS, len(names))
    down = -(-len(names) // across)
    places = present(values["x"])
    width = max(3.0, 0.75 + 0.2 * len(places) * (len(hues) if kind in ("bars", "boxes") else 1))
    figure, axes = panels(down, across, 0.6 + min(width, 12 / across) * across, 2.9 * down + 0.3, share)
    for panel, name in zip(axes, names, strict=False):
        own = values[values["panel"] == name] if name else values
        positions = positions_of(places, kind)
        for number, (hue, (colour, marker)) in enumerate(zip(hues, palette(len(hues)), strict=True)):
            some = own[own["hue"] == hue] if hue else own
            repeats = {place: some.loc[some["x"] == place, "value"].to_numpy(float) for place in places}
            offset = (number - (len(hues) - 1) / 2) * 0.8 / len(hues)
            DRAWN[kind](
                panel, {positions[place]: found for place, found in repeats.items() if len(found)},
                offset, 0.8 / len(hues), colour, marker, hue,
            )  # fmt: skip
        finish_axis(panel, places, positions, kind)
        panel.set_title(broken(name, 34))
        panel.set_xlabel(x_label)
    for panel in axes[len(names) :]:
        panel.remove()
    for row in range(down):
        axes[row * across].set_ylabel(y_label)
    if len(hues) > 1:
        handles = {
            label: line
            for panel in axes[: len(names)]
            for line, label in zip(*panel.get_legend_handles_labels(), strict=True)
        }
        figure.legend(handles.values(), handles.keys(), loc="outside upper center", ncols=min(len(handles), 5))
    return figure


@in_house_style
def sheet_figure(pictures: Sequence[tuple[str, Path]], width: float = 9.0) -> Figure:
    """Draw image files below each other, each with its title.

    Parameters
    ----------
    pictures
        Titles and PNG files.
    width
        Of the figure in inches.
    """
    images = [imread(path) for _, path in pictures]
    heights = [width * image.shape[0] / image.shape[1] for image in images]
    figure = Figure(figsize=(width, sum(heights) + 0.3 * len(images)), layout="constrained")
    axes = figure.subplots(len(images), 1, squeeze=False, height_ratios=heights)
    for panel, image, (title, _) in zip(axes.flat, images, pictures, strict=True):
        panel.imshow(image, interpolation="none")
        panel.set_title(title)
        panel.set_axis_off()
    return figure


def finite(values: pd.DataFrame) -> pd.DataFrame:
    """Rows whose value is finite."""
    found = values[np.isfinite(values["value"].astype(float))]
    if found.empty:
        raise ValueError("no finite value")
    return found


def present(column: pd.Series) -> list[str]:
    """Categories that occur, in their order."""
    there = set(column.astype(str))
    order = column.cat.categories if isinstance(column.dtype, pd.CategoricalDtype) else dict.fromkeys(column)
    return [str(name) for name in order if str(name) in there]


def positions_of(places: Sequence[str], kind: str) -> dict[str, float]:
    """Where the values of the horizontal axis stand: numbers of lines and points by their size, others one by one."""
    try:
        numbers = [float(place) for place in places]
    except ValueError:
        numbers = []
    if kind in ("lines", "points") and len(numbers) > 1:
        return dict(zip(places, numbers, strict=True))
    return {place: float(position) for position, place in enumerate(places)}


def finish_axis(axes: Axes, places: Sequence[str], positions: dict[str, float], kind: str) -> None:
    """Ticks at the values; a logarithmic axis where numbers spread over more than a factor of ten."""
    where = list(positions.values())
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    if where != list(map(float, range(len(places)))):  # numbers on their own scale
        if min(where) > 0 and max(where) >= 8 * min(where):
            axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(where))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(short_number))
        return
    axes.set_xlim(-0.6, len(places) - 0.4)
    long = max(map(len, places)) > 10 and len(places) > 3
    axes.set_xticks(
        where, [broken(place, 16) for place in places], rotation=35 if long else 0, ha="right" if long else "center"
    )
    axes.tick_params(axis="x", length=0)


def draw_lines(
    axes: Axes, repeats: dict[float, np.ndarray], offset: float, width: float, colour: str, marker: str, name: str
) -> None:
    """A line through the means, with error bars."""
    means = [found.mean() for found in repeats.values()]
    errors = [spread(found) for found in repeats.values()]
    axes.errorbar(
        list(repeats),
        means,
        errors,
        color=colour,
        marker=marker,
        markersize=4,
        linewidth=1.6,
        elinewidth=1,
        capsize=2.5,
        label=name,
    )


def draw_points(
    axes: Axes, repeats: dict[float, np.ndarray], offset: float, width: float, colour: str, marker: str, name: str
) -> None:
    """Means with error bars, and single values."""
    for number, (place, found) in enumerate(repeats.items()):
        axes.plot(np.full(len(found), place), found, marker, color=colour, markersize=3, alpha=0.35)
        axes.errorbar(
            place, found.mean(), spread(found) or None, color=colour, marker=marker, markersize=5, capsize=2.5,
            linestyle="", label=name if number == 0 else None,
        )  # fmt: skip


def draw_bars(
    axes: Axes, repeats: dict[float, np.ndarray], offset: float, width: float, colour: str, marker: str, name: str
) -> None:
    """Bars of means with error bars, and single values."""
    for number, (place, found) in enumerate(repeats.items()):
        at = place + offset
        axes.bar(at, found.mean(), width * 0.92, color=colour, alpha=0.75, label=name if number == 0 else None)
        if len(found) > 1:
            axes.errorbar(at, found.mean(), spread(found), color=INK, elinewidth=0.9, capsize=2.5, capthick=0.9)
            axes.plot(np.full(len(found), at), found, ".", color=INK, markersize=3, alpha=0.6)


def draw_boxes(
    axes: Axes, repeats: dict[float, np.ndarray], offset: float, width: float, colour: str, marker: str, name: str
) -> None:
    """Boxes of all values."""
    made = axes.boxplot(
        list(repeats.values()), positions=[place + offset for place in repeats], widths=width * 0.8, patch_artist=True,
        medianprops={"color": INK}, flierprops={"marker": ".", "markersize": 3, "alpha": 0.5}, manage_ticks=False,
    )  # fmt: skip
    for box in made["boxes"]:
        box.set(facecolor=colour, alpha=0.6, edgecolor=INK, linewidth=0.8)
    if made["boxes"]:
        made["boxes"][0].set_label(name)


DRAWN = {"lines": draw_lines, "points": draw_points, "bars": draw_bars, "boxes": draw_boxes}
