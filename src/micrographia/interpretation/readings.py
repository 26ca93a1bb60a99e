"""What the latents follow among hand-made features of real images: a table, the names it suggests, a figure."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from micrographia.interpretation.measured import Measured
from micrographia.plots.regression import regression_figure
from micrographia.plots.scores import matrix_figure
from micrographia.runs.run import Metrics, Run
from micrographia.scores.correlation import Correlations, suggested_names

SHOWN = 16  # features in the figure, those that some latent follows most


def read_latents(
    codes: pd.DataFrame, measured: Measured | None, settings: Mapping[str, Any], run: Run, phase: str
) -> Metrics:
    """Compare latents with measured features, and save what was found.

    Returns
    -------
    dict
        ``latents_<phase>/readable``: latents that follow one feature each at least as strongly as ``strength`` says.
    """
    if measured is None:
        return {}
    features = measured.table
    # Each has its own units and rows without an object: of these nothing is known.
    found = Correlations(resamples=settings["resamples"]).table(codes.loc[features.index], features, measured.periods)
    names = suggested_names(found, settings["strength"])
    run.save_table(f"latents_and_features_{phase}", found)
    run.save_table(f"readable_latents_{phase}", names)
    matrix = found.pivot(index="latent", columns="feature", values="spearman").reindex(index=codes.columns)
    leading = matrix.abs().max().dropna().sort_values(ascending=False).index[:SHOWN]
    if len(leading):
        shown = matrix[[name for name in features if name in leading]]
        run.save_figure(f"latents_and_features_{phase}", matrix_figure(shown, "spearman correlation"))
    named = names[names["named"]]
    if len(named):
        figure = regression_figure(codes, features, named, measured.periods, settings["resamples"])
        run.save_figure(f"readable_latents_{phase}", figure)
    return {f"latents_{phase}/readable": int(names["named"].sum())}
