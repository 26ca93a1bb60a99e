"""Image files as channels-first arrays: PNG, JPEG, BMP, TIFF, OME-TIFF, Zarr, of any depth and number of channels."""

import stat
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile

from micrographia.data.ome_zarr import SUFFIX, in_zarr, read_zarr
from micrographia.data.planes import COLOURS, MOST_PIXELS, ImageHeader, too_large
from micrographia.data.tiff import read_tiff
from micrographia.errors import UserError
from micrographia.runs.walking import walk

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", SUFFIX)
ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
ORIENTATION = 0x0112  # EXIF's tag: how the camera was held
# What is too large is answered here, before it is decoded; pillow's own warning of it names no file.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def is_image_file(path: Path) -> bool:
    """Whether a file's suffix is one that `read_image` knows; hidden files are none.

    Examples
    --------
    >>> is_image_file(Path("a/cell.OME.TIF")), is_image_file(Path("a/._cell.png"))
    (True, False)
    """
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def is_there(path: Path) -> bool:
    """Whether an image is there: a file, or a folder of Zarr."""
    try:
        return path.is_dir() if in_zarr(path) else path.is_file()
    except OSError:  # a name too long to be one
        return False


def files_below(
    folder: Path,
    onerror: Callable[[OSError], object] | None = None,
    onloop: Callable[[Path], object] | None = None,
) -> Iterator[Path]:
    """Files at any depth; a Zarr folder counts as one. See `walk` for which folders are entered, and who hears."""
    for place, folders, files in walk(folder, onerror, onloop):
        whole = [name for name in folders if name.lower().endswith(SUFFIX)]
        folders[:] = sorted(set(folders) - set(whole))
        yield from (place / name for name in sorted(files + whole))


def read_header(path: Path) -> ImageHeader:
    """Shape, type and channel names of an image file.

    Raises
    ------
    UserError
        If the file is missing, corrupt, or no single plane (a z stack, a film).
    """
    return read(path, pixels=False)[0]


def read_image(path: Path, nan: bool = False) -> tuple[ImageHeader, np.ndarray]:
    """Header and pixels of an image file, ``(channels, height, width)``, in the file's own type and range.

    Alpha is dropped, a palette resolved to its colours, black and white become 0 and 255. JPEGs and PNGs are turned
    upright as their EXIF says; other formats are read as stored.

    Parameters
    ----------
    nan
        Whether pixels may be NaN or infinite: they are NaN then.

    Raises
    ------
    UserError
        If the file is missing, corrupt, cut short, no single plane, larger than `MOST_PIXELS` and `MOST_VALUES` allow,
        or holds NaN or infinite values that may not be.
    """
    header, image = read(path, pixels=True)
    assert image is not None
    if image.shape != header.shape:
        raise UserError(f"{path}: cannot be read: its header says {header.shape}, its pixels are {image.shape}.")
    if image.dtype.kind == "f" and not (finite := np.isfinite(image)).all():
        if not nan:
            raise UserError(f"{path}: holds NaN or infinite values. Mend or remove the file.")
        image = np.where(finite, image, np.array(np.nan, image.dtype))
    return header, np.ascontiguousarray(image)


def read(path: Path, pixels: bool) -> tuple[ImageHeader, np.ndarray | None]:
    """Header and, if asked for, pixels of a file; whatever a decoder raises becomes a UserError naming the file."""
    try:
        if in_zarr(path):
            if not path.is_dir():
                raise UserError(f"{path}: no such folder.")
            return read_zarr(path, pixels)
        state = path.stat()
        if not stat.S_ISREG(state.st_mode):  # reading a pipe or a device may never end
            raise UserError(f"{path}: is no regular file. Remove it.")
        if state.st_size == 0:
            raise UserError(f"{path}: is empty (0 bytes). Fetch it again or remove it.")
        if path.suffix.lower() in (".tif", ".tiff"):
            return read_tiff(path, pixels)
        return read_raster(path, pixels)
    except UserError:
        raise
    except FileNotFoundError as error:
        raise UserError(f"{path}: no such file.") from error
    except Image.DecompressionBombError as error:
        raise too_large(path) from error
    except MemoryError as error:
        raise UserError(f"{path}: needs more memory than there is. Cut it into fields or cells first.") from error
    except PermissionError as error:
        raise UserError(
            f"{path}: must not be read ({error.strerror}). Give yourself the right to, or leave it out."
        ) from error
    except Exception as error:  # decoders of damaged files raise anything, from SyntaxError to struct.error
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reason = said.splitlines()[0] if said else type(error).__name__
        raise UserError(f"{path}: cannot be read as an image ({reason}). Fetch it again or remove it.") from error


