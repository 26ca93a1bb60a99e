"""Images of which a table knows class and part, as folders and plates have them."""

from typing import Literal, TypedDict

import numpy as np
import pandas as pd
import torch

from micrographia.data.datamodule import IndexedImages, Part

OnError = Literal["stop", "skip"]


class Controls(TypedDict):
    """Column of the table that tells the controls of an assay, and its values in both."""

    column: str
    negative: str | int | float
    positive: str | int | float


def as_texts(controls: Controls | None) -> tuple[str, str, str] | None:
    """Controls as `IndexedImages` keeps them."""
    if controls is None:
        return None
    return controls["column"], str(controls["negative"]), str(controls["positive"])


class ArrangedImages(IndexedImages):
    """Images with a row each; a subclass makes the rows, once.

    Attributes
    ----------
    parts : array of str
        Part of each row.
    codes : Tensor
        Number of each row's class, int64, in the order of `classes`.
    """

    parts: np.ndarray
    codes: torch.Tensor

    def arrange(self) -> pd.DataFrame:
        """Rows of all images, with ``class`` where there are classes; `parts`, `codes` and `classes` are known then."""
        raise NotImplementedError

    def indices(self, part: Part) -> torch.Tensor:
        """Indices of a part, rising."""
        self.arrange()
        return torch.from_numpy(np.flatnonzero(self.parts == part))

    def table(self, indices: torch.Tensor) -> pd.DataFrame:
        """Rows of the given indices."""
        return self.arrange().iloc[indices.numpy()]

    def targets(self, indices: torch.Tensor) -> torch.Tensor:
        """Integer class of each index, int64, in the order of `classes`."""
        self.arrange()
        if not self.classes:
            return super().targets(indices)  # which says so
        return self.codes[indices]
