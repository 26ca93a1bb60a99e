"""What scores of disentanglement are made of: their matrices, and their parts per factor."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from micrographia.plots.heatmap import draw_heatmap
from micrographia.plots.style import GRID, broken, in_house_style, palette, panels


@in_house_style
def matrix_figure(matrix: pd.DataFrame, score: str) -> Figure:
    """Draw the matrix behind a score as a heat map, shaded by size relative to its largest entry.

    Parameters
    ----------
    matrix
        Mostly ``(latents, factors)``, any numbers; NaN is drawn as a dash.
    score
        Name of the score, for the colour bar.

    Raises
    ------
    ValueError
        If the matrix is empty.
    """
    values = matrix.to_numpy(dtype=float)
    if not values.size:
        raise ValueError("an empty matrix")
    finite = np.abs(values[np.isfinite(values)])
    largest = finite.max() if finite.size and finite.max() > 0 else 1.0
    rows, columns = ([str(name) for name in names] for names in (matrix.index, matrix.columns))
    labels = 0.075 * max(len(line) for name in (*rows, *columns) for line in broken(name).split("\n"))
    size = 0.5 * len(columns) + labels + 1.6, max(2.8, 0.46 * len(rows) + 0.75 * labels + 0.9)
    figure, (axes,) = panels(1, 1, *size)
    whole = all(pd.api.types.is_integer_dtype(kind) for kind in matrix.dtypes)
    written = "{:.0f}".format if whole else short
    texts = [[written(value) for value in row] for row in values]
    shares = np.where(np.isinf(values), 1.0, np.abs(values) / largest)
    bar = f"{score.replace('_', ' ')}: size, in parts of {written(largest)}"
    draw_heatmap(figure, axes, shares, texts, rows, columns, bar)
    axes.set_ylabel("latent")
    return figure


def short(value: float) -> str:
    """A number in at most five characters.

    Examples
    --------
    >>> short(0.1234), short(-12.34), short(123.4), short(float("nan"))
    ('0.12', '-12.3', '123', '–')
    """
    if np.isnan(value):
        return "–"
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}" if abs(value) < 100 else f"{value:.0f}"


@in_house_style
def scores_figure(per_factor: Mapping[str, pd.Series | pd.DataFrame], values: Mapping[str, float]) -> Figure:
    """Draw the part of each factor in each score, one line of points per score, and the score itself.

    Parameters
    ----------
    per_factor
        By score: a value in 0..1 per factor, or several columns of such; empty where a score knows no factors.
    values
        The scores themselves, by name; of several columns by ``name_column``.

    Raises
    ------
    ValueError
        If no score knows any factor.
    """
    lines: dict[str, pd.Series] = {}
    for score, parts in per_factor.items():
        table = pd.DataFrame(parts).drop(columns="chance", errors="ignore")
        for part in table if len(table) else ():
            lines[f"{score}_{part}" if table.shape[1] > 1 else score] = table[part]
    if not lines:
        raise ValueError("no score that knows factors")
    factors = list(dict.fromkeys(str(factor) for parts in lines.values() for factor in parts.index))
    figure, (axes,) = panels(1, 1, 5.6, 0.34 * len(lines) + 1.4)
    for (colour, marker), factor in zip(palette(len(factors)), factors, strict=True):
        places = [(parts.get(factor, np.nan), place) for place, parts in enumerate(lines.values())]
        axes.plot(*zip(*places, strict=True), marker, color=colour, markersize=5, alpha=0.85, label=factor)
    whole = [values.get(name, np.nan) for name in lines]
    axes.plot(whole, range(len(lines)), "|", color="black", markersize=13, markeredgewidth=1.6, label="score")
    axes.set_yticks(range(len(lines)), [broken(name.replace("_", " "), 22) for name in lines])
    axes.set_ylim(len(lines) - 0.5, -0.5)
    axes.set_xlim(-0.03, 1.03)
    axes.set_xlabel("part of each factor, 0 to 1")
    axes.grid(axis="both", color=GRID, linewidth=0.8)
    axes.tick_params(axis="y", length=0)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    return figure
