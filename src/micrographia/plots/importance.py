"""Which latents the probes rely on."""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from micrographia.plots.style import GRID, INK, broken, in_house_style, panels, phase_colour, spread
from micrographia.wording import probe_words

PHASES = ("before", "after")
MEASURES = {
    "gain": "share of the trees' gain",
    "impurity": "share of the fall of impurity",
    "permutation": "fall of balanced accuracy\nwhen permuted",
    "shap": "share of the Shapley values' size",
}
COMPARED = ("permutation", "shap")
"""Kinds that have one unit in all probes."""
COLUMNS = 4
"""Panels in a row at most: more make names and numbers too small to read."""


@in_house_style
def importance_figure(table: pd.DataFrame, most: int = 20) -> Figure:
    """Draw the importance of each latent to each probe, before and after fine-tuning, as grouped bars.

    Each probe has a panel for each kind of importance, and panels of one kind that can be compared between probes have
    one axis.

    All panels share one order of the latents: by importance relative to each panel's largest, averaged over panels,
    after fine-tuning (before, if there is no after). Repeats are drawn as mean and standard deviation.

    Parameters
    ----------
    table
        Columns ``phase`` (before, after; others are left out), ``probe``, ``feature``, ``importance``, ``kind`` (gain,
        impurity, permutation or shap).
    most
        Latents drawn at most; the figure says how many were left out.

    Raises
    ------
    ValueError
        If no row is of the phases before or after, or a value is infinite or missing.
    """
    table = table[table["phase"].isin(PHASES)]
    if table.empty:
        raise ValueError("no importance of the phases before or after")
    if not np.isfinite(table["importance"].astype(float)).all():
        raise ValueError("importances with infinite or missing values")
    places = sorted(
        {(kind, probe) for kind, probe in zip(table["kind"], table["probe"], strict=True)}, key=order_in(table)
    )
    phases = [phase for phase in PHASES if phase in set(table["phase"])]
    features = feature_order(table, phases[-1])
    drawn = features[:most]
    groups = {
        key: rows["importance"].to_numpy(float) for key, rows in table.groupby(["kind", "probe", "phase", "feature"])
    }
    columns = min(COLUMNS, len(places))
    rows = -(-len(places) // columns)
    figure, axes = panels(rows, columns, 2.7 * columns + 1.4, rows * (0.32 * len(drawn) + 1.1), share_rows=True)
    repeated = any(len(values) > 1 for values in groups.values())
    for axis, place in zip(axes, places, strict=False):
        found = {
            phase: [
                (row, groups[*place, phase, name]) for row, name in enumerate(drawn) if (*place, phase, name) in groups
            ]
            for phase in phases
        }
        draw_bars(axis, found, repeated)
        kind, probe = place
        axis.set_title(probe_words(probe))
        axis.set_xlabel(f"{MEASURES[kind]}\n(mean ± s.d.)" if repeated else MEASURES[kind])
    for axis in axes[len(places) :]:
        axis.set_axis_off()
    for kind in COMPARED:
        of_kind = [axis for axis, place in zip(axes, places, strict=False) if place[0] == kind]
        ends = np.array([axis.get_xlim() for axis in of_kind]).reshape(-1, 2)
        for axis in of_kind:
            axis.set_xlim(ends[:, 0].min(), ends[:, 1].max())
    for axis in axes[::columns]:
        axis.set_yticks(range(len(drawn)), [broken(name) for name in drawn])
        axis.set_ylim(len(drawn) - 0.45, -0.55)
        if len(drawn) < len(features):
            axis.set_ylabel(f"the {len(drawn)} most important of {len(features)} latents")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(labels))
    return figure


def order_in(table: pd.DataFrame) -> Callable[[tuple[str, str]], tuple[int, int]]:
    """Order of panels: by kind as `MEASURES` has them, then by probe as they come."""
    kinds, probes = list(MEASURES), list(dict.fromkeys(table["probe"]))
    return lambda place: (kinds.index(place[0]), probes.index(place[1]))


def draw_bars(axis: Axes, phases: Mapping[str, list[tuple[int, np.ndarray]]], repeated: bool) -> None:
    """Draw one panel: of each phase the row of each latent and its values, one for each repeat."""
    height = 0.8 / len(phases)
    for position, (phase, found) in enumerate(phases.items()):
        axis.barh(
            [row + (position - (len(phases) - 1) / 2) * height for row, _ in found],
            [values.mean() for _, values in found],
            height * 0.92,
            color=phase_colour(phase),
            label=phase,
            xerr=[spread(values) for _, values in found] if repeated else None,
            error_kw={"ecolor": INK, "elinewidth": 0.9},
        )
    axis.grid(axis="x", color=GRID, linewidth=0.8)
    axis.locator_params(axis="x", nbins=4)
    axis.spines["left"].set_visible(False)
    axis.tick_params(axis="y", length=0)
    axis.axvline(0, color=INK, linewidth=0.8)


def feature_order(table: pd.DataFrame, phase: str) -> list[str]:
    """Features by falling importance in ``phase``, then those that occur in other phases only."""
    means = table.groupby(["kind", "probe", "phase", "feature"], sort=False)["importance"].mean()
    largest = means.abs().groupby(level=["kind", "probe", "phase"]).transform("max")
    relative = (means / largest.where(largest > 0, 1.0)).groupby(level=["phase", "feature"], sort=False).mean()
    ordered: list[str] = []
    for name in (phase, *PHASES):
        if name in relative.index.get_level_values("phase"):
            ordered += relative[name].sort_values(ascending=False, kind="stable").index.tolist()
    return list(dict.fromkeys(ordered))
