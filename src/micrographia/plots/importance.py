"""Which latents the probes rely on."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from micrographia.plots.style import GRID, INK, broken, in_house_style, panels, phase_colour, spread

PHASES = ("before", "after")
MEASURES = {
    "gain": "share of the trees' gain",
    "impurity": "share of the fall of impurity",
    "permutation": "fall of balanced accuracy\nwhen permuted",
}


@in_house_style
def importance_figure(table: pd.DataFrame, most: int = 20) -> Figure:
    """Draw the importance of each latent to each probe, before and after fine-tuning, as grouped bars.

    Each probe has an axis of its own, labelled by how its importance is measured.

    All probes share one order of the latents: by importance relative to each probe's largest, averaged over probes,
    after fine-tuning (before, if there is no after). Repeats are drawn as mean and standard deviation.

    Parameters
    ----------
    table
        Columns ``phase`` (before, after; others are left out), ``probe``, ``feature``, ``importance``, ``kind`` (gain,
        impurity or permutation).
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
    probes = list(dict.fromkeys(table["probe"]))
    phases = [phase for phase in PHASES if phase in set(table["phase"])]
    features = feature_order(table, phases[-1])
    drawn = features[:most]
    groups = {key: rows["importance"].to_numpy(float) for key, rows in table.groupby(["probe", "phase", "feature"])}
    figure, axes = panels(1, len(probes), 2.7 * len(probes) + 1.4, 0.32 * len(drawn) + 1.1, share_rows=True)
    repeated = any(len(values) > 1 for values in groups.values())
    height = 0.8 / len(phases)
    for axis, probe in zip(axes, probes, strict=True):
        for position, phase in enumerate(phases):
            found = [
                (row, groups[probe, phase, name]) for row, name in enumerate(drawn) if (probe, phase, name) in groups
            ]
            axis.barh(
                [row + (position - (len(phases) - 1) / 2) * height for row, _ in found],
                [values.mean() for _, values in found],
                height * 0.92,
                color=phase_colour(phase),
                label=phase,
                xerr=[spread(values) for _, values in found] if repeated else None,
                error_kw={"ecolor": INK, "elinewidth": 0.9},
            )
        axis.set_title(str(probe))
        measure = MEASURES[table.loc[table["probe"] == probe, "kind"].iloc[0]]
        axis.set_xlabel(f"{measure}\n(mean ± s.d.)" if repeated else measure)
        axis.grid(axis="x", color=GRID, linewidth=0.8)
        axis.locator_params(axis="x", nbins=4)
        axis.spines["left"].set_visible(False)
        axis.tick_params(axis="y", length=0)
        axis.axvline(0, color=INK, linewidth=0.8)
    axes[0].set_yticks(range(len(drawn)), [broken(name) for name in drawn])
    axes[0].set_ylim(len(drawn) - 0.45, -0.55)
    if len(drawn) < len(features):
        axes[0].set_ylabel(f"the {len(drawn)} most important of {len(features)} latents")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper right", ncols=len(labels))
    return figure


def feature_order(table: pd.DataFrame, phase: str) -> list[str]:
    """Features by falling importance in ``phase``, then those that occur in other phases only."""
    means = table.groupby(["probe", "phase", "feature"], sort=False)["importance"].mean()
    largest = means.abs().groupby(level=["probe", "phase"]).transform("max")
    relative = (means / largest.where(largest > 0, 1.0)).groupby(level=["phase", "feature"], sort=False).mean()
    ordered: list[str] = []
    for name in (phase, *PHASES):
        if name in relative.index.get_level_values("phase"):
            ordered += relative[name].sort_values(ascending=False, kind="stable").index.tolist()
    return list(dict.fromkeys(ordered))
