"""Latents against the features they are named after: points, a line that outliers do not bend, and its band."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import gaussian_kde, rankdata, theilslopes

from micrographia.plots.style import GRID, SHADES, broken, in_house_style, palette, panels, signed

MOST = 12  # panels
COLUMNS = 4
POINTS = 400  # rows of a line: the pairs behind its slope grow with their square


@dataclass(frozen=True)
class Line:
    """A line through points, and where those through resampled points lie.

    Attributes
    ----------
    places, heights, low, high
        ``(40,)`` each: places along the feature, the line, and the ends of its band there.
    """

    places: NDArray[np.float64]
    heights: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def robust_line(
    feature: NDArray, latent: NDArray, period: float | None = None, resamples: int = 200, seed: int = 0
) -> Line:
    """Theil's and Sen's line of a latent on a feature, with a 95 % bootstrap band; of an angle a wave.

    The wave ``a + b cos + c sin`` is fitted by Huber's regression, since there is no slope on a circle. Of more than
    `POINTS` rows so many are taken.

    Parameters
    ----------
    feature, latent
        ``(n,)``, finite, the feature not constant.
    period
        Of a feature that is an angle, in its units.
    resamples, seed
        Bootstrap resamples of rows, and their seed.

    References
    ----------
    Sen, Estimates of the regression coefficient based on Kendall's tau, 1968; Huber, Robust estimation of a location
    parameter, 1964.

    Examples
    --------
    >>> feature = np.arange(20.0)
    >>> latent = 1 + 2 * feature
    >>> latent[:4] = 100
    >>> line = robust_line(feature, latent)
    >>> np.round(line.heights[[0, -1]], 1).tolist()
    [1.0, 39.0]
    """
    generator = np.random.default_rng(seed)
    if len(feature) > POINTS:
        chosen = generator.choice(len(feature), POINTS, replace=False)
        feature, latent = feature[chosen], latent[chosen]
    places = np.linspace(feature.min(), feature.max(), 40)
    heights = fitted(feature, latent, places, period)
    drawn = []
    for _ in range(resamples):
        rows = generator.integers(0, len(feature), len(feature))
        if np.ptp(feature[rows]) > 0:
            drawn.append(fitted(feature[rows], latent[rows], places, period))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0) if drawn else (np.full(40, np.nan), np.full(40, np.nan))
    return Line(places, heights, low, high)


def fitted(feature: NDArray, latent: NDArray, places: NDArray, period: float | None) -> NDArray[np.float64]:
    """Heights of the line of some points at some places."""
    if period is None:
        slope, height, *_ = theilslopes(latent, feature, method="joint")
        return height + slope * places
    from sklearn.linear_model import HuberRegressor

    wave = HuberRegressor(alpha=0.0, max_iter=500).fit(on_wave(feature, period), latent)
    return wave.predict(on_wave(places, period))


def on_wave(angles: NDArray, period: float) -> NDArray[np.float64]:
    """Cosine and sine of angles, ``(n, 2)``."""
    turned = 2 * np.pi * angles / period
    return np.stack([np.cos(turned), np.sin(turned)], axis=1)


@in_house_style
def regression_figure(
    codes: pd.DataFrame,
    features: pd.DataFrame,
    names: pd.DataFrame,
    periods: dict[str, float] | None = None,
    resamples: int = 200,
) -> Figure:
    """Draw each named latent against its feature, the strongest first, at most `MOST`.

    Points are the darker the more there are around them. Titles hold Spearman's correlation and its interval.

    Parameters
    ----------
    codes, features
        A row per image, ``(n, latents)`` and ``(n, features)``; rows without the feature are left out.
    names
        Rows of `micrographia.scores.correlation.suggested_names` that are named.
    periods
        Period of each feature that is an angle.
    resamples
        Behind each band.

    Raises
    ------
    ValueError
        If there is no row of names.
    """
    if names.empty:
        raise ValueError("no named latent to draw")
    rows = names.sort_values("strength", ascending=False, kind="stable").head(MOST).to_dict("records")
    columns = min(COLUMNS, len(rows))
    lines = -(-len(rows) // columns)
    figure, axes = panels(lines, columns, 2.7 * columns + 0.3, 2.6 * lines + 0.2)
    for panel in axes[len(rows) :]:
        panel.set_visible(False)
    units: dict[str, str] = features.attrs.get("units", {})
    for panel, row in zip(axes, rows, strict=False):
        values = features[row["factor"]].to_numpy(float)
        there = np.isfinite(values)
        latent = codes.loc[features.index, row["latent"]].to_numpy(float)[there]
        period = (periods or {}).get(row["factor"])
        draw_pair(panel, values[there], latent, period, resamples)
        panel.set_title(f"{row['latent']}\n{title(row, period)}", fontsize=9)
        unit = units.get(row["factor"], "")
        panel.set_xlabel(broken(f"{row['factor']}, {unit}" if unit not in ("", "1") else row["factor"], 30))
        panel.set_ylabel(row["latent"])
    return figure


def title(row: dict, period: float | None) -> str:
    """Spearman's correlation with its interval; of an angle it has no sign."""
    numbers = signed(row["spearman"], row["spearman_low"], row["spearman_high"])
    return f"ρ = {numbers if period is None else numbers.replace('+', '')}"


def draw_pair(axes: Axes, feature: NDArray, latent: NDArray, period: float | None, resamples: int) -> None:
    """Draw points by their density, the line and its band."""
    shades = ListedColormap(colormaps[SHADES](np.linspace(0.35, 1.0, 64)))
    dense = density(feature, latent)
    order = np.argsort(dense)
    size = float(np.clip(4000 / len(feature), 5, 18))
    axes.scatter(feature[order], latent[order], s=size, c=dense[order], cmap=shades, linewidths=0, rasterized=True)
    line = robust_line(feature, latent, period, resamples)
    (_, _), (colour, _) = palette(2)
    axes.fill_between(line.places, line.low, line.high, color=colour, alpha=0.25, linewidth=0)
    axes.plot(line.places, line.heights, color=colour, linewidth=1.6)
    axes.grid(color=GRID, linewidth=0.8)


def density(feature: NDArray, latent: NDArray) -> NDArray[np.float64]:
    """How many points are around each, as a rank in 0..1; the same for all where they lie on one line."""
    both = np.stack([feature, latent])
    try:
        found = gaussian_kde(both)(both)
    except np.linalg.LinAlgError:
        return np.full(len(feature), 0.5)
    return rankdata(found) / len(found)
