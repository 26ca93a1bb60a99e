"""Codes of all phases in a plane, drawn by class, and what the principal components consist of."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from micrographia.measure.cellprofiler import require_cellprofiler
from micrographia.plots.projections import projections_figure
from micrographia.probes.importance import require_shap
from micrographia.runs.run import How, Run
from micrographia.scores.projections import TITLES, principal_components, project, require_umap
from micrographia.training.progress import progress_bar

MOST = 2000  # rows that t-SNE and UMAP lay out, evenly: their time grows faster than rows
COMPONENTS = 10  # principal components in the table


def require_packages(settings: Mapping[str, Any]) -> None:
    """Refuse a projection, an importance or features whose package is missing, before any work.

    Raises
    ------
    UserError
        With what to install.
    """
    if "umap" in settings["projections"]:
        require_umap()
    if "shap" in settings["importance"]:
        require_shap()
    if "cellprofiler" in settings["features"]:
        require_cellprofiler()


def draw_projections(
    phases: Mapping[str, pd.DataFrame], classes: pd.Series, methods: list[Any], seed: int, how: How, run: Run
) -> None:
    """Project each phase's codes in every way that was asked for, and save places, components and the figure.

    Parameters
    ----------
    phases
        Codes of all items, by phase.
    classes
        Class of each item.
    methods
        Of pca, tsne, umap; none draws nothing.
    seed
        Of layouts.
    """
    places: dict[tuple[str, str], pd.DataFrame] = {}
    with progress_bar(how["progress"]) as bar:
        task = bar.add_task("projections", total=len(phases) * len(methods), note="")
        for phase, codes in phases.items():
            for method in dict.fromkeys(methods):
                bar.update(task, note=f"{TITLES[method]}, {phase}")
                rows = codes if method == "pca" else codes.iloc[evenly(len(codes), MOST)]
                places[phase, method] = project(rows, method, seed)
                bar.advance(task)
            if "pca" in methods:
                found = principal_components(codes, COMPONENTS)
                table = found.loadings.assign(explained=found.explained)
                table = table[["explained", *found.loadings.columns]]
                run.save_table(f"principal_components_{phase}", table, index=True)
    if not places:
        return
    for phase, codes in phases.items():
        columns = {
            f"{method}_{axis + 1}": points.iloc[:, axis]
            for (of_phase, method), points in places.items()
            if of_phase == phase
            for axis in range(points.shape[1])
        }
        run.save_table(f"projections_{phase}", pd.DataFrame(columns, index=codes.index), index=True)
    names = {key: classes.loc[points.index] for key, points in places.items()}
    run.save_figure("projections", projections_figure(places, names, TITLES))


def evenly(count: int, most: int) -> np.ndarray:
    """At most so many positions of ``count``, evenly spaced.

    Examples
    --------
    >>> evenly(9, 3)
    array([0, 4, 8])
    """
    return np.linspace(0, count - 1, min(count, most)).astype(np.int64)
