"""Decoded images on disk: one memory-mapped array and the record of how it was made, written whole or not at all."""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from micrographia.errors import UserError


def file_state(path: Path) -> list[int | str | None]:
    """Bytes and time of the last change of a file; of a folder (Zarr) a hash of those of its files; of none, None."""
    try:
        if not path.is_dir():
            state = path.stat()
            return [state.st_size, state.st_mtime_ns]
        inner = sorted(file for file in path.rglob("*") if file.is_file())
        states = [(file.relative_to(path).as_posix(), file.stat().st_size, file.stat().st_mtime_ns) for file in inner]
    except OSError:
        return [None, None]
    return [len(inner), hashlib.sha256(json.dumps(states).encode()).hexdigest()[:20]]


class PixelCache:
    """One array in a cache folder, addressed by what it was made of.

    Parameters
    ----------
    folder
        The cache's folder; made when first written to.
    content
        Everything that decides the array, in JSON's types.
    """

    def __init__(self, folder: Path, content: Mapping[str, Any]):
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:20]
        self.array_path = folder / f"images-{digest}.npy"
        self.record_path = folder / f"images-{digest}.json"

    def load(self) -> tuple[np.ndarray, dict[str, Any]] | None:
        """The array, memory-mapped, and its record; None where there is none, or it is damaged."""
        try:
            record = json.loads(self.record_path.read_text())
            # Copy on write: torch warns of arrays that it cannot write to; the file is never changed.
            return np.load(self.array_path, mmap_mode="c"), record
        except (OSError, ValueError, EOFError):
            return None

    def save(
        self, images: Iterable[np.ndarray], shape: tuple[int, ...], dtype: np.dtype, record: dict[str, Any]
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Write images one after the other, and the record last: it makes the entry whole. Returns what `load` does.

        Written as a stream, not through a memory map, which would end the process on a full disk.

        Raises
        ------
        UserError
            If the disk is full or the folder cannot be written.
        """
        parts = [path.with_name(f".{path.name}.{os.getpid()}") for path in (self.array_path, self.record_path)]
        try:
            self.array_path.parent.mkdir(parents=True, exist_ok=True)
            with parts[0].open("wb") as file:
                header = {
                    "descr": np.lib.format.dtype_to_descr(dtype),
                    "fortran_order": False,
                    "shape": shape,
                }
                np.lib.format.write_array_header_1_0(file, header)
                for image in images:
                    file.write(np.ascontiguousarray(image, dtype=dtype).tobytes())
            parts[1].write_text(json.dumps(record))
            parts[0].replace(self.array_path)
            parts[1].replace(self.record_path)
        except OSError as error:
            raise UserError(
                f"{self.array_path.parent}: decoded images cannot be written ({error.strerror or error}). "
                "Free space there, or choose another cache folder."
            ) from error
        finally:
            for part in parts:
                part.unlink(missing_ok=True)
        return np.load(self.array_path, mmap_mode="c"), record
