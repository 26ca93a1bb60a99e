"""Nuclei found in fields, and a square cut out around each; kept on disk, since a plate takes minutes."""

import dataclasses
import logging
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from micrographia.data.decoding import Progress, in_threads
from micrographia.data.pixel_cache import PixelCache, file_state
from micrographia.data.planes import ImageHeader
from micrographia.data.plates.fields import Fields
from micrographia.data.plates.illumination import evened, illumination
from micrographia.data.reading import read_header, read_image
from micrographia.errors import UserError
from micrographia.measure.assays.nuclei import NucleusSegmentation, centroids

log = logging.getLogger(__name__)

TOGETHER = 16  # fields in memory at once
VERSION = 3  # raise it when the same files and settings would give other crops


@dataclass
class Cropping:
    """How crops are cut out of fields.

    Attributes
    ----------
    fields : Fields
        Where from.
    nuclei : NucleusSegmentation
        How nuclei are found, in the first channel.
    crop_px : int
        Side of a crop in pixels of the field.
    even_light : bool
        Whether uneven light is taken out, plate by plate.
    cache : Path or None
        Folder of crops; None keeps them in memory.
    progress : callable or None
        Called with (fields done, of how many).
    skip : bool
        Leave fields out whose files cannot be read, instead of stopping.
    """

    fields: Fields
    nuclei: NucleusSegmentation
    crop_px: int
    even_light: bool
    cache: Path | None = None
    progress: Progress | None = None
    skip: bool = False
    faults: dict[str, str] = dataclasses.field(default_factory=dict)

    def crops(self) -> tuple[NDArray, pd.DataFrame]:
        """All crops ``(n, channels, crop_px, crop_px)``, and the field and place of each; from the cache if there.

        `faults` holds the fields that were left out, by their first file, each with what is wrong.
        """
        if self.cache is None:
            found, tables = zip(*self.cells(), strict=True)
            return np.concatenate(found), pd.concat(tables, ignore_index=True)
        entry = PixelCache(self.cache, self.content())
        kept = entry.load()
        if kept is None or self.readable_again(kept[1]["faults"]):
            kept = self.cut_into(entry)
        crops, record = kept
        self.faults = record["faults"]
        return crops, pd.DataFrame(record["cells"])

    def readable_again(self, faults: Mapping[str, str]) -> bool:
        """Whether a field that could not be read now can: what ailed it was a disk, a right, a missing package."""
        unlike = self.unlike() if faults else {}
        for row in np.flatnonzero(self.fields.files.iloc[:, 0].isin(list(faults))):
            try:
                read_field(self.fields, int(row))
            except UserError:
                continue
            if int(row) not in unlike:
                return True
        return False

    def cut_into(self, entry: PixelCache) -> tuple[NDArray, dict[str, Any]]:
        """Cut into the cache: crops go to a file as they are found, since their number is known at the end."""
        assert self.cache is not None
        self.cache.mkdir(parents=True, exist_ok=True)
        tables: list[pd.DataFrame] = []
        with tempfile.TemporaryFile(dir=self.cache) as spool:
            for crops, table in self.cells():
                spool.write(crops.tobytes())
                tables.append(table)
            cells = pd.concat(tables, ignore_index=True)
            shape, dtype = crops.shape[1:], crops.dtype  # which all fields have
            spool.seek(0)
            size = int(np.prod(shape)) * dtype.itemsize
            stream = (np.frombuffer(spool.read(size), dtype).reshape(shape) for _ in range(len(cells)))
            record = {"cells": {name: cells[name].tolist() for name in cells}, "faults": self.faults}
            return entry.save(stream, (len(cells), *shape), dtype, record)

    def content(self) -> dict[str, Any]:
        """What decides the crops, in JSON's types."""
        files = self.fields.files
        return {
            "version": VERSION,
            "root": str(self.fields.root.resolve()),
            "files": files.to_numpy().tolist(),
            "states": [[file_state(self.fields.root / name) for name in row] for row in files.to_numpy()],
            "planes": dict(self.fields.planes),
            "plates": self.fields.rows["plate"].tolist(),
            "nuclei": {key: float(value) for key, value in vars(self.nuclei).items()},
            "crop_px": self.crop_px,
            "even_light": self.even_light,
            "skip": self.skip,
        }

    def cells(self) -> Iterator[tuple[NDArray, pd.DataFrame]]:
        """Crops of each field, and where they lie: plate by plate, each under its own light."""
        done, found = 0, 0
        unlike = self.unlike()
        for plate, of_plate in self.fields.rows.groupby("plate", sort=False):
            rows = [int(row) for row in of_plate.index if not self.refused(int(row), unlike)]
            light = illumination(field for _, field in self.read(rows)) if self.even_light else None
            for row, field in self.read(rows):
                even = field if light is None else evened(field, light)
                centres = centres_of(self.nuclei(even[0]), self.crop_px)
                found += len(centres)
                done += 1
                yield (
                    cut_out(even, centres, self.crop_px),
                    pd.DataFrame({"field": row, "y": centres[:, 0], "x": centres[:, 1]}),
                )
                if self.progress is not None:
                    self.progress(done, len(self.fields.rows))
            log.info("plate %s: %d cells so far", plate, found)
        if not done:
            raise UserError(f"data.fields.root: no field can be read. {next(iter(self.faults.values()))}")
        if not found:
            raise UserError(
                f"data.nuclei: no nucleus was found in {done} fields. Set data.nuclei.diameter_px, and look at "
                "whether the first channel shows the nuclei."
            )

    def read(self, rows: Sequence[int]) -> Iterator[tuple[int, NDArray]]:
        """Number and pixels ``(channels, height, width)`` of fields, read in threads, few at a time: they are large."""

        def attempt(row: int) -> NDArray | UserError:
            try:
                return read_field(self.fields, row)
            except UserError as error:
                return error

        for first in range(0, len(rows), TOGETHER):
            some = rows[first : first + TOGETHER]
            for row, field in zip(some, in_threads(attempt, some), strict=True):
                if isinstance(field, UserError):
                    self.fault(row, field)
                else:
                    yield row, field

    def unlike(self) -> dict[int, str]:
        """Fields whose type is not that of most, or whose size is not that of most of their plate, by their headers."""
        seen = {row: header for row in range(len(self.fields.rows)) if (header := self.header(row)) is not None}
        if not seen:
            return {}
        usual = Counter(header.dtype for header in seen.values()).most_common(1)[0][0]
        plates = self.fields.rows["plate"]
        sizes: dict[str, Counter[tuple[int, ...]]] = {plate: Counter() for plate in plates.unique()}
        for row, header in seen.items():
            sizes[plates[row]][header.shape[1:]] += 1
        found = {}
        for row, header in seen.items():
            size = sizes[plates[row]].most_common(1)[0][0]
            if header.dtype != usual:
                found[row] = f"its pixels are {header.dtype}, those of most fields are {usual}."
            elif header.shape[1:] != size:
                found[row] = (
                    f"has {header.shape[1:]} px, most fields of plate {plates[row]} have {size}. Cut them alike."
                )
        return found

    def header(self, row: int) -> ImageHeader | None:
        """Header of a field's first file; None where it cannot be read, which is said where the field is."""
        try:
            return read_header(self.fields.paths(row)[0])
        except UserError:
            return None

    def refused(self, row: int, unlike: Mapping[int, str]) -> bool:
        """Whether a field is left out for being unlike the others."""
        if row in unlike:
            self.fault(row, UserError(f"{self.fields.paths(row)[0]}: {unlike[row]}"))
        return row in unlike

    def fault(self, row: int, error: UserError) -> None:
        """Stop at a field, or note what is wrong with it."""
        if not self.skip:
            raise error
        self.faults[str(self.fields.files.iloc[row, 0])] = str(error)


