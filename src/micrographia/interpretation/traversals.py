"""What each latent moves: along its range among real images, decoded or shown by real images, and measured again."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from micrographia.data.datamodule import IndexedImages, spread
from micrographia.data.features import FeatureData
from micrographia.interpretation.measured import Measured
from micrographia.models.vae.vae import VAE
from micrographia.plots.images import traversal_figure
from micrographia.plots.scores import matrix_figure
from micrographia.plots.traversal_page import traversal_page
from micrographia.runs.run import How, Metrics, Run
from micrographia.scores.disentanglement.mvg import distinct_traits, mvg
from micrographia.training.progress import WorkProgress

SHOWN = torch.linspace(0.01, 0.99, 9)  # quantiles of a latent's values among real images that a figure's columns show
TRAITS = 12  # in the figure of what latents move, those that are moved most


def draw_traversals(
    model: VAE, data: IndexedImages, indices: Tensor, means: Tensor, divergences: list[float], run: Run, suffix: str
) -> None:
    """Draw what each latent does to the first of some images, or, where features are decoded, real images along it.

    Parameters
    ----------
    indices, means
        Items ``(n,)`` and their posterior means ``(n, latents)``, whose range is that of the traversal.
    divergences
        Of each latent from the prior, in nats.
    """
    if model.network.of_images:
        codes = along(means[:1], means.quantile(SHOWN.to(means), 0).T)
        images = model.decode(codes.flatten(0, 2)).unflatten(0, codes.shape[1:3]).cpu()
    elif isinstance(data, FeatureData):
        rows = nearest_along(means.cpu().numpy(), len(SHOWN))
        images = data.inner.images(indices[torch.as_tensor(rows).flatten()]).unflatten(0, rows.shape)
    else:
        return
    columns, axis = [f"{100 * float(share):.0f} %" for share in SHOWN], "share of images with a lower value"
    figure = traversal_figure(images, model.latent_names, divergences, columns, axis)
    run.save_figure(f"traversals{suffix}", figure)
    title = f"Traversals of {model.name} on {data.name}"
    run.save_page(f"traversals{suffix}", traversal_page(images, model.latent_names, divergences, columns, axis, title))


def along(codes: Tensor, values: Tensor) -> Tensor:
    """Codes ``(n, latents)`` with each latent in turn at its values ``(latents, steps)``: (n, latents, steps, latents).

    Examples
    --------
    >>> along(torch.tensor([[1.0, 2.0]]), torch.tensor([[5.0], [6.0]])).tolist()
    [[[[5.0, 2.0]], [[1.0, 6.0]]]]
    """
    latents, steps = values.shape
    moved = codes[:, None, None].repeat(1, latents, steps, 1)
    for latent in range(latents):
        moved[:, latent, :, latent] = values[latent]
    return moved


def nearest_along(codes: np.ndarray, steps: int) -> np.ndarray:
    """Real items that stand for the first one with each latent moved: rows of the codes, ``(latents, steps)``.

    For each step the item whose other latents are nearest to the first one's, in standard deviations, of the share of
    all items whose value of this latent lies there.
    """
    deviations = codes.std(axis=0)
    distances = ((codes - codes[0]) / np.where(deviations > 0, deviations, 1.0)) ** 2
    chosen = np.empty((codes.shape[1], steps), np.int64)
    for latent in range(codes.shape[1]):
        others = distances.sum(axis=1) - distances[:, latent]
        ordered = codes[:, latent].argsort(kind="stable")
        for step in range(steps):
            first = step * len(ordered) // steps
            rows = ordered[first : max(first + 1, (step + 1) * len(ordered) // steps)]  # few items stand for several
            chosen[latent, step] = rows[others[rows].argmin()]
    return chosen


@torch.no_grad()
def moved_features(
    model: VAE, codes: pd.DataFrame, measured: Measured, images: int, steps: int, progress: WorkProgress
) -> pd.DataFrame:
    """Features of decoded images while each latent moves, indexed by ``image``, ``latent`` and ``step``.

    Parameters
    ----------
    codes
        Posterior means, under the images' indices: quantiles of each latent, evenly, are the values that it takes.
    measured
        What was measured of real images; some of these are the starts.
    images
        Starts, evenly from those that were measured.
    """
    items = spread(torch.tensor(measured.table.index.to_list()), images)
    shares = (torch.arange(steps) + 0.5) / steps
    values = torch.tensor(codes.to_numpy(np.float32)).quantile(shares, 0).T
    starts = torch.tensor(codes.loc[items.tolist()].to_numpy(np.float32))
    parts = []
    for done, way in enumerate(along(starts, values)):
        decoded = model.decode(way.flatten(0, 1).to(model.device)).clamp(0, 1).cpu()
        parts.append(measured.of(decoded))
        progress(done + 1, len(items))
    keys = [items.tolist(), list(codes), range(steps)]
    return pd.concat(parts).set_axis(pd.MultiIndex.from_product(keys, names=["image", "latent", "step"]))


def measure_traversals(
    model: VAE,
    codes: pd.DataFrame,
    measured: Measured | None,
    settings: Mapping[str, Any],
    how: How,
    run: Run,
    phase: str,
) -> Metrics:
    """Measure decoded images again while each latent moves, and say which trait each moves, and which alone.

    Returns
    -------
    dict
        ``latents_<phase>/mvg``: measured variance gap, see `micrographia.scores.disentanglement.mvg`. Nothing where
        features are decoded, which cannot be measured, or nothing varies among the real images.
    """
    if measured is None or not settings["traversals"] or not model.network.of_images:
        return {}
    if not distinct_traits(measured.table, measured.periods):
        return {}
    progress = WorkProgress(f"measuring traversals, {phase}", how["progress"])
    moved = moved_features(model, codes, measured, settings["traversals"], settings["steps"], progress)
    run.save_table(f"traversals_{phase}", moved, index=True)
    result = mvg(moved, measured.table, measured.periods, n_bootstrap=settings["resamples"])
    run.save_table(f"measured_variance_{phase}", result.matrix.assign(specificity=result.per_latent), index=True)
    run.save_record(f"measured_variance_{phase}", result.settings)
    leading = result.matrix.max().nlargest(TRAITS).index
    shown = result.matrix[[trait for trait in result.matrix if trait in leading]]
    run.save_figure(f"measured_variance_{phase}", matrix_figure(shown, "share of real images' variance"))
    return {f"latents_{phase}/mvg": result.score}
