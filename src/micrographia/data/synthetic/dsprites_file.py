"""The sprites of the original dSprites file, for a user who has it."""

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from micrographia.data.synthetic.sprites import ORIENTATIONS, POSITIONS, SCALES, SHAPES
from micrographia.errors import UserError

SIDE = 64
COUNTS = (len(SHAPES), len(SCALES), len(ORIENTATIONS), POSITIONS, POSITIONS)


class DSpritesFile:
    """Sprites read from ``dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz``, enlarged to any size.

    The 737,280 images are kept as bits (377 MB), since the file does not say that a moved sprite keeps its pixels.

    Parameters
    ----------
    path
        The npz file.
    size
        Side of the image in pixels.
    antialias
        Enlarge bilinearly; otherwise each pixel takes the nearest one of the file.

    Raises
    ------
    UserError
        If the file is missing, is no npz file, or holds other images.
    """

    def __init__(self, path: str | Path, size: int, antialias: bool = False):
        self.bits = read_dsprites(path)
        self.box = size
        self.binary = not antialias or size == SIDE

    def place(
        self,
        shape: NDArray[np.int64],
        scale: NDArray[np.int64],
        orientation: NDArray[np.int64],
        pos_x: NDArray[np.int64],
        pos_y: NDArray[np.int64],
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        """Whole images as masks, as `Sprites.place` has them: rows and columns are 0."""
        rows = np.ravel_multi_index((shape, scale, orientation, pos_x, pos_y), COUNTS)
        masks = np.unpackbits(self.bits[rows], axis=1).reshape(-1, SIDE, SIDE) * np.uint8(255)
        corner = np.zeros(len(rows), np.int64)
        return enlarge(masks, self.box, bilinear=not self.binary), corner, corner


def read_dsprites(path: str | Path, counts: tuple[int, ...] = COUNTS) -> NDArray[np.uint8]:
    """Bits of the file's images, ``(n, 512)``, read in pieces since they would fill 3 GB as bytes.

    Parameters
    ----------
    path
        The npz file; its array ``imgs`` is ``(n, 64, 64)``, uint8, 0 or 1.
    counts
        Values of each factor; n is their product.
    """
    path = Path(path)
    expected = (int(np.prod(counts)), SIDE, SIDE)
    try:
        with zipfile.ZipFile(path) as archive, archive.open("imgs.npy") as file:
            version = np.lib.format.read_magic(file)
            read_header = (
                np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            )
            shape, fortran, dtype = read_header(file)
            if shape != expected or dtype != np.uint8 or fortran:
                raise UserError(
                    f"sprites: {path} holds imgs of shape {shape} and type {dtype}, not {expected} and uint8. "
                    "Give dsprites_ndarray_co1sh3sc6or40x32y32_64x64.npz, or sprites=null to draw them."
                )
            bits = np.empty((expected[0], SIDE * SIDE // 8), np.uint8)
            for start in range(0, expected[0], 4096):
                count = min(4096, expected[0] - start)
                piece = np.frombuffer(file.read(count * SIDE * SIDE), np.uint8).reshape(count, SIDE * SIDE)
                bits[start : start + count] = np.packbits(piece, axis=1)
    except FileNotFoundError as error:
        raise UserError(f"sprites: {path} does not exist. Give dSprites' npz file, or null to draw sprites.") from error
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise UserError(f"sprites: {path} is not a readable dSprites file ({error}). Fetch it again.") from error
    return bits


def enlarge(masks: NDArray[np.uint8], size: int, bilinear: bool) -> NDArray[np.uint8]:
    """Resize square masks ``(n, side, side)`` to ``(n, size, size)``, the pixels' areas aligned.

    Examples
    --------
    >>> enlarge(np.array([[[0, 255], [0, 0]]], np.uint8), 4, bilinear=False)[0, 0].tolist()
    [0, 0, 255, 255]
    """
    side = masks.shape[1]
    if size == side:
        return masks
    centres = (np.arange(size) + 0.5) * side / size
    if not bilinear:
        nearest = centres.astype(np.int64)
        return masks[:, nearest][:, :, nearest]
    # Hat functions around the file's pixel centres; past the last one its value continues.
    weights = np.maximum(0, 1 - np.abs(np.clip(centres - 0.5, 0, side - 1)[:, None] - np.arange(side)))
    weights = weights.astype(np.float32)
    return np.rint(weights @ masks.astype(np.float32) @ weights.T).astype(np.uint8)
