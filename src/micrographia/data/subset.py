"""A data set of which some items are left out, under the same indices."""

from functools import cached_property
from typing import Any

import pandas as pd
import torch

from micrographia.data.datamodule import IndexedImages, Part


class Subset(IndexedImages):
    """Some items of another data set, with its indices; a subclass says which (`kept`).

    What that data set fitted to its images (scaling, padding) stays as it is.

    Parameters
    ----------
    inner
        The data set, set up.
    """

    def __init__(self, inner: IndexedImages):
        super().__init__()
        self.inner = inner
        self.name = inner.name
        self.shape = inner.shape
        self.classes = inner.classes
        self.sampling = inner.sampling

    @cached_property
    def kept(self) -> dict[Part, torch.Tensor]:
        """Indices of each part."""
        raise NotImplementedError

    def images(self, indices: torch.Tensor) -> torch.Tensor:
        """Items, as in the inner data."""
        return self.inner.images(indices)

    def table(self, indices: torch.Tensor) -> pd.DataFrame:
        """What is known of the items, as in the inner data."""
        return self.inner.table(indices)

    def indices(self, part: Part) -> torch.Tensor:
        """Indices of a part without those that are left out."""
        return self.kept[part]

    def record(self) -> dict[str, Any]:
        """The inner data's record, with the images and classes that are left."""
        return {**self.inner.record(), **super().record()}
