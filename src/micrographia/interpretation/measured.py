"""Images of a set measured by hand-made features: real ones, and decoded ones in the same way."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from micrographia.data.datamodule import IndexedImages, spread
from micrographia.data.features import FeatureData
from micrographia.measure.features import hand_made_features
from micrographia.runs.run import How
from micrographia.training.progress import WorkProgress


@dataclass(frozen=True)
class Measured:
    """Hand-made features of images, and how they were measured.

    Attributes
    ----------
    table : DataFrame
        A row per image, under its index; NaN where no object was found. ``attrs["units"]`` holds each column's unit.
    channels : list of int
        Channels that were measured: those that are no copy of another.
    names : list of str or None
        Their names; None: numbers, or red, green and blue.
    kinds : sequence of str
        Of features: see `hand_made_features`.
    """

    table: pd.DataFrame
    channels: list[int]
    names: Sequence[str] | None
    kinds: Sequence[str] = ("basic",)

    @property
    def periods(self) -> dict[str, float]:
        """Period of each feature that is an angle, in its units."""
        return periods_of(self.table)

    def rows(self, items: Sequence[int]) -> "Measured":
        """What was measured of some of the images."""
        return replace(self, table=self.table.loc[list(items)])

    def of(self, images: torch.Tensor) -> pd.DataFrame:
        """The same features of other images ``(n, channels, height, width)`` in 0..1, such as decoded ones."""
        pixels = images[:, self.channels].double().numpy()
        found = hand_made_features(pixels, channels=self.names, kinds=self.kinds)
        return found.reindex(columns=self.table.columns)  # where no object was found at all, some are not known


def periods_of(features: pd.DataFrame) -> dict[str, float]:
    """Period of each feature that is an angle, in its units."""
    return {name: float(unit.rsplit(" ", 1)[1]) for name, unit in features.attrs["units"].items() if "period" in unit}


def measure_images(
    data: IndexedImages,
    count: int,
    how: How,
    also: torch.Tensor | None = None,
    kinds: Sequence[str] = ("basic",),
) -> Measured | None:
    """Measure test images of a set; None where none is to be measured, or none can be.

    Parameters
    ----------
    count
        Images, evenly from the part: see `evenly`.
    also
        Indices of images that are measured beside those.
    kinds
        Of features: see `hand_made_features`.
    """
    images, indices = images_of(data), evenly(data, count)
    if not len(indices) or len(images.shape) != 3:
        return None
    if also is not None:
        indices = torch.unique(torch.cat([indices, also]))
    pixels = torch.cat(list(images.chunks(indices))).numpy()
    channels, names = distinct_channels(images)
    progress = WorkProgress("measuring features", how["progress"])
    table = hand_made_features(pixels[:, channels].astype(np.float64), channels=names, progress=progress, kinds=kinds)
    if not len(table.columns):  # no object in any image, or no kind of features
        return None
    table.index = pd.Index(indices.tolist(), name="item")
    return Measured(table, channels, names, kinds)


def evenly(data: IndexedImages, count: int) -> torch.Tensor:
    """Indices of test images that are measured and compared with the latents."""
    return spread(data.indices("test"), count)


def images_of(data: IndexedImages) -> IndexedImages:
    """The images behind a set, which may be features of them."""
    return data.inner if isinstance(data, FeatureData) else data


def distinct_channels(images: IndexedImages) -> tuple[list[int], list[str] | None]:
    """Channels that are no copy of another and not zero throughout, and their names; None where they have none."""
    every = list(range(images.shape[0]))
    described = str(images.record().get("channels", "")).split("; ")[-1].split(", ")
    if len(described) != len(every):
        return every, None
    kept = [number for number in every if described[number] != "zero" and described[number] not in described[:number]]
    return kept, [described[number] for number in kept]
