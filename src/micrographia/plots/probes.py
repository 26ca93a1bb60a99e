"""How well the probes classify."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from micrographia.plots.style import (
    GRID,
    INK,
    broken,
    in_house_style,
    panels,
    phase_colour,
    phase_order,
    spread,
)
from micrographia.wording import probe_words


@in_house_style
def probe_figure(scores: pd.DataFrame, chance: float) -> Figure:
    """Draw balanced accuracy on the test part by probe and phase, beside chance.

    Repeats are drawn as mean, standard deviation and single points.

    Parameters
    ----------
    scores
        Columns ``phase`` (before, after, baseline), ``probe``, ``part`` and ``balanced_accuracy`` in 0..1.
    chance
        Balanced accuracy of a guess, one over the number of classes.

    Raises
    ------
    ValueError
        If no row is of the test part, or a score is missing.
    """
    scores = scores[scores["part"] == "test"]
    if scores.empty:
        raise ValueError("no score on the test part")
    if not np.isfinite(scores["balanced_accuracy"].astype(float)).all():
        raise ValueError("scores with infinite or missing values")
    probes, phases = list(dict.fromkeys(scores["probe"])), phase_order(scores["phase"].tolist())
    groups = {key: rows["balanced_accuracy"].to_numpy(float) for key, rows in scores.groupby(["probe", "phase"])}
    figure, (axes,) = panels(1, 1, max(3.6, 0.62 * len(probes) * len(phases) + 1.6), 3.4)
    width = 0.84 / len(phases)
    for position, phase in enumerate(phases):
        found = [(place, groups[probe, phase]) for place, probe in enumerate(probes) if (probe, phase) in groups]
        places = [place + (position - (len(phases) - 1) / 2) * width for place, _ in found]
        means = [values.mean() for _, values in found]
        axes.bar(places, means, width * 0.92, color=phase_colour(phase), label=phase)
        for place, mean, (_, values) in zip(places, means, found, strict=True):
            top = mean
            if len(values) > 1:
                axes.errorbar(place, mean, spread(values), color=INK, elinewidth=0.9, capsize=2.5, capthick=0.9)
                axes.plot(np.full(len(values), place), values, ".", color=INK, markersize=3, alpha=0.6)
                top = max(mean + spread(values), values.max())
            axes.text(place, top + 0.012, f"{mean:.2f}", ha="center", va="bottom", fontsize=8)
    axes.axhline(chance, color=INK, linewidth=1, linestyle=(0, (4, 3)))
    axes.annotate(
        f"chance {chance:.2f}", (1.0, chance), (3, 0), xycoords=("axes fraction", "data"),
        textcoords="offset points", va="center", fontsize=8,
    )  # fmt: skip
    axes.set_xticks(range(len(probes)), [broken(probe_words(probe), 16) for probe in probes])
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.55, len(probes) - 0.45)
    axes.set_ylim(0, 1.05)
    axes.set_yticks(np.linspace(0, 1, 6))
    axes.set_ylabel("balanced accuracy on the test part")
    axes.grid(axis="y", color=GRID, linewidth=0.8)
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=len(phases))
    return figure
