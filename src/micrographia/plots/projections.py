"""Codes projected on a plane, coloured by class."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from micrographia.plots.scatter import class_names, draw_codes
from micrographia.plots.style import broken, in_house_style, palette, panels, phase_order

FEW = 8
"""Classes above which colours and markers alone no longer tell them apart."""


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
    figure, axes = panels(rows, columns, 3.7 * columns + 2.3, 3.6 * rows + 0.3)
    for panel, (phase, method) in zip(axes, [(phase, method) for phase in phases for method in methods], strict=True):
        found = projections[phase, method]
        labels = (str(found.columns[0]), str(found.columns[-1]))
        draw_codes(panel, f"{phase}: {titles.get(method, method)}", found, classes[phase, method], labels, names)
        if method != "pca":
            panel.set_xticks([])
            panel.set_yticks([])
        if found.shape[1] > 1:
            number_medians(panel, found, classes[phase, method].astype(str), numbers)
    looks = palette(len(names))
    handles = [Line2D([], [], linestyle="", marker=marker, color=colour, markersize=5.5) for colour, marker in looks]
    texts = [broken(f"{numbers[name]}  {name}" if numbers else name) for name in names]
    figure.legend(handles, texts, loc="outside right center", fontsize=8.5, handletextpad=0.2)
    return figure


def number_medians(axes: Axes, points: pd.DataFrame, classes: pd.Series, numbers: Mapping[str, str]) -> None:
    """Write each class's number at the median of its points."""
    for name, number in numbers.items():
        own = points[(classes == name).to_numpy()]
        if len(own):
            place = np.median(own.to_numpy(float), axis=0)
            outline = withStroke(linewidth=2.6, foreground="white")
            axes.annotate(
                number, place, ha="center", va="center", fontsize=9, fontweight="bold", path_effects=[outline], zorder=5
            )
