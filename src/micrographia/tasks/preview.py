"""``micrographia data preview``: what a set looks like, before anything is trained on it."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from micrographia.data.datamodule import PARTS, IndexedImages, Part, spread, unit_range
from micrographia.data.decoding import in_threads
from micrographia.data.image_folder import ImageFolder
from micrographia.data.plates.cells import PlateCells
from micrographia.data.reading import read_image
from micrographia.plots.images import contact_sheet
from micrographia.plots.overview import overview_figure
from micrographia.plots.style import shortened
from micrographia.runs.writing import write_figure

READ = 400  # files whose intensities are looked at, evenly from the training part
PIXELS = 500  # of each
DPI = 130
TITLE = 60  # letters of a file's name above its image
LONGEST = 120  # bytes of a class in a file's name: disks take 255, with what is written around it


def preview(data: IndexedImages, folder: Path, per_class: int) -> Path:
    """Write ``overview.png`` and a contact sheet of each class, as a model sees them, into a folder."""
    tables = {part: data.table(data.indices(part)) for part in PARTS}
    classes = data.classes or ("all",)
    overview = overview_figure(counts_of(tables, classes), sides_of(data), intensities_of(data))
    write_figure(folder / "overview.png", overview, "output", dpi=DPI)
    names = file_names(classes)
    for name in classes:
        shown = {part: of_class(data, part, table, name) for part, table in tables.items()}
        indices = spread(torch.cat(list(shown.values())).sort().values, per_class)
        if len(indices):
            sheet = contact_sheet(unit_range(data.images(indices)), titles_of(data, indices), 6)
            write_figure(folder / f"{names[name]}.png", sheet, "output", dpi=DPI)
    return folder


def of_class(data: IndexedImages, part: Part, table: pd.DataFrame, name: str) -> torch.Tensor:
    """Indices of a class in a part; of a set without classes, all."""
    indices = data.indices(part)
    return indices[torch.as_tensor((table["class"] == name).to_list())] if data.classes else indices


def titles_of(data: IndexedImages, indices: torch.Tensor) -> list[str]:
    """Name of each image's file, or its well, if it is of a plate, and its number."""
    table = data.table(indices)
    if "file" in table:
        return [shortened(Path(name).stem, TITLE) for name in table["file"]]
    wells = [f"{well} " for well in table["well"]] if "well" in table else [""] * len(indices)
    return [f"{well}{index}" for well, index in zip(wells, indices.tolist(), strict=True)]


def counts_of(tables: Mapping[Part, pd.DataFrame], classes: tuple[str, ...]) -> pd.DataFrame:
    """Images of each class in each part that has any."""
    columns: dict[str, pd.Series] = {
        part: table["class"].astype(str).value_counts() if "class" in table else pd.Series({"all": len(table)})
        for part, table in tables.items()
        if len(table)
    }
    return pd.DataFrame(columns).reindex([str(name) for name in classes]).fillna(0).astype(int)


def sides_of(data: IndexedImages) -> NDArray | None:
    """Height and width of each file, or of each cell as it is cut out of a field; None of rendered images."""
    if isinstance(data, PlateCells):
        return np.full((len(data.crops), 2), data.crops.shape[-1])
    if not isinstance(data, ImageFolder):
        return None
    return np.array([header.shape[1:] for header in data.headers.values()])


def intensities_of(data: IndexedImages) -> dict[str, NDArray]:
    """Some pixels of each channel: of files in their own units, of rendered images in 0..1."""
    indices = spread(data.indices("train"), READ)
    if not isinstance(data, ImageFolder):
        pixels = unit_range(data.images(indices)).movedim(1, 0).flatten(1).numpy()
        names = getattr(data, "channels", [str(number) for number in range(len(pixels))])
        return {str(name): thinned(values, READ * PIXELS) for name, values in zip(names, pixels, strict=True)}
    paths = [data.root / name for name in data.table(indices)["file"]]
    found: dict[str, list[NDArray]] = {}
    for header, image in in_threads(read_image, paths):
        for name, plane in zip(header.names, image, strict=True):
            found.setdefault(name, []).append(thinned(plane.ravel(), PIXELS))
    return {name: np.concatenate(parts).astype(float) for name, parts in found.items()}


def thinned(values: NDArray, count: int) -> NDArray:
    """At most so many of the values, evenly spaced."""
    return values[np.linspace(0, len(values) - 1, min(count, len(values))).astype(int)]


def file_names(classes: Sequence[str]) -> dict[str, str]:
    """Name of each class's file: letters that no disk minds, not too many, and no two alike, in any case.

    Examples
    --------
    >>> file_names(["ARCELLA VULGARIS", "<5", ">5", "wt", "WT", "overview"])
    {'ARCELLA VULGARIS': 'ARCELLA_VULGARIS', '<5': '5', '>5': '5-2', 'wt': 'wt', 'WT': 'WT-2', 'overview': 'overview-2'}
    """
    names: dict[str, str] = {}
    taken = {"overview"}
    for label in classes:
        plain = re.sub(r"[^\w.+-]+", "_", label).strip("_").encode()[:LONGEST].decode(errors="ignore") or "class"
        name, number = plain, 1
        while name.casefold() in taken:
            number += 1
            name = f"{plain}-{number}"
        taken.add(name.casefold())
        names[label] = name
    return names
