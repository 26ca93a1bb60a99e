"""Images of a set measured by hand-made features: real ones, and decoded ones in the same way."""

from collections.abc import Sequence
from dataclasses import dataclass

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
    """

    table: pd.DataFrame
    channels: list[int]
    names: Sequence[str] | None

    @property
    def periods(self) -> dict[str, float]:
        """Period of each feature that is an angle, in its units."""
        units = self.table.attrs["units"]
        return {name: float(unit.rsplit(" ", 1)[1]) for name, unit in units.items() if "period" in unit}

    def of(self, images: torch.Tensor) -> pd.DataFrame:
        """The same features of other images ``(n, channels, height, width)`` in 0..1, such as decoded ones."""
        return hand_made_features(images[:, self.channels].double().numpy(), channels=self.names)


def measure_images(data: IndexedImages, count: int, how: How) -> Measured | None:
    """Measure test images of a set, evenly; None where none is to be measured, or none can be."""
    images = data.inner if isinstance(data, FeatureData) else data
    indices = spread(images.indices("test"), count)
    if not len(indices) or len(images.shape) != 3:
        return None
    pixels = torch.cat(list(images.chunks(indices))).numpy()
    channels, names = distinct_channels(images)
    progress = WorkProgress("measuring features", how["progress"])
    table = hand_made_features(pixels[:, channels].astype(np.float64), channels=names, progress=progress)
    table.index = pd.Index(indices.tolist(), name="item")
    return Measured(table, channels, names)


def distinct_channels(images: IndexedImages) -> tuple[list[int], list[str] | None]:
    """Channels that are no copy of another and not zero throughout, and their names; None where they have none."""
    every = list(range(images.shape[0]))
    described = str(images.record().get("channels", "")).split("; ")[-1].split(", ")
    if len(described) != len(every):
        return every, None
    kept = [number for number in every if described[number] != "zero" and described[number] not in described[:number]]
    return kept, [described[number] for number in kept]