def read_field(fields: Fields, row: int) -> NDArray:
    """A field, ``(channels, height, width)``: of files with one channel each, or from those with several.

    Raises
    ------
    UserError
        If a file cannot be read, lacks a channel, or is of another size or type than the first.
    """
    paths = fields.paths(row)
    files = {path: read_image(path) for path in dict.fromkeys(paths)}
    planes = []
    for channel, path in zip(fields.channels, paths, strict=True):
        header, image = files[path]
        number = number_in(header.names, fields.planes.get(channel), channel, path)
        planes.append(image[number])
    for path, plane in zip(paths, planes, strict=True):
        if plane.shape != planes[0].shape:
            raise UserError(f"{path}: has {plane.shape} px, {paths[0]} has {planes[0].shape}. Cut them alike.")
        if plane.dtype != planes[0].dtype:
            raise UserError(f"{path}: its pixels are {plane.dtype}, those of {paths[0]} are {planes[0].dtype}.")
    return np.stack(planes)


def number_in(names: Sequence[str], wanted: int | str | None, channel: str, path: Path | str) -> int:
    """Number of the channel that is taken from a file: given by number or name, or the only one.

    Parameters
    ----------
    names
        Of the file's channels.
    wanted
        Number or name; None: the file is to hold a single one.
    channel, path
        For messages.
    """
    if wanted is None and len(names) == 1:
        return 0
    if wanted is None:
        raise UserError(
            f"{path}: has {len(names)} channels ({', '.join(names)}), expected one grey channel. Say which: "
            f"data.fields.channels={{{channel}: [COLUMN, 0], ...}}."
        )
    if wanted in names:
        return list(names).index(str(wanted))
    if isinstance(wanted, int) and 0 <= wanted < len(names):
        return wanted
    raise UserError(f"{path}: {channel}: no channel {wanted} in it. It has {', '.join(names)}, numbers from 0.")


def centres_of(labels: NDArray[np.int32], side: int) -> NDArray[np.int64]:
    """Row and column of the nuclei around which a square of that side fits, ``(n, 2)``, by row, then column."""
    height, width = labels.shape
    middles = [(round(row), round(column)) for row, column in centroids(labels).values()]
    half = side // 2
    fitting = [
        (row, column)
        for row, column in sorted(middles)
        if half <= row <= height - side + half and half <= column <= width - side + half
    ]
    return np.array(fitting, np.int64).reshape(-1, 2)


def cut_out(field: NDArray, centres: NDArray[np.int64], side: int) -> NDArray:
    """Squares around centres, ``(n, channels, side, side)``; the centre is pixel ``side // 2`` of each."""
    half = side // 2
    crops = [field[:, row - half : row - half + side, column - half : column - half + side] for row, column in centres]
    return np.stack(crops) if crops else np.empty((0, len(field), side, side), field.dtype)
