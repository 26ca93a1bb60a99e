"""A data set without some of its classes, so that a training can be said not to have seen them."""

from collections.abc import Collection
from functools import cached_property

import numpy as np
import torch

from micrographia.data.datamodule import PARTS, IndexedImages, Part
from micrographia.data.subset import Subset


class WithoutClasses(Subset):
    """The items of another data set, under the same indices, but for those of some classes, in all parts.

    Parameters
    ----------
    inner
        The data set, set up.
    left_out
        Names of the classes.
    """

    def __init__(self, inner: IndexedImages, left_out: Collection[str]):
        super().__init__(inner)
        self.left_out = frozenset(left_out)
        self.classes = tuple(name for name in inner.classes if name not in self.left_out)

    @cached_property
    def kept(self) -> dict[Part, torch.Tensor]:
        """Indices of each part without those of the classes."""
        every = {part: self.inner.indices(part) for part in PARTS}
        names = {part: self.inner.table(indices)["class"].astype(str) for part, indices in every.items()}
        return {
            part: indices[torch.from_numpy(~np.isin(names[part], list(self.left_out)))]
            for part, indices in every.items()
        }
