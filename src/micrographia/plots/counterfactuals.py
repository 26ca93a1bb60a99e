"""Counterfactuals beside the images that they start from."""

from collections.abc import Sequence

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure

from micrographia.plots.images import GAP, colour_images, middles, tiled
from micrographia.plots.style import broken, in_house_style

COLUMNS = ("original", "decoded", "counterfactual", "change, scaled")


@in_house_style
def counterfactual_figure(
    originals: torch.Tensor, decoded: torch.Tensor, changed: torch.Tensor, titles: Sequence[str], texts: Sequence[str]
) -> Figure:
    """Draw a row per image: as it is, decoded from its code and from its counterfactual, and how these two differ.

    The change is the mean over channels, red where brighter and blue where darker, each row on its own scale.

    Parameters
    ----------
    originals, decoded, changed
        Shape ``(n, channels, height, width)`` in 0..1.
    titles, texts
        At the left and at the right of each row.

    Raises
    ------
    ValueError
        If the images differ in shape, or there is not one title and text for each.
    """
    if not originals.shape == decoded.shape == changed.shape:
        raise ValueError(f"images of {tuple(originals.shape)}, {tuple(decoded.shape)} and {tuple(changed.shape)}")
    if not len(titles) == len(texts) == len(originals):
        raise ValueError(f"{len(originals)} images, {len(titles)} titles, {len(texts)} texts")
    change = (changed - decoded).mean(1).numpy()
    largest = np.abs(change).max(axis=(1, 2), keepdims=True)
    shades = colormaps["RdBu_r"](0.5 + change / np.where(largest > 0, 2 * largest, 1.0))[..., :3]
    pictures = [colour_images(images.clamp(0, 1)) for images in (originals, decoded, changed)]
    figure, axes = tiled(np.stack([*pictures, shades], axis=1), tile=1.3, margin=(4.2, 0.4))
    heights = middles(axes, len(COLUMNS))
    axes.set_yticks(heights, [broken(title, 20) for title in titles], fontsize=8)
    axes.set_xticks([column * (1 + GAP) + 0.5 for column in range(len(COLUMNS))], COLUMNS, fontsize=8)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    for height, text in zip(heights, texts, strict=True):
        axes.text(len(COLUMNS) * (1 + GAP) + 0.05, height, text, ha="left", va="center", fontsize=7.5)
    return figure
