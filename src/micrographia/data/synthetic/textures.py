"""Five grey textures for the sprites: free ones that need no download, or the user's Brodatz plates."""

import re
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from micrographia.errors import UserError

# scikit-image's photographs, CC0, read from its wheel; the other two are computed.
PHOTOGRAPHS = ("brick", "grass", "gravel")
TEXTURES = (*PHOTOGRAPHS, "weave", "spots")
BRODATZ_PLATES = (11, 40, 23, 109, 102)

CROP = 224
OFFSET = 20
# Brightness of the free textures, the same for all: it must not tell one from another.
MEAN, DEVIATION = 0.62, 0.2


def textures(size: int, folder: str | None = None) -> NDArray[np.float32]:
    """Brightness of the five textures.

    Parameters
    ----------
    size
        Side in pixels, to which the 224 x 224 crop is resized.
    folder
        Folder with the Brodatz plates D11, D40, D23, D109 and D102, which are taken as they are; None for the free
        textures, which get the same mean and deviation at every size.

    Returns
    -------
    Array ``(5, size, size)``, float32 in 0..1.

    Raises
    ------
    UserError
        If the folder lacks a plate, or a plate cannot be read.
    """
    if folder is None:
        return free_textures(size)
    plates = [resize(crop(brodatz_plate(Path(folder), number)), size) for number in BRODATZ_PLATES]
    return np.stack(plates) / np.float32(255)


@cache
def free_textures(size: int) -> NDArray[np.float32]:
    """The five textures of `TEXTURES`: ``(5, size, size)``, float32 in 0..1, equal in mean and deviation."""
    photographs = [Image.open(str(files("skimage") / "data" / f"{name}.png")).convert("L") for name in PHOTOGRAPHS]
    sources = [crop(np.asarray(image, np.float32)) for image in photographs]
    sources += [weave(CROP), spots(CROP)]
    return np.stack([normalise(resize(source, size)) for source in sources])


def crop(plate: NDArray[np.float32]) -> NDArray[np.float32]:
    """The 224 x 224 pixels at offset 20."""
    return plate[OFFSET : OFFSET + CROP, OFFSET : OFFSET + CROP]


def resize(image: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Resize a square float image by area-aware bilinear interpolation."""
    if image.shape[0] == size:
        return image
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR), np.float32)


def normalise(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Brightness with mean `MEAN` and deviation `DEVIATION`, cut to 0.08..1 so that no part of a sprite is lost."""
    return np.clip(MEAN + DEVIATION * (image - image.mean()) / image.std(), 0.08, 1).astype(np.float32)


def weave(side: int, threads: int = 16) -> NDArray[np.float32]:
    """Plain weave: horizontal and vertical threads that pass over and under each other, ``(side, side)``."""
    position = np.arange(side, dtype=np.float32) * threads / side
    roundness = 0.25 + np.abs(np.sin(np.pi * position))
    thread = np.floor(position).astype(np.int64)
    over = (thread[:, None] + thread[None, :]) % 2 == 0
    # A thread darkens towards the crossings at which it dives.
    horizontal = roundness[:, None] * (0.5 + 0.5 * np.abs(np.sin(np.pi * position)))[None, :]
    return np.where(over, horizontal, horizontal.T * 0.55).astype(np.float32)


def spots(side: int, per_side: int = 13) -> NDArray[np.float32]:
    """Dark spots of uneven size on a jittered grid, like a leopard's, ``(side, side)``; always the same."""
    # RandomState, because NumPy has frozen its stream.
    random = np.random.RandomState(1665)
    row, column = np.mgrid[0:per_side, 0:per_side] + random.uniform(0.15, 0.85, (2, per_side, per_side))
    radius = random.uniform(0.22, 0.42, (per_side, per_side))
    grid = (np.arange(side) + 0.5) * per_side / side
    distance = np.hypot(grid[:, None, None] - row.ravel(), grid[None, :, None] - column.ravel())
    depth = np.clip((radius.ravel() - distance) / 0.12 + 0.5, 0, 1).max(axis=2)
    return (1 - depth).astype(np.float32)


def brodatz_plate(folder: Path, number: int) -> NDArray[np.float32]:
    """Plate of a number, grey in 0..255: the folder's one image named like ``D11``, ``d011.gif`` or ``D11_x.tif``."""
    if not folder.is_dir():
        raise UserError(f"textures: {folder} is no folder. Name the one with the Brodatz plates, or null.")
    pattern = re.compile(rf"d0*{number}(\D.*)?", re.IGNORECASE)
    found = sorted(path for path in folder.iterdir() if path.is_file() and pattern.fullmatch(path.stem))
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        plates = ", ".join(f"D{plate}" for plate in BRODATZ_PLATES)
        raise UserError(
            f"textures: {folder} has to hold one image for plate D{number}, found {names}. Needed: {plates}."
        )
    try:
        with Image.open(found[0]) as image:
            plate = np.asarray(image.convert("L"), np.float32)
    except (OSError, SyntaxError) as error:
        raise UserError(f"textures: {found[0]} is not a readable image ({error}). Replace it.") from error
    if min(plate.shape) < OFFSET + CROP:
        raise UserError(
            f"textures: {found[0]} is {plate.shape}, smaller than {OFFSET + CROP} pixels a side. Replace it."
        )
    return plate
