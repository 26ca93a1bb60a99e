"""Cells cut out of the fields of screening plates: one crop around each nucleus, scaled plate by plate."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.nn import functional

from micrographia.config import Between
from micrographia.data.arranged import ArrangedImages, Controls, OnError, as_texts
from micrographia.data.datamodule import PARTS, Sampling
from micrographia.data.decoding import Progress
from micrographia.data.intensity import percentile_limits, rising
from micrographia.data.plates.cropping import Cropping
from micrographia.data.plates.fields import Fields
from micrographia.data.splits import some
from micrographia.data.splitting import Splitting, as_list, class_codes, in_order
from micrographia.errors import UserError
from micrographia.measure.assays.nuclei import NucleusSegmentation

log = logging.getLogger(__name__)


class PlateCells(ArrangedImages):
    """Crops around the nuclei of fields, with plate, well and site, scaled by what the controls of each plate show.

    Light is evened plate by plate, nuclei are found in the first channel, and a square around the middle of each is cut
    out; nuclei nearer to the field's border are left out. Crops are kept in the files' own type in one memory-mapped
    array. Intensities are scaled by percentiles of the control wells of the crop's own plate, whatever its part: a
    microscopist has a plate's controls when its treated wells are to be judged.

    Parameters
    ----------
    name
        Label in run folders and tables.
    fields
        Fields of view and their files.
    size
        Side in pixels of the square images given to the model.
    crop_px
        Side of a crop in pixels of the field.
    nuclei
        How nuclei are found.
    even_light
        Whether uneven light is taken out.
    percentiles
        Of the controls' pixels, per plate and channel, that become 0 and 1.
    control
        Class of the controls; None scales by all cells of a plate.
    label
        Column of the classes.
    include
        Classes to use; None uses all.
    split, test, test_fraction, val_fraction, group, split_seed
        See `Splitting`; wells never lie on two sides of drawn parts: ``plate`` and ``well`` are the group, and one that
        cuts through them is refused.
    channels
        Channels to take, by name; None takes all. Nuclei are found in the first channel, taken or not.
    sampling
        How training cells are drawn: "uniform", each once in an epoch, or "balanced", each class as often as others.
    on_error
        "stop" at a field whose files are missing or cannot be read, or "skip" it and say how many.
    controls
        Controls of an assay, which a measurement is to tell apart: a column of the table and its values in both.
    cache
        Folder of the crops; None keeps them in memory.
    progress
        Called with (fields done, of how many).

    Raises
    ------
    UserError
        If a number is out of range.
    """

    def __init__(
        self,
        name: str,
        fields: Fields,
        size: int | None = None,
        crop_px: Annotated[int, Between(8)] = 68,
        nuclei: NucleusSegmentation | None = None,
        even_light: bool = True,
        percentiles: Sequence[float] = (0.1, 99.9),
        control: str | None = "DMSO",
        label: str = "class",
        include: list[str] | None = None,
        split: str = "stratified",
        test: list[str] | None = None,
        test_fraction: float = 0.2,
        val_fraction: float = 0.2,
        group: list[str] | None = None,
        split_seed: int = 42,
        channels: list[str] | None = None,
        sampling: Sampling = "uniform",
        on_error: OnError = "stop",
        controls: Controls | None = None,
        cache: str | None = None,
        progress: Progress | None = None,
    ):
        super().__init__()
        self.name = name
        self.controls = as_texts(controls)
        self.fields = fields if channels is None else with_channels(fields, channels)
        self.taken = [self.fields.channels.index(name) for name in channels or fields.channels]
        self.shape = (len(self.taken), size or crop_px, size or crop_px)
        self.cropping = Cropping(
            self.fields,
            nuclei or NucleusSegmentation(),
            crop_px,
            even_light,
            None if cache is None else Path(cache),
            progress,
            skip=on_error == "skip",
        )
        self.sampling = sampling
        self.percentiles = rising(percentiles)
        self.control, self.label = control, label
        self.include = as_list(include)
        self.splitting = Splitting(
            split, as_list(test), test_fraction, val_fraction, as_list(group) or ("plate", "well"), split_seed
        )
        self.rows: pd.DataFrame | None = None
        self.crops: NDArray = np.zeros(0)
        self.limits: NDArray[np.float32] = np.zeros(0, np.float32)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels that are taken."""
        return tuple(self.fields.channels[number] for number in self.taken)

    def setup(self, stage: str | None = None) -> None:
        """Find and cut out the cells, or take them from the cache; later calls do nothing.

        Raises
        ------
        UserError
            If a file is missing or faulty, no cell is found, or the split cannot be made.
        """
        self.arrange()

    # The interface of IndexedImages

    def images(self, indices: torch.Tensor) -> torch.Tensor:
        """Crops ``(n, channels, size, size)``, float16 in 0..1."""
        self.arrange()
        numbers = indices.numpy()
        crops = torch.from_numpy(self.crops[self.places[numbers]][:, self.taken].astype(np.float32))
        low, high = torch.from_numpy(self.limits[self.plate_of[numbers]]).unbind(1)
        unit = ((crops - low) / (high - low)).clamp_(0, 1)
        if unit.shape[1:] != self.shape:
            unit = functional.interpolate(unit, self.shape[1:], mode="bilinear", antialias=True)
        return unit.half()

    def record(self) -> dict[str, Any]:
        """What was found and fitted, in JSON's types."""
        self.arrange()
        return {
            "images": {part: len(self.indices(part)) for part in PARTS},
            "classes": list(self.classes),
            **self.splitting.describe(),
            "channels": ", ".join(self.channels),
            **({"left_out": self.cropping.faults} if self.cropping.faults else {}),
            "plates": list(self.plates),
            "limits": {
                plate: limits[:, :, 0, 0].T.tolist() for plate, limits in zip(self.plates, self.limits, strict=True)
            },
        }

    # How it comes about

    def arrange(self) -> pd.DataFrame:
        """A row per cell: plate, well, site, class, place in the field, and what else is known of it."""
        if self.rows is not None:
            return self.rows
        if not self.cropping.skip:
            self.fields.require_files()
        crops, cells = self.cropping.crops()
        if faults := self.cropping.faults:
            log.warning(
                "%s: %d of %d fields left out (data.on_error=skip), the first: %s",
                *(self.name, len(faults), len(self.fields.rows), next(iter(faults.values()))),
            )
        rows = self.fields.rows.iloc[cells["field"]].reset_index(drop=True).assign(y=cells["y"], x=cells["x"])
        if self.label not in rows:
            raise UserError(
                f"data.label: the fields have no column {self.label}. They have {', '.join(map(str, rows))}."
            )
        rows = rows.assign(**{"class": rows[self.label].astype(str)})
        self.plates = tuple(rows["plate"].unique())
        self.limits = np.stack([self.limits_of(plate, crops, rows) for plate in self.plates])
        kept = np.arange(len(rows))
        if self.include is not None:
            if unknown := sorted(set(self.include) - set(rows["class"])):
                raise UserError(
                    f"data.include: no class {some(unknown)}. There are {some(in_order(set(rows['class'])))}."
                )
            kept = np.flatnonzero(rows["class"].isin(self.include))
            rows = rows.iloc[kept].reset_index(drop=True)
        self.classes = in_order(set(rows["class"]))
        if cut := self.splitting.cut_wells(rows, "the table of cells"):
            raise UserError(f"data.group: {cut}. Name what holds whole wells: data.group=[plate,well].")
        self.parts = self.splitting.parts(rows, self.classes, "the table of cells")
        self.codes = torch.as_tensor(class_codes(rows, self.classes))
        self.plate_of = pd.Categorical(rows["plate"], categories=list(self.plates)).codes
        self.crops, self.places, self.rows = crops, kept, rows
        return rows

    def limits_of(self, plate: str, crops: NDArray, rows: pd.DataFrame) -> NDArray[np.float32]:
        """Low and high limit of each channel of a plate, ``(2, channels, 1, 1)``, from its controls."""
        cells = rows[rows["plate"] == plate]
        chosen = cells.index if self.control is None else cells.index[cells["class"] == self.control]
        if not len(chosen):
            raise UserError(
                f"data.control: plate {plate} has no cells of class {self.control} to scale its intensities by. It has "
                f"{some(in_order(set(cells['class'])))}. Name one of them, or null for all cells."
            )
        pairs = percentile_limits((crops[row][self.taken] for row in chosen), len(chosen), self.percentiles)
        low, high = np.asarray(pairs, np.float32).T[:, :, None, None]
        return np.stack([low, np.maximum(high, low + np.float32(1e-6))])


def with_channels(fields: Fields, channels: Sequence[str]) -> Fields:
    """Fields of which only some channels are read: the first, in which nuclei are found, and those that are taken."""
    if unknown := [name for name in channels if name not in fields.channels]:
        raise UserError(f"data.channels: no channel {some(unknown)}. There are {', '.join(fields.channels)}.")
    if not channels:
        raise UserError(f"data.channels: names none. Name some of {', '.join(fields.channels)}, or null for all.")
    return replace(fields, files=fields.files[list(dict.fromkeys([fields.channels[0], *channels]))])
