"""Codes projected on a plane, coloured by class."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from micrographia.plots.scatter import class_names, draw_codes
from micrographia.plots.style import INK, broken, in_house_style, palette, panels, phase_order

FEW = 8
"""Classes above which colours and markers alone no longer tell them apart."""
GAP = 0.075
"""Least distance of two numbers, as a share of a panel's side."""


@in_house_style
def projections_figure(
    projections: Mapping[tuple[str, str], pd.DataFrame],
    classes: Mapping[tuple[str, str], pd.Series],
    titles: Mapping[str, str],
) -> Figure:
    """Draw one row of panels per phase, one column per projection.

    Of more than `FEW` classes each has a number, which stands at the median of its points and in the legend: names of
    fifteen classes would hide the points and each other.

    Parameters
    ----------
    projections
        By phase and projection: places ``(n, 2)``, the columns named as the axes are to be; of one column the classes
        are spread over rows.
    classes
        Class of each row, likewise.
    titles
        Title of each projection.

    Raises
    ------
    ValueError
        If there is nothing to draw, lengths differ, or a place is infinite or missing.
    """
    if not projections:
        raise ValueError("no projection to draw")
    phases = phase_order([phase for phase, _ in projections])
    methods = list(dict.fromkeys(method for _, method in projections))
    names = class_names(list(classes.values()))
    numbers = {name: str(number + 1) for number, name in enumerate(names)} if len(names) > FEW else {}
    # A single projection stands beside itself in the other phase.
    rows, columns = (len(phases), len(methods)) if len(methods) > 1 else (1, len(phases))
    looks = palette(len(names))
    figure, axes = panels(rows, columns, 3.7 * columns + 2.3, 3.6 * rows + 0.3)
    for panel, (phase, method) in zip(axes, [(phase, method) for phase in phases for method in methods], strict=True):
        found = projections[phase, method]
        labels = (str(found.columns[0]), str(found.columns[-1]))
        draw_codes(panel, f"{phase}: {titles.get(method, method)}", found, classes[phase, method], labels, names)
        if method != "pca":
            panel.set_xticks([])
            panel.set_yticks([])
        if found.shape[1] > 1:
            colours = {name: colour for name, (colour, _) in zip(names, looks, strict=True)}
            number_medians(panel, found, classes[phase, method].astype(str), numbers, colours)
    handles = [Line2D([], [], linestyle="", marker=marker, color=colour, markersize=5.5) for colour, marker in looks]
    texts = [broken(f"{numbers[name]}  {name}" if numbers else name) for name in names]
    figure.legend(handles, texts, loc="outside right center", fontsize=8.5, handletextpad=0.2)
    return figure


def number_medians(
    axes: Axes, points: pd.DataFrame, classes: pd.Series, numbers: Mapping[str, str], colours: Mapping[str, str]
) -> None:
    """Write each class's number at the median of its points, or beside it with a line where medians crowd."""
    own = points.groupby(classes.to_numpy()).median()
    own = own.loc[[name for name in numbers if name in own.index]]
    low, high = np.array([axes.get_xlim(), axes.get_ylim()]).T
    medians = (own.to_numpy(float) - low) / (high - low)
    for name, median, place in zip(own.index, medians, pushed_apart(medians).clip(0.03, 0.97), strict=True):
        axes.annotate(
            numbers[str(name)],
            median,
            place,
            xycoords="axes fraction",
            textcoords="axes fraction",
            ha="center",
            va="center",
            fontsize=7.5,
            bbox={
                "boxstyle": "circle,pad=0.2",
                "facecolor": "white",
                "edgecolor": colours[str(name)],
                "linewidth": 1.3,
            },
            arrowprops={"arrowstyle": "-", "color": INK, "linewidth": 0.8, "shrinkA": 6, "shrinkB": 0},
            zorder=5,
        )


def pushed_apart(places: np.ndarray, gap: float = GAP, rounds: int = 500) -> np.ndarray:
    """Places ``(n, 2)`` moved until they stand ``gap`` apart, each as little as pushing pair by pair takes.

    Examples
    --------
    >>> pushed_apart(np.array([[0.5, 0.5], [0.51, 0.5], [0.9, 0.9]]), gap=0.1).round(3).tolist()
    [[0.455, 0.5], [0.555, 0.5], [0.9, 0.9]]
    """
    moved = np.array(places, dtype=float)
    for _ in range(rounds):
        crowded = False
        for one in range(len(moved)):
            for other in range(one + 1, len(moved)):
                step = moved[other] - moved[one]
                distance = float(np.hypot(*step))
                if distance >= gap - 1e-6:
                    continue
                crowded = True
                # Those on one spot go different ways, always the same.
                angle = 2.4 * (one + other)
                way = step / distance if distance > 1e-9 else np.array([np.cos(angle), np.sin(angle)])
                moved[one] -= (gap - distance) / 2 * way
                moved[other] += (gap - distance) / 2 * way
        if not crowded:
            break
    return moved
