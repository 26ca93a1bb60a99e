"""Classes in the plane of the two most important latents."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from micrographia.plots.style import FAINT, broken, in_house_style, palette, panels

MOST = 300
"""Points drawn of each class at most: more only hide one another."""

Phase = tuple[pd.DataFrame, pd.Series, tuple[str, str]]


@in_house_style
def codes_figure(phases: dict[str, Phase]) -> Figure:
    """Draw codes coloured by class: one panel per phase, its two latents as axes.

    Of a class with more than 300 items 300 are drawn, always the same, and the panel's title says how many points
    are seen.

    Parameters
    ----------
    phases
        For each phase (before, after): the codes, shape ``(n, latents)``; the class of each row; the names of the two
        latents to draw. The same name twice (a model of one latent) spreads the classes over rows instead.

    Raises
    ------
    ValueError
        If there is no phase, lengths differ, or codes are infinite or missing.
    """
    if not phases:
        raise ValueError("no phase to draw")
    names = class_names([classes for _, classes, _ in phases.values()])
    figure, axes = panels(1, len(phases), 3.7 * len(phases) + 2.3, 3.9)
    for panel, (phase, (codes, classes, latents)) in zip(axes, phases.items(), strict=True):
        draw_codes(panel, phase, codes, classes, latents, names)
    looks = palette(len(names))
    handles = [Line2D([], [], linestyle="", marker=marker, color=colour, markersize=5.5) for colour, marker in looks]
    figure.legend(
        handles, [broken(name) for name in names], loc="outside right center", fontsize=8.5, handletextpad=0.2
    )
    return figure


def class_names(columns: list[pd.Series]) -> list[str]:
    """Classes of all phases: in the order of their categories where they have one, else sorted."""
    first = columns[0]
    known = first.cat.categories.tolist() if isinstance(first.dtype, pd.CategoricalDtype) else []
    seen = {value for column in columns for value in column.unique()}
    return [str(name) for name in known if name in seen] + sorted(str(name) for name in seen - set(known))


def at_most(classes: pd.Series, most: int) -> np.ndarray:
    """Positions of all items of small classes, and of ``most`` random ones of each larger class, ascending."""
    order = np.random.default_rng(0).permutation(len(classes))
    rank = classes.iloc[order].astype(str).reset_index(drop=True).pipe(lambda names: names.groupby(names).cumcount())
    return np.sort(order[rank.to_numpy() < most])


def draw_codes(
    axes: Axes,
    phase: str,
    codes: pd.DataFrame,
    classes: pd.Series,
    latents: tuple[str, str],
    names: list[str],
) -> None:
    """Draw one phase under its name; the rarest classes last, so that they lie on top."""
    if len(codes) != len(classes):
        raise ValueError(f"{len(codes)} codes, but {len(classes)} classes")
    drawn = at_most(classes, MOST)
    axes.set_title(phase if len(drawn) == len(codes) else f"{phase}, {len(drawn):,} of {len(codes):,}")
    codes, classes = codes.iloc[drawn], classes.iloc[drawn]
    points = codes[list(latents)].to_numpy(dtype=float, copy=True)
    if not np.isfinite(points).all():
        raise ValueError("codes with infinite or missing values")
    labels = classes.astype(str).to_numpy()
    size = float(np.clip(9000 / max(len(points), 1), 8, 26))
    one = latents[0] == latents[1]
    if one:
        rows = np.array([names.index(label) for label in labels], dtype=float)
        points[:, 1] = rows + np.random.default_rng(0).uniform(-0.3, 0.3, len(rows))
    count = {name: int((labels == name).sum()) for name in names}
    looks = dict(zip(names, palette(len(names)), strict=True))
    for name in sorted(names, key=lambda name: -count[name]):
        colour, marker = looks[name]
        axes.scatter(
            points[labels == name, 0],
            points[labels == name, 1],
            s=size,
            c=colour,
            marker=marker,
            alpha=0.7,
            linewidths=0,
            rasterized=True,
        )
    axes.set_xlabel(latents[0])
    axes.set_ylabel("class" if one else latents[1])
    if one:
        axes.set_yticks([])
    axes.tick_params(color=FAINT)