def read_raster(path: Path, pixels: bool) -> tuple[ImageHeader, np.ndarray | None]:
    """Read a PNG, JPEG or BMP file with pillow."""
    with Image.open(path) as image:
        width, height = image.size
        if width * height > MOST_PIXELS:
            raise too_large(path)
        orientation = orientation_of(image)
        if orientation in (5, 6, 7, 8):
            width, height = height, width
        deep_mode = deep_raw_mode(image)
        deep_grey = image.mode.startswith("I")
        grey = deep_grey or image.mode in ("1", "L", "LA", "La") or deep_mode.startswith("LA")
        channels, names = (1, ("grey",)) if grey else (3, COLOURS)
        dtype = np.dtype(np.uint16 if deep_grey or deep_mode else np.uint8)
        alpha = "transparency" in image.info or image.mode in ALPHA_MODES or "A" in deep_mode
        header = ImageHeader((channels, height, width), dtype, names, alpha)
        if not pixels:
            return header, None
        if deep_mode:
            found = deep_pixels(path, deep_mode)
        elif deep_grey:
            found = np.asarray(image).astype(np.uint16)[None]
        elif grey:
            found = np.asarray(image.convert("L"))[None]
        else:
            found = np.moveaxis(np.asarray(image.convert("RGB")), -1, 0)
        return header, upright(found, orientation)


def orientation_of(image: Image.Image) -> int:
    """How the camera was held, 1 to 8, by the EXIF of a JPEG, or of a PNG where it precedes the pixels; else 1."""
    try:
        if image.format in ("JPEG", "MPO"):
            exif = image.getexif()
        elif image.format == "PNG" and "exif" in image.info:  # to look behind the pixels pillow would decode them
            exif = Image.Exif()
            exif.load(image.info["exif"])
        else:
            return 1
        found = exif.get(ORIENTATION, 1)
    except Exception:  # a damaged block, of which decoders raise anything, harms no pixel
        return 1
    return found if found in range(1, 9) else 1


def upright(image: np.ndarray, orientation: int) -> np.ndarray:
    """An image ``(channels, height, width)`` turned and mirrored as its EXIF orientation says."""
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(1, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, :, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[:, ::-1]
    return image


def deep_raw_mode(image: ImageFile.ImageFile) -> str:
    """How a PNG just opened is stored, if it has several channels of 16 bits, of which pillow would keep 8; else ""."""
    if image.format != "PNG" or image.mode.startswith("I"):
        return ""
    raw_mode = image.tile[0].args
    return raw_mode if isinstance(raw_mode, str) and ";16" in raw_mode else ""


def deep_pixels(path: Path, raw_mode: str) -> np.ndarray:
    """All 16 bits of a PNG with several channels, ``(channels, height, width)`` uint16, alpha dropped.

    Pillow keeps one byte of each sample, the high one. Told that the samples are little-endian, it keeps the other;
    told that grey with alpha are four colours of 8 bits, it keeps all four bytes.
    """

    def unpacked(mode: str) -> np.ndarray:
        with Image.open(path) as image:
            image.tile = [image.tile[0]._replace(args=mode)]
            return np.asarray(image).astype(np.uint16)

    if raw_mode.startswith("LA"):
        octets = unpacked("RGBA")
        return (octets[..., 0] << 8 | octets[..., 1])[None]
    high, low = (unpacked(raw_mode[:-1] + order)[..., :3] for order in "BL")
    return np.moveaxis(high << 8 | low, -1, 0)
