"""A data set without some of its classes, so that a training can be said not to have seen them."""

from collections.abc import Collection
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch

from micrographia.data.batches import BalancedOrder, epoch_batch
from micrographia.data.datamodule import PARTS, IndexedImages, Part


class WithoutClasses(IndexedImages):
    """The items of another data set, under the same indices, but for those of some classes, in all parts.

    What that data set fitted to its images (scaling, padding) stays as it is.

    Parameters
    ----------
    inner
        The data set, set up.
    left_out
        Names of the classes.
    """

    def __init__(self, inner: IndexedImages, left_out: Collection[str]):
        super().__init__()
        self.inner = inner
        self.left_out = frozenset(left_out)
        self.name = inner.name
        self.shape = inner.shape
        self.classes = tuple(name for name in inner.classes if name not in self.left_out)
        self.sampling = inner.sampling

    def images(self, indices: torch.Tensor) -> torch.Tensor:
        """Items, as in the inner data."""
        return self.inner.images(indices)

    def table(self, indices: torch.Tensor) -> pd.DataFrame:
        """What is known of the items, as in the inner data."""
        return self.inner.table(indices)

    def indices(self, part: Part) -> torch.Tensor:
        """Indices of a part without those of the classes left out."""
        return self.kept[part]

    @cached_property
    def kept(self) -> dict[Part, torch.Tensor]:
        """Indices of each part."""
        every = {part: self.inner.indices(part) for part in PARTS}
        names = {part: self.inner.table(indices)["class"].astype(str) for part, indices in every.items()}
        return {
            part: indices[torch.from_numpy(~np.isin(names[part], list(self.left_out)))]
            for part, indices in every.items()
        }

    def draw_indices(self, count: int, seed: int, step: int) -> torch.Tensor:
        """Training indices of one step, drawn as the inner data draws its own."""
        if self.sampling == "uniform":
            return super().draw_indices(count, seed, step)
        train = self.indices("train")
        return train[epoch_batch(len(train), count, seed, step, self.balanced_order)]

    @cached_property
    def balanced_order(self) -> BalancedOrder:
        """Orders of epochs in which the classes that are left are even."""
        return BalancedOrder(self.targets(self.indices("train")))

    def record(self) -> dict[str, Any]:
        """The inner data's record, with the images and classes that are left."""
        return {**self.inner.record(), **super().record()}
