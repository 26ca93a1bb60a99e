"""What the latents follow among hand-made features of real images: a table, the names it suggests, a figure."""

from typing import Any

import numpy as np
import pandas as pd
import torch

from micrographia.data.datamodule import IndexedImages, spread
from micrographia.data.features import FeatureData
from micrographia.measure.features import hand_made_features
from micrographia.plots.regression import regression_figure
from micrographia.plots.scores import matrix_figure
from micrographia.runs.run import How, Metrics, Run
from micrographia.scores.correlation import Correlations, suggested_names
from micrographia.training.progress import WorkProgress

SHOWN = 16  # features in the figure, those that some latent follows most


def evenly(target: IndexedImages, settings: dict[str, Any]) -> torch.Tensor:
    """Test images that are measured and compared with the latents."""
    return spread(target.indices("test"), settings["images"])


def measure_target(
    target: IndexedImages, settings: dict[str, Any], how: How, run: Run, also: torch.Tensor | None = None
) -> pd.DataFrame:
    """Hand-made features of test images, under their indices; no rows where none are to be measured.

    Parameters
    ----------
    also
        Indices of images that are measured beside those of `evenly`.
    """
    images = images_of(target)
    indices = evenly(target, settings)
    if not len(indices) or len(images.shape) != 3:
        return pd.DataFrame(index=pd.Index([], name="item"))
    if also is not None:
        indices = torch.unique(torch.cat([indices, also]))
    pixels = torch.cat(list(images.chunks(indices))).numpy()
    numbers, names = distinct_channels(images)
    progress = WorkProgress("measuring features", how["progress"])
    table = hand_made_features(pixels[:, numbers].astype(np.float64), channels=names, progress=progress)
    table.index = pd.Index(indices.tolist(), name="item")
    run.save_table("features", table, index=True)
    return table


def images_of(target: IndexedImages) -> IndexedImages:
    """The images behind a target, which may be features of them."""
    return target.inner if isinstance(target, FeatureData) else target


def distinct_channels(images: IndexedImages) -> tuple[list[int], list[str] | None]:
    """Channels that are no copy of another and not zero throughout, and their names; None where they have none."""
    every = list(range(images.shape[0]))
    described = str(images.record().get("channels", "")).split("; ")[-1].split(", ")
    if len(described) != len(every):
        return every, None
    kept = [number for number in every if described[number] != "zero" and described[number] not in described[:number]]
    return kept, [described[number] for number in kept]


def periods_of(features: pd.DataFrame) -> dict[str, float]:
    """Period of each feature that is an angle, in its units."""
    return {name: float(unit.rsplit(" ", 1)[1]) for name, unit in features.attrs["units"].items() if "period" in unit}


def read_latents(
    codes: pd.DataFrame, features: pd.DataFrame, settings: dict[str, Any], run: Run, phase: str
) -> Metrics:
    """Compare latents with measured features, and save what was found.

    Returns
    -------
    dict
        ``latents_<phase>/readable``: latents that follow one feature each at least as strongly as ``strength`` says.
    """
    if features.empty:
        return {}
    # Each has its own units and rows without an object: of these nothing is known.
    periods = periods_of(features)
    found = Correlations(resamples=settings["resamples"]).table(codes.loc[features.index], features, periods)
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
        run.save_figure(
            f"readable_latents_{phase}", regression_figure(codes, features, named, periods, settings["resamples"])
        )
    return {f"latents_{phase}/readable": int(names["named"].sum())}
