"""The images that are super-resolved: which ones, as they are and as they were seen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from micrographia.data.datamodule import IndexedImages
from micrographia.degradations import Degradation
from micrographia.errors import UserError
from micrographia.models.gan.generator import Generator
from micrographia.runs.run import How, What
from micrographia.scores.wells import Comparison
from micrographia.tasks.assembly import build_data
from micrographia.tasks.meaning import spread


@dataclass(frozen=True)
class Subjects:
    """Images to recover and what is known of them.

    Attributes
    ----------
    keys : Tensor
        Their indices in the data set, ``(n,)``, int64.
    high : Tensor or None
        What is to be recovered, ``(n, channels, S, S)``, float32 in 0..1; None where nobody knows it.
    low : Tensor
        What was seen, ``(n, channels, s, s)``.
    known : DataFrame
        A row per image, under its key: the data set's table, truth included where there is any.
    """

    keys: Tensor
    high: Tensor | None
    low: Tensor
    known: pd.DataFrame

    def low_of(self, keys: Tensor) -> Tensor:
        """Low-resolution images of some of the keys."""
        rows = {key: row for row, key in enumerate(self.keys.tolist())}
        return self.low[[rows[key] for key in keys.tolist()]]


def find_subjects(
    what: What, how: How, generator: Generator, degradation: Degradation
) -> tuple[IndexedImages, Subjects, Comparison | None]:
    """The data set, its images to recover, and the controls that a measurement is to tell apart.

    Raises
    ------
    UserError
        If generator, degradation and images do not fit each other, or the table has no column of the controls.
    """
    if generator.size % degradation.factor:
        raise UserError(f"degradation: {generator.size} px cannot be reduced {degradation.factor} times.")
    side = generator.size // degradation.factor
    if are_low(what, how, side):
        data = build_data(undivided(what), how, side, {})
        require_channels(data, generator)
        keys = data.indices("train")
        low = torch.cat(list(data.chunks(keys)))
        return data, Subjects(keys, None, low, known_of(data, keys)), controls_of(data, what)
    data = build_data(what, how, generator.size, {})
    require_channels(data, generator)
    if data.shape[1] != generator.size:
        raise UserError(
            f"data.size={data.shape[1]}: the generator makes images of {generator.size} px. "
            "Leave data.size=null to follow it."
        )
    controls = controls_of(data, what)
    keys = chosen(data, what, controls)
    high = torch.cat(list(data.chunks(keys)))
    return data, Subjects(keys, high, degradation(high, keys), known_of(data, keys)), controls


def are_low(what: What, how: How, side: int) -> bool:
    """Whether the images are low-resolution themselves; ``side`` is that of a generator's image after degradation.

    Raises
    ------
    UserError
        If they are, and of another size.
    """
    if what["given"] == "high" or "root" not in what["data"]:
        return False
    native = build_data(undivided(what), how, side, {}).record()["side"]
    if what["given"] is None and (native is None or native > side):
        return False
    if native != side:
        raise UserError(
            f"data.root: images of {native} px. The generator and degradation.factor take low-resolution images of "
            f"{side} px: cut them to it, set the factor, or choose another generator."
        )
    return True


def undivided(what: What) -> dict[str, Any]:
    """A config whose images are not parted, however few there are."""
    return {**what, "data": {**what["data"], "split": "none", "test": None, "group": []}}


def require_channels(data: IndexedImages, generator: Generator) -> None:
    """Raise unless images have the generator's channels."""
    if data.shape[0] != generator.channels:
        raise UserError(
            f"generator: it makes {generator.channels} channels, the images of {data.name} have {data.shape[0]}: set "
            f"data.model_channels={generator.channels}, or choose a generator that was trained on such images."
        )


def known_of(data: IndexedImages, keys: Tensor) -> pd.DataFrame:
    """The data set's table under the images' keys."""
    return data.table(keys).set_axis(pd.Index(keys.tolist(), name="item"))


def controls_of(data: IndexedImages, what: What) -> Comparison | None:
    """The controls that the config names, else the data set's own, if it has any."""
    given: Mapping[str, str] | None = what["contrast"]
    if given is None:
        return None if data.controls is None else Comparison(*data.controls)
    if given["column"] not in (columns := data.table(data.indices("train"))):
        raise UserError(
            f"contrast.column: the table of {data.name} has no column {given['column']}. "
            f"It has {', '.join(map(str, columns))}."
        )
    return Comparison(given["column"], str(given["negative"]), str(given["positive"]))


def chosen(data: IndexedImages, what: What, controls: Comparison | None) -> Tensor:
    """Keys of so many images of each condition (of each class, where there are no controls), evenly from the part."""
    indices, count = data.indices(what["part"]), what["images"]
    if count is None:
        return indices
    table = data.table(indices)
    column = controls.condition if controls else "class" if data.classes else None
    if column is None:
        return spread(indices, count)
    places = table.groupby(table[column].astype(str).to_numpy()).indices.values()
    return indices[torch.cat([spread(torch.as_tensor(rows), count) for rows in places]).sort().values]
