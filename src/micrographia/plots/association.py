"""Which latent tells of which factor."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from micrographia.plots.heatmap import draw_heatmap
from micrographia.plots.style import broken, in_house_style, panels


@in_house_style
def association_figure(matrix: pd.DataFrame, measure: str = "normalised mutual information") -> Figure:
    """Draw the association of latents and factors as a heat map.

    Parameters
    ----------
    matrix
        Shape ``(latents, factors)`` in 0..1; rows are labelled with the latents' names. NaN, the association with a
        constant factor, is drawn as a dash.
    measure
        What the values are; label of the colour bar.

    Raises
    ------
    ValueError
        If the matrix is empty or a value lies outside 0..1.
    """
    values = matrix.to_numpy(dtype=float)
    if not values.size:
        raise ValueError("an empty association matrix")
    if (values < -1e-6).any() or (values > 1 + 1e-6).any():
        raise ValueError("associations must lie in 0..1")
    rows, columns = [str(name) for name in matrix.index], [str(name) for name in matrix.columns]
    longest = max(len(line) for name in (*rows, *columns) for line in broken(name).split("\n"))
    labels = 0.075 * longest
    figure, (axes,) = panels(1, 1, 0.46 * len(columns) + labels + 1.6, max(2.8, 0.46 * len(rows) + 0.75 * labels + 0.9))
    texts = [["–" if np.isnan(value) else f"{value:.2f}" for value in row] for row in values]
    draw_heatmap(figure, axes, values.clip(0, 1), texts, rows, columns, measure)
    axes.set_xlabel("factor")
    axes.set_ylabel("latent")
    return figure
