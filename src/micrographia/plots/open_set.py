"""A class that was left out beside the one it is taken for, and how well scores reject it."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from micrographia.plots.images import colour_images
from micrographia.plots.style import (
    FAINT,
    GRID,
    INK,
    broken,
    in_house_style,
    palette,
    panels,
    phase_colour,
    phase_order,
)
from micrographia.wording import probe_words


@in_house_style
def distances_figure(
    left_out: str,
    phases: Mapping[str, pd.DataFrame],
    images: Mapping[str, torch.Tensor] | None = None,
    most: int = 20,
) -> Figure:
    """Draw how far a left-out class lies from the class it is taken for, by each latent, as horizontal bars.

    After the open-set figure of Dapueto et al., 2025.

    Parameters
    ----------
    left_out
        Name of the class.
    phases
        For each phase a row per latent, by falling distance: ``by``, ``taken_for``, ``share``, ``latent``,
        ``distance`` in code units, ``deviations`` in standard deviations within classes (NaN: not written).
    images
        For each phase an image of either class, the left-out one first: ``(2, channels, height, width)``.
    most
        Latents drawn at most; the figure says how many there are.

    Raises
    ------
    ValueError
        If there is no phase, or a distance is infinite or missing.
    """
    if not phases:
        raise ValueError("no phase to draw")
    order = phase_order(list(phases))
    count = min(most, max(len(table) for table in phases.values()))
    shown = {phase: found for phase, found in (images or {}).items() if phase in phases}
    # Two images and their titles, however few the latents.
    height = max(0.3 * count + 1.2, 3.9 if shown else 1.6)
    figure = Figure(figsize=(5.2 + (1.9 if shown else 0), height * len(order)), layout="constrained")
    rows = figure.subfigures(len(order), 1, squeeze=False)[:, 0]
    for part, phase in zip(rows, order, strict=True):
        table = phases[phase]
        if not np.isfinite(table["distance"].astype(float)).all():
            raise ValueError("distances with infinite or missing values")
        first = table.iloc[0]
        if phase in shown:
            grid = part.add_gridspec(2, 2, width_ratios=[1, 2.9])
            names = f"left out:\n{left_out}", f"known:\n{first['taken_for']}"
            for place, (image, name) in enumerate(zip(colour_images(shown[phase]), names, strict=True)):
                axes = part.add_subplot(grid[place, 0])
                axes.imshow(image)
                axes.set_title(broken(name, 20), fontsize=8.5)
                axes.set_axis_off()
            axes = part.add_subplot(grid[:, 1])
        else:
            axes = part.add_subplot()
        draw_bars(axes, table.head(most), phase_colour(phase))
        if len(table) > most:
            axes.set_ylabel(f"the {most} farthest of {len(table)} latents")
        share, taken_for = f"{100 * first['share']:.0f} %", broken(first["taken_for"], 40)
        axes.set_title(f"{phase}: {share} taken for\n{taken_for}, by {probe_words(first['by'])}")
    return figure


def draw_bars(axes: Axes, table: pd.DataFrame, colour: str) -> None:
    """Draw the distance of each latent, the farthest on top, with its size in standard deviations beside it."""
    axes.tick_params(which="both", colors=INK, labelsize=8.5, color=FAINT, width=0.8)
    distances = table["distance"].to_numpy(float)
    axes.barh(range(len(table)), distances, 0.7, color=colour)
    for row, (distance, deviations) in enumerate(zip(distances, table["deviations"], strict=True)):
        if np.isfinite(deviations):
            label = f"{deviations:.1f} s.d."
            axes.annotate(label, (distance, row), (4, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_yticks(range(len(table)), [broken(name) for name in table["latent"]])
    axes.set_ylim(len(table) - 0.4, -0.6)
    axes.set_xlim(0, max(distances.max() * 1.22, 1e-9))  # room for the labels
    axes.set_xlabel("distance of the mean codes, in code units\n(s.d.: pooled within the known classes)")
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.locator_params(axis="x", nbins=6)


@in_house_style
def rejection_figure(table: pd.DataFrame, kept: float = 0.95) -> Figure:
    """Draw how well each score finds each left-out class: AUROC and share rejected, with intervals; chance is dashed.

    Parameters
    ----------
    table
        Columns ``phase``, ``class``, ``score``, and ``auroc`` and ``rejected`` with ``_low`` and ``_high``, all in
        0..1. What is NaN is left out.
    kept
        Share of the known validation images that the threshold was set to keep.

    Raises
    ------
    ValueError
        If the table is empty.
    """
    if table.empty:
        raise ValueError("no score of rejection")
    phases = phase_order(table["phase"].tolist())
    classes = list(dict.fromkeys(table["class"]))
    scores = list(dict.fromkeys(table["score"]))
    measures = {
        "auroc": ("AUROC, known against left out", 0.5),
        "rejected": (
            f"share of the left-out class rejected\n({100 * kept:.4g} % of known validation kept)",
            1 - kept,
        ),
    }
    columns = [(phase, measure) for measure in measures for phase in phases]
    height = 0.13 * len(scores) * len(classes) + 0.3 * len(classes) + 1.5
    figure, axes = panels(1, len(columns), 2.6 * len(columns) + 2.6, height, share_rows=True)
    gap = 0.6 / max(len(scores) - 1, 1)
    for axis, (phase, measure) in zip(axes, columns, strict=True):
        text, chance = measures[measure]
        rows = table[table["phase"] == phase]
        for place, (score, (colour, marker)) in enumerate(zip(scores, palette(len(scores)), strict=True)):
            own = rows[(rows["score"] == score) & rows[measure].notna()]
            heights = [classes.index(name) + (place - (len(scores) - 1) / 2) * gap for name in own["class"]]
            bounds = own[[f"{measure}_low", f"{measure}_high"]].fillna({f"{measure}_low": 0, f"{measure}_high": 0})
            known = own[f"{measure}_low"].notna()
            low, high = (bounds[f"{measure}_{end}"].where(known, own[measure]) for end in ("low", "high"))
            axis.hlines(heights, low, high, color=colour, linewidth=1.3)
            axis.plot(own[measure], heights, marker, color=colour, markersize=5, linestyle="", label=score)
        for border in range(1, len(classes)):
            axis.axhline(border - 0.5, color=GRID, linewidth=0.8)
        axis.axvline(chance, color=FAINT, linewidth=0.9, linestyle=(0, (4, 3)))
        axis.set_title(phase)
        axis.set_xlabel(text)
        axis.set_xlim(-0.03, 1.03)
        axis.grid(axis="x", color=GRID, linewidth=0.8)
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
    axes[0].set_yticks(range(len(classes)), [broken(name) for name in classes])
    axes[0].set_ylim(len(classes) - 0.4, -0.6)
    handles, labels = axes[0].get_legend_handles_labels()
    names = [label.replace("probability_", "probability, ") for label in labels]
    figure.legend(handles, names, loc="outside right upper")
    return figure
