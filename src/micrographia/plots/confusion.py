"""Which classes are taken for which."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from micrographia.plots.heatmap import draw_heatmap
from micrographia.plots.style import broken, in_house_style, panels


@in_house_style
def confusion_figure(table: pd.DataFrame) -> Figure:
    """Draw a confusion matrix: counts, shaded by their share of the true class.

    Parameters
    ----------
    table
        Counts; rows are true classes, columns predicted ones.

    Raises
    ------
    ValueError
        If the table is empty, or a count is negative or missing.
    """
    counts = table.to_numpy(dtype=float)
    if not counts.size:
        raise ValueError("an empty confusion matrix")
    if not (counts >= 0).all():
        raise ValueError("a confusion matrix with negative or missing counts")
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    rows, columns = [str(name) for name in table.index], [str(name) for name in table.columns]
    longest = max(len(line) for name in (*rows, *columns) for line in broken(name).split("\n"))
    labels = 0.075 * longest
    figure, (axes,) = panels(1, 1, 0.46 * len(columns) + labels + 1.6, max(2.8, 0.46 * len(rows) + 0.75 * labels + 0.9))
    texts = [[f"{count:.4g}" for count in row] for row in counts]
    draw_heatmap(figure, axes, shares, texts, rows, columns, "share of the true class")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    return figure
