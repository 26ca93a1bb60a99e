"""The images that are super-resolved: which ones, as they are and as they were seen."""

from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from micrographia.data.datamodule import IndexedImages, Part
from micrographia.degradations import Degradation
from micrographia.errors import UserError
from micrographia.tasks.meaning import spread


@dataclass(frozen=True)
class Subjects:
    """Images to recover and what is known of them.

    Attributes
    ----------
    keys : Tensor
        Their indices in the data set, ``(n,)``, int64.
    high : Tensor
        What is to be recovered, ``(n, channels, S, S)``, float32 in 0..1.
    low : Tensor
        What was seen, ``(n, channels, s, s)``.
    known : DataFrame
        A row per image, under its key: the data set's table, truth included where there is any.
    """

    keys: Tensor
    high: Tensor
    low: Tensor
    known: pd.DataFrame

    def low_of(self, keys: Tensor) -> Tensor:
        """Low-resolution images of some of the keys."""
        rows = {key: row for row, key in enumerate(self.keys.tolist())}
        return self.low[[rows[key] for key in keys.tolist()]]


def choose_subjects(
    data: IndexedImages, part: Part, count: int | None, column: str | None, degradation: Degradation
) -> Subjects:
    """So many images of each condition, evenly from one end of the part to the other, and their degraded versions.

    Parameters
    ----------
    count
        Images of each value of ``column`` (of the part, where that is None); None takes all.

    Raises
    ------
    UserError
        If the data's table has no such column.
    """
    indices = data.indices(part)
    table = data.table(indices)
    if column is not None and column not in table:
        raise UserError(
            f"contrast.column: the table of {data.name} has no column {column}. "
            f"It has {', '.join(map(str, table.columns))}; contrast.column=null compares no conditions."
        )
    keys = indices
    if count is not None:
        conditions = pd.Series(0, table.index) if column is None else table[column]
        places = [torch.as_tensor(rows) for rows in conditions.groupby(conditions.to_numpy()).indices.values()]
        keys = indices[torch.cat([spread(rows, count) for rows in places]).sort().values]
    known = data.table(keys).set_axis(pd.Index(keys.tolist(), name="item"))
    high = torch.cat(list(data.chunks(keys)))
    return Subjects(keys, high, degradation(high, keys), known)


def require_fit(data: IndexedImages, generator: Any, degradation: Degradation) -> None:
    """Raise unless a generator makes images of the data's shape, and the degradation can reduce them.

    Raises
    ------
    UserError
        For another number of channels or another size.
    """
    channels, size, _ = data.shape
    if channels != generator.channels:
        raise UserError(
            f"generator: it makes {generator.channels} channels, the images of {data.name} have {channels}: set "
            f"data.model_channels={generator.channels}, or choose a generator that was trained on such images."
        )
    if size != generator.size:
        raise UserError(
            f"data.size={size}: the generator makes images of {generator.size} px. Leave data.size=null to follow it."
        )
    if size % degradation.factor:
        raise UserError(f"degradation: {size} px cannot be reduced {degradation.factor} times.")
