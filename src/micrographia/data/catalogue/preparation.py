"""From a set as it is published to a folder that `ImageFolder` reads: a table beside the images, or cells cut out."""

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from micrographia.data.reading import is_image_file
from micrographia.errors import UserError
from micrographia.runs.writing import write_atomically

log = logging.getLogger(__name__)

TABLE = "images.csv"
RBC_SIDE = 72  # pixels of a crop around a red blood cell: three of its diameters
RBC_CLASSES = {
    0: "normal",
    1: "macrocyte",
    2: "microcyte",
    3: "spherocyte",
    4: "target_cell",
    5: "stomatocyte",
    6: "ovalocyte",
    7: "teardrop",
    8: "burr_cell",
    9: "schistocyte",
    11: "hypochromia",
    12: "elliptocyte",
}
"""Names of the annotated types; 10, uncategorised, is left out."""


def table_of_parts(folder: Path, parts: dict[str, str]) -> None:
    """Write ``images.csv`` of class folders in folders of a given split.

    Parameters
    ----------
    parts
        Folder below the set's, to ``train`` or ``test``.
    """
    rows = []
    for name, part in parts.items():
        top = existing(folder, folder / name)
        for path in images_in(top):
            rows.append((relative(path, folder), path.relative_to(top).parts[0], part))
    write_table(folder, rows, ["file", "class", "part"])


def lensless_table(folder: Path) -> None:
    """Lensless plankton: the published split; masks stay aside."""
    table_of_parts(folder, {"TRAIN_IMAGE": "train", "TEST_IMAGE": "test"})


def vacuoles_table(folder: Path) -> None:
    """Yeast vacuoles: the annotated images; those sorted into clusters by a program stay aside."""
    top = relative(found(folder, "images"), folder)
    table_of_parts(folder, {f"{top}/train_annotated": "train", f"{top}/test": "test"})


def planktonset_table(folder: Path) -> None:
    """PlanktonSet 1.0: class folders, wherever in the archive of the present version they lie."""
    top = found(folder, "FINAL_Plankton_Segments*")
    write_table(folder, [(relative(path, folder), path.parent.name) for path in images_in(top)], ["file", "class"])


def sipakmed_table(folder: Path) -> None:
    """SIPaKMeD: the cells cut out of the smears; ``smear`` names the image they come from, within their class."""
    rows = []
    for path in images_in(folder):
        if path.parent.name == "CROPPED":
            kind = class_folder(path, folder).removeprefix("im_")
            rows.append((relative(path, folder), kind, f"{kind}_{path.stem.split('_')[0]}"))
    write_table(folder, rows, ["file", "class", "smear"])


def class_folder(path: Path, folder: Path) -> str:
    """The part of a cell's path that names its class."""
    for part in path.relative_to(folder).parts[:-2]:
        if part.startswith("im_"):
            return part
    raise UserError(f"{path}: lies in no folder im_<class>, as the set is published. Rename the folder of its class.")


def cut_red_cells(folder: Path) -> None:
    """Chula RBC-12: a crop around each annotated centre, mirrored beyond the smear's edge, and ``labels.csv``."""
    labels, smears = found(folder, "Label"), found(folder, "Dataset")
    rows = []
    for path in images_in(smears):
        annotations = read_centres(labels / f"{path.stem}.txt")
        cells = [(x, y, kind) for x, y, kind in annotations if kind in RBC_CLASSES]
        with Image.open(path) as image:
            pixels = np.asarray(image.convert("RGB"))
        height, width = pixels.shape[:2]
        if outside := [(x, y) for x, y, _ in cells if not (0 <= x < width and 0 <= y < height)]:
            raise UserError(f"{labels / path.stem}.txt: {outside[0]} lies outside the smear. Fetch the set again.")
        half = RBC_SIDE // 2
        wide = np.pad(pixels, ((half, half), (half, half), (0, 0)), mode="reflect")
        for x, y, kind in dict.fromkeys(cells):
            name = f"{RBC_CLASSES[kind]}/{path.stem}_{x}_{y}.png"
            save_once(folder / name, wide[y : y + RBC_SIDE, x : x + RBC_SIDE])
            rows.append((name, kind, RBC_CLASSES[kind], path.name, x, y))
    write_table(folder, rows, ["file", "label", "name", "smear", "x", "y"], "labels.csv")


def save_once(path: Path, pixels: np.ndarray) -> None:
    """Write an image unless it is there."""
    if not path.is_file():
        write_atomically(path, Image.fromarray(pixels).save, "how.paths.data")


def read_centres(path: Path) -> list[tuple[int, int, int]]:
    """Lines ``x y type`` of an annotation."""
    centres = []
    try:
        for line in path.read_text().splitlines():
            if line.strip():
                x, y, kind = (int(word) for word in line.split())
                centres.append((x, y, kind))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as lines 'x y type' ({error}). Fetch the set again.") from error
    return centres


def images_in(folder: Path) -> list[Path]:
    """Images at any depth, sorted."""
    return sorted(path for path in folder.rglob("*") if is_image_file(path) and path.is_file())


def found(folder: Path, pattern: str) -> Path:
    """The one folder of a name, at any depth."""
    matches = sorted(path for path in folder.rglob(pattern) if path.is_dir())
    if len(matches) != 1:
        raise UserError(f"{folder}: {len(matches)} folders are named {pattern}, one is needed. Fetch the set again.")
    return matches[0]


def existing(folder: Path, path: Path) -> Path:
    """A folder of the set that must be there."""
    if not path.is_dir():
        raise UserError(f"{folder}: has no folder {relative(path, folder)}. Fetch the set again, or see its page.")
    return path


def relative(path: Path, folder: Path) -> str:
    """Name below a folder, with forward slashes."""
    return path.relative_to(folder).as_posix()


def write_table(folder: Path, rows: Iterable[tuple], columns: list[str], name: str = TABLE) -> None:
    """Write a CSV of images, in the order of their names."""
    table = pd.DataFrame(rows, columns=columns).sort_values("file", ignore_index=True)
    if table.empty:
        raise UserError(f"{folder}: holds no images where they are expected. Fetch the set again, or see its page.")
    write_atomically(folder / name, lambda part: table.to_csv(part, index=False), "how.paths.data")
    log.info("%s: %d images in %s", folder, len(table), name)
