"""Rows of features on disk, of which each is there or not yet."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray
from torch import Tensor

from micrographia.errors import UserError

ROW_TYPE, MARK_TYPE = np.dtype("<f4"), np.dtype("u1")


class FeatureStore:
    """Rows of float32 on disk and, for each, whether it is there: ``features.npy`` and ``present.npy``.

    Both files have their full length from the start, with holes where the file system knows them, and are read through
    memory maps. They are written with plain writes, which answer a full disk with an error (a memory map would crash):
    first rows, then, once those are on the disk, their marks.

    Parameters
    ----------
    folder
        Where the files lie; made if it is not there.
    count, features
        Rows and columns.
    about
        What the features are of, written beside them as ``about.json``.
    """

    def __init__(self, folder: Path, count: int, features: int, about: dict[str, Any]):
        self.folder = folder
        self.row_bytes = 4 * features
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with FileLock(folder / "lock.files"):
                (folder / "about.json").write_text(json.dumps(about, indent=2) + "\n")
                rows, marks = folder / "features.npy", folder / "present.npy"
                if not fits(rows, (count, features), ROW_TYPE):
                    marks.unlink(missing_ok=True)  # marks without their rows would lie
                self.features = open_rows(rows, (count, features), ROW_TYPE)
                self.present = open_rows(marks, (count,), MARK_TYPE)
        except OSError as error:
            raise UserError(f"how.paths.cache: {folder} cannot be written: {error.strerror or error}.") from error

    def missing(self, indices: Tensor) -> NDArray[np.int64]:
        """Those of the given rows that are not there yet, each once and in rising order, int64."""
        rows = indices.numpy()
        return np.unique(rows[self.present[rows] == 0])

    def write(self, rows: NDArray[np.int64], values: NDArray[Any]) -> None:
        """Write rows, in rising order, and mark them present."""
        if not np.isfinite(values).all():
            raise UserError(
                f"backbone: features that are not finite in {self.folder}: check the images (0..1, no NaN)."
            )
        values = np.ascontiguousarray(values, dtype=ROW_TYPE)
        try:
            write_rows(self.features, rows, values)
            write_rows(self.present, rows, np.ones(len(rows), MARK_TYPE))
        except OSError as error:
            raise UserError(
                f"how.paths.cache: writing to {self.folder} failed: {error.strerror}. What is written stays valid: "
                "make room and start again."
            ) from error

    def require_space(self, rows: int) -> None:
        """Raise if the disk has no room for so many rows."""
        free, needed = shutil.disk_usage(self.folder).free, rows * self.row_bytes
        if needed > free:
            raise UserError(
                f"how.paths.cache: features of {rows:,} images need {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB "
                f"are free in {self.folder}. Name a larger disk, or make the set smaller (data.fixed)."
            )


def open_rows(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.memmap[Any, Any]:
    """Map an array file for reading, after making it, all zeros, where it is missing or not of this shape."""
    if not fits(path, shape, dtype):
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            file.truncate(file.tell() + int(np.prod(shape)) * dtype.itemsize)
        part.replace(path)
    return np.load(path, mmap_mode="r")


def fits(path: Path, shape: tuple[int, ...], dtype: np.dtype[Any]) -> bool:
    """Whether an array file is whole and of this shape."""
    try:
        found = np.load(path, mmap_mode="r")
    except (OSError, ValueError, EOFError):
        return False
    return found.shape == shape and found.dtype == dtype


def write_rows(array: np.memmap[Any, Any], rows: NDArray[np.int64], values: NDArray[Any]) -> None:
    """Write rows of a mapped file past the map, one write for each run of neighbours, and wait for the disk."""
    row_bytes = array.strides[0]
    file = os.open(array.filename, os.O_WRONLY)  # type: ignore[arg-type]
    try:
        ends = np.flatnonzero(np.diff(rows) != 1) + 1
        for run, block in zip(np.split(rows, ends), np.split(values, ends), strict=True):
            data, position = block.data.cast("B"), array.offset + int(run[0]) * row_bytes
            while len(data):
                written = os.pwrite(file, data, position)
                data, position = data[written:], position + written
        os.fsync(file)
    finally:
        os.close(file)
