"""What the difference of two conditions looks like: in real images, and in what a model decodes from mean codes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from micrographia.data.datamodule import IndexedImages
from micrographia.interpretation.measured import distinct_channels
from micrographia.measure.colour import COLOURS
from micrographia.models.vae.vae import VAE
from micrographia.plots.differences import phenotype_figure
from micrographia.plots.style import signed
from micrographia.scores.assay_quality import correlation
from micrographia.scores.differences import leading, significant
from micrographia.scores.wells import Comparison

ALONE = 4  # latents whose own change is drawn
NEAR = 0.1  # of all items, those that may stand for a value of a latent


@torch.no_grad()
def phenotype(
    model: VAE,
    codes: pd.DataFrame,
    table: pd.DataFrame,
    known: pd.DataFrame,
    comparison: Comparison,
    conditions: tuple[str, str],
    images: IndexedImages,
) -> tuple[Figure, float]:
    """Draw real images of both conditions, and what is decoded from their mean codes and from changes of one latent.

    Of a model whose network decodes no images, real ones stand in for what a latent alone changes.

    Parameters
    ----------
    codes
        A row per image, under its index.
    table
        Of `micrographia.scores.differences.Differences`, a row per latent.
    known
        A row per image of both conditions, under its index.
    conditions
        Titles of the negative and of the positive images.
    images
        The images themselves.

    Returns
    -------
    The figure, and the correlation over pixels and channels of the change between the decoded mean codes with that
    between the real mean images, -1..1: below about 0.5 the decoded images do not show what the condition does. NaN
    where nothing is decoded.
    """
    ours, positive = codes.loc[known.index], comparison.is_positive(known)
    means = table.set_index("column").loc[list(codes)][["mean_negative", "mean_positive"]].to_numpy(np.float32).T
    nearest = [nearest_to(mean, ours[positive == side]) for mean, side in zip(means, (False, True), strict=True)]
    chosen = leading(table, ALONE)
    places = codes.columns.get_indexer(pd.Index(chosen["column"]))
    channels, names = distinct_channels(images)
    if names is None:
        names = list(COLOURS) if len(channels) == len(COLOURS) else [str(number) for number in channels]

    real = torch.stack([shown(images, nearest), mean_images(images, known, comparison)])
    labels = ["real, nearest to\nthe mean code", "real,\nmean image"]
    agreement = np.nan
    if model.network.of_images:
        decoded = decoded_changes(model, means, places)
        agreement = change_agreement(real[1, :, channels], decoded[0, :, channels])
        pairs = torch.cat([real, decoded])
        labels.append(f"decoded mean code\nr = {signed(agreement)} with real")
        alone = "{} alone"
    else:
        found = [nearest_with(ours, means[0], int(place), means[:, place]) for place in places]
        pairs = torch.cat([real, *(shown(images, pair)[None] for pair in found)])
        alone = "{}, real images\nalike in the others"
    changes = (pairs[:, 1] - pairs[:, 0])[:, channels]
    between = [0] if model.network.of_images else [0, *range(2, len(pairs))]
    changes[between] = torch.nan  # two cells differ by more than their condition
    for row, sure in zip(chosen.to_dict("records"), significant(table)[chosen.index], strict=True):
        size = signed(row["effect"], row["effect_low"], row["effect_high"])
        labels.append(f"{alone.format(row['column'])}\n{size}" + ("" if sure else "\nnot significant"))
    titles = [f"channel {name}" if name.isdigit() else name for name in names]
    return phenotype_figure(pairs, changes, labels, conditions, titles), agreement


def shown(images: IndexedImages, items: Sequence[int]) -> Tensor:
    """Some images, ``(n, channels, height, width)``."""
    return torch.cat(list(images.chunks(torch.tensor(list(items)))))


def decoded_changes(model: VAE, means: NDArray, places: NDArray) -> Tensor:
    """Decoded pairs: both mean codes, then the negative one beside itself with one latent moved to the positive mean.

    Parameters
    ----------
    means
        Mean codes of both conditions, ``(2, latents)``.
    places
        Positions of the latents that are moved.

    Returns
    -------
    ``(1 + latents moved, 2, channels, height, width)``
    """
    moved = np.repeat(means[:1], len(places), axis=0)
    moved[np.arange(len(places)), places] = means[1, places]
    decoded = model.decode(torch.from_numpy(np.concatenate([means, moved])).to(model.device)).cpu()
    return torch.stack([decoded[:2], *(torch.stack([decoded[0], image]) for image in decoded[2:])])


def change_agreement(real: Tensor, decoded: Tensor) -> float:
    """Correlation over pixels and channels of the changes within two pairs of images."""
    changes = [(pair[1] - pair[0]).flatten().numpy() for pair in (real, decoded)]
    return correlation(*changes)


def nearest_with(codes: pd.DataFrame, mean: NDArray, place: int, values: NDArray) -> list[int]:
    """Items that stand for a code with one latent at each of some values.

    Of the share `NEAR` of all items whose latent is nearest to a value, the one whose other latents are nearest to the
    code, in standard deviations.

    Examples
    --------
    >>> codes = pd.DataFrame({"z0": [0.0, 0.0, 2.0, 2.0], "z1": [5.0, 1.0, 5.0, 1.0]}, index=[7, 8, 9, 10])
    >>> nearest_with(codes, np.array([0.0, 1.0]), 0, np.array([0.0, 2.0]))
    [8, 10]
    """
    table = codes.to_numpy(np.float64)
    deviations = table.std(axis=0)
    distances = ((table - mean) / np.where(deviations > 0, deviations, 1.0)) ** 2
    others = distances.sum(axis=1) - distances[:, place]
    found = []
    for value in values:
        gaps = np.abs(table[:, place] - value)
        near = np.flatnonzero(gaps <= np.quantile(gaps, NEAR))
        found.append(int(codes.index[near[others[near].argmin()]]))
    return found


def nearest_to(mean: np.ndarray, codes: pd.DataFrame) -> int:
    """Index of the item whose code is nearest to a mean code."""
    return int(codes.index[np.square(codes.to_numpy() - mean).sum(axis=1).argmin()])


def mean_images(images: IndexedImages, known: pd.DataFrame, comparison: Comparison) -> Tensor:
    """Mean image of each condition, replicates counting the same: ``(2, channels, height, width)``."""
    replicates = comparison.wells(known)
    positive = comparison.is_positive(known)
    weights = torch.from_numpy((1 / np.bincount(replicates)[replicates]).astype(np.float32))
    sides = torch.from_numpy(positive.astype(np.int64))
    totals = torch.zeros(2, *images.shape)
    done = 0
    for chunk in images.chunks(torch.tensor(known.index.tolist())):
        part = slice(done, done + len(chunk))
        totals.index_add_(0, sides[part], chunk * weights[part, None, None, None])
        done += len(chunk)
    counts = [len(np.unique(replicates[positive == side])) for side in (False, True)]
    return totals / torch.tensor(counts)[:, None, None, None]
