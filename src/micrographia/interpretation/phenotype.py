"""What the difference of two conditions looks like: as real images, and as what a model decodes from mean codes."""

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
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

ALONE = 4  # latents whose own change is decoded


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
    between the real mean images, -1..1: below about 0.5 the decoded images do not show what the condition does.
    """
    ours, positive = codes.loc[known.index], comparison.is_positive(known)
    means = table.set_index("column").loc[list(codes)][["mean_negative", "mean_positive"]].to_numpy(np.float32).T
    nearest = [nearest_to(mean, ours[positive == side]) for mean, side in zip(means, (False, True), strict=True)]
    chosen = leading(table, ALONE)
    places = codes.columns.get_indexer(pd.Index(chosen["column"]))
    moved = np.repeat(means[:1], len(places), axis=0)
    moved[np.arange(len(places)), places] = means[1, places]
    decoded = model.decode(torch.from_numpy(np.concatenate([means, moved])).to(model.device)).cpu()
    channels, names = distinct_channels(images)
    if names is None:
        names = list(COLOURS) if len(channels) == len(COLOURS) else [str(number) for number in channels]

    pairs = torch.stack(
        [
            torch.cat(list(images.chunks(torch.tensor(nearest)))),
            mean_images(images, known, comparison),
            decoded[:2],
            *(torch.stack([decoded[0], image]) for image in decoded[2:]),
        ]
    )
    changes = (pairs[:, 1] - pairs[:, 0])[:, channels]
    agreement = correlation(changes[1].flatten().numpy(), changes[2].flatten().numpy())
    changes[0] = torch.nan  # two cells differ by more than their condition
    labels = [
        "real, nearest to\nthe mean code",
        "real,\nmean image",
        f"decoded mean code\nr = {signed(agreement)} with real",
    ]
    for row, sure in zip(chosen.to_dict("records"), significant(table)[chosen.index], strict=True):
        size = signed(row["effect"], row["effect_low"], row["effect_high"])
        labels.append(f"{row['column']} alone\n{size}" + ("" if sure else "\nnot significant"))
    titles = [f"channel {name}" if name.isdigit() else name for name in names]
    return phenotype_figure(pairs, changes, labels, conditions, titles), agreement


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
