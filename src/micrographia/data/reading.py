"""Image files as channels-first arrays: PNG, JPEG, BMP, TIFF and OME-TIFF, of any depth and number of channels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import tifffile
from PIL import Image, ImageFile, ImageOps, ImageSequence

from micrographia.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
COLOURS: tuple[str, ...] = ("red", "green", "blue")
MOST_PIXELS = 89_000_000  # of a channel; beyond, pillow takes an image for a decompression bomb
ORIENTATION = 0x0112  # EXIF's tag: how the camera was held


@dataclass(frozen=True)
class ImageHeader:
    """What a file holds, known without decoding its pixels.

    Attributes
    ----------
    shape : tuple of int
        ``(channels, height, width)`` of what `read_image` returns.
    dtype : numpy dtype
        Type of its pixels.
    names : tuple of str
        One name per channel: from the file's metadata, the colours' names, or the channel's number.
    """

    shape: tuple[int, int, int]
    dtype: np.dtype
    names: tuple[str, ...]


def is_image_file(path: Path) -> bool:
    """Whether a file's suffix is one that `read_image` knows; hidden files are none.

    Examples
    --------
    >>> is_image_file(Path("a/cell.OME.TIF")), is_image_file(Path("a/._cell.png"))
    (True, False)
    """
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


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

    Alpha is dropped, a palette resolved to its colours, black and white become 0 and 255. JPEGs are turned upright as
    their EXIF says; other formats are read as stored.

    Parameters
    ----------
    nan
        Whether pixels may be NaN or infinite: they are NaN then.

    Raises
    ------
    UserError
        If the file is missing, corrupt, cut short, no single plane, larger than `MOST_PIXELS`, or holds NaN or infinite
        values that may not be.
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
        if path.stat().st_size == 0:
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
    except PermissionError as error:
        raise UserError(
            f"{path}: must not be read ({error.strerror}). Give yourself the right to, or leave it out."
        ) from error
    except Exception as error:  # decoders of damaged files raise anything, from SyntaxError to struct.error
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        reason = said.splitlines()[0] if said else type(error).__name__
        raise UserError(f"{path}: cannot be read as an image ({reason}). Fetch it again or remove it.") from error


def too_large(path: Path) -> UserError:
    """That an image has more pixels than are read."""
    return UserError(f"{path}: has more than {MOST_PIXELS:,} pixels. Cut it into fields or cells first.")


# PNG, JPEG, BMP


def read_raster(path: Path, pixels: bool) -> tuple[ImageHeader, np.ndarray | None]:
    """Read a PNG, JPEG or BMP file with pillow."""
    with Image.open(path) as image:
        width, height = image.size
        if width * height > MOST_PIXELS:
            raise too_large(path)
        orientation = image.getexif().get(ORIENTATION, 1) if image.format in ("JPEG", "MPO") else 1
        if orientation in (5, 6, 7, 8):
            width, height = height, width
        deep_mode = deep_raw_mode(image)
        deep_grey = image.mode.startswith("I")
        grey = deep_grey or image.mode in ("1", "L", "LA", "La") or deep_mode.startswith("LA")
        channels, names = (1, ("grey",)) if grey else (3, COLOURS)
        dtype = np.dtype(np.uint16 if deep_grey or deep_mode else np.uint8)
        header = ImageHeader((channels, height, width), dtype, names)
        if not pixels:
            return header, None
        if deep_mode:
            return header, deep_pixels(path, deep_mode)
        if deep_grey:
            return header, np.asarray(image).astype(np.uint16)[None]
        upright = ImageOps.exif_transpose(image) if orientation != 1 else image
        if grey:
            return header, np.asarray(upright.convert("L"))[None]
        return header, np.moveaxis(np.asarray(upright.convert("RGB")), -1, 0)


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


# TIFF, OME-TIFF


def read_tiff(path: Path, pixels: bool) -> tuple[ImageHeader, np.ndarray | None]:
    """Read the first series of a TIFF file with tifffile."""
    with tifffile.TiffFile(path) as file:
        if not file.series:
            raise ValueError("no image in it")
        series = file.series[0]
        page = series.keyframe
        photometric = tifffile.PHOTOMETRIC(page.photometric)
        if photometric in (tifffile.PHOTOMETRIC.SEPARATED, tifffile.PHOTOMETRIC.CIELAB):
            raise UserError(f"{path}: its colours are {photometric.name}. Convert it to RGB or grey.")
        axes = plane_axes(series.axes, series.shape, path)
        if np.prod([length for length, axis in zip(series.shape, axes, strict=True) if axis in "YX"]) > MOST_PIXELS:
            raise too_large(path)
        dtype = np.dtype(series.dtype).newbyteorder("=")
        if dtype.kind not in "buif":
            raise UserError(f"{path}: pixels of type {dtype} are not supported. Save real numbers.")
        size = dict(zip(axes, series.shape, strict=True))
        channels = size.get("C", 1)
        palette = photometric == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None and channels == 1
        if palette:
            kept, names = 3, COLOURS
        else:
            kept = colour_channels(page, channels) if "S" in series.axes else channels
            names = channel_names(file, series.axes, photometric, kept)
        stored = np.dtype(np.uint8) if dtype.kind == "b" or palette else dtype
        header = ImageHeader((kept, size["Y"], size["X"]), stored, names)
        if not pixels:
            return header, None
        image = channels_first(decoded(file, path), axes)[: 1 if palette else kept]
        if palette:
            return header, (np.asarray(page.colormap) >> 8).astype(np.uint8)[:, image[0]]
        if dtype.kind == "b":
            image = image.astype(np.uint8) * 255
        if photometric == tifffile.PHOTOMETRIC.MINISWHITE and stored.kind == "u":
            image = np.iinfo(stored).max - image
        return header, image.astype(stored, copy=False)


def plane_axes(axes: str, shape: Sequence[int], path: Path) -> str:
    """Name each axis Y, X, C (channels) or ``_`` (length 1), from a TIFF's axes or, where those say nothing, by rule.

    The rule for an axis without a meaning: a last axis of at most 4 holds the channels, else a first axis that is the
    smallest, else a last one that is.

    Raises
    ------
    UserError
        If there is more than one plane: z, time, or several axes besides height, width and channels.

    Examples
    --------
    >>> plane_axes("YXS", (48, 48, 3), Path()), plane_axes("TZCYX", (1, 1, 2, 48, 48), Path())
    ('YXC', '__CYX')
    >>> plane_axes("QYX", (48, 48, 4), Path()), plane_axes("QYX", (5, 48, 48), Path())
    ('YXC', 'CYX')
    """
    named = ["_" if length == 1 and axis not in "YX" else axis for axis, length in zip(axes, shape, strict=True)]
    extra = [position for position, axis in enumerate(named) if axis not in "_YX"]
    if not extra and sorted(axis for axis in named if axis != "_") == ["X", "Y"]:
        return "".join(named)
    long = [position for position, axis in enumerate(named) if axis != "_"]
    if len(long) != 3:
        raise UserError(f"{path}: has axes {axes} of lengths {tuple(shape)}. Save one plane with its channels.")
    if len(extra) == 1 and named[extra[0]] in "CSE":
        named[extra[0]] = "C"
        return "".join(named)
    if not all(named[position] in "QI" for position in extra):
        position = extra[0]
        raise UserError(
            f"{path}: has {shape[position]} planes along axis {named[position]} (axes {axes}). "
            "Save one plane or a projection."
        )
    first, last = shape[long[0]], shape[long[2]]
    order = "YXC" if last <= 4 or (last < first and last <= shape[long[1]]) else "CYX"
    if order == "CYX" and first > min(shape[long[1]], last):
        raise UserError(f"{path}: no axis of {tuple(shape)} is plainly the channels. Save it with axes metadata.")
    for position, axis in zip(long, order, strict=True):
        named[position] = axis
    return "".join(named)


def channels_first(array: np.ndarray, axes: str) -> np.ndarray:
    """Array with axes named by `plane_axes`, as ``(channels, height, width)``."""
    array = array.reshape([length for length, axis in zip(array.shape, axes, strict=True) if axis != "_"])
    kept = axes.replace("_", "")
    return array.transpose([kept.index(axis) for axis in "CYX" if axis in kept]).reshape(
        (-1, *(array.shape[kept.index(axis)] for axis in "YX"))
    )


def colour_channels(page: tifffile.TiffPage, samples: int) -> int:
    """How many of a TIFF page's samples are no alpha: those of RGB, or all that are not marked as alpha."""
    if page.photometric == tifffile.PHOTOMETRIC.RGB and samples == 4:
        return 3
    alpha = (tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA)
    return samples - sum(sample in alpha for sample in page.extrasamples)


def channel_names(
    file: tifffile.TiffFile, axes: str, photometric: tifffile.PHOTOMETRIC, channels: int
) -> tuple[str, ...]:
    """Names of the channels: OME's, ImageJ's labels, the colours', else their numbers."""
    names: list[str | None] = []
    if file.is_ome and file.ome_metadata:
        root = ElementTree.fromstring(file.ome_metadata)
        pixels = next((node for node in root.iter() if node.tag.endswith("}Pixels")), None)
        if pixels is not None:
            names = [node.get("Name") for node in pixels if node.tag.endswith("}Channel")]
    elif file.is_imagej and file.imagej_metadata:
        labels = file.imagej_metadata.get("Labels", [])
        names = [labels] if isinstance(labels, str) else list(labels)
    if len(names) == channels == len(set(names)) and all(names):
        return tuple(str(name) for name in names)
    colour = photometric in (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR)
    if channels == 3 and "S" in axes and colour:
        return COLOURS
    return ("grey",) if channels == 1 else tuple(str(number) for number in range(channels))


def decoded(file: tifffile.TiffFile, path: Path) -> np.ndarray:
    """Pixels of a TIFF's first series; what tifffile alone cannot unpack (LZW, JPEG) pillow does, if no bit is lost."""
    series = file.series[0]
    for page in series.pages:
        if page is None:
            raise ValueError("cut short: a page is missing")
        end = page.parent.filehandle.size
        segments = zip(page.dataoffsets, page.databytecounts, strict=False)
        if any(count and (start == 0 or start + count > end) for start, count in segments):
            raise ValueError("cut short: pixels are missing")  # tifffile would fill some of them with zeros
    try:
        return series.asarray(maxworkers=1)  # whole files are read in threads already
    except ValueError as error:
        if "imagecodecs" not in str(error):
            raise
    with Image.open(path) as image:
        frames = [np.asarray(frame) for frame in ImageSequence.Iterator(image)]
    array = np.stack(frames[: len(series.pages)])
    if array.size != np.prod(series.shape) or array.dtype.itemsize != series.dtype.itemsize:
        raise UserError(f"{path}: its compression needs one more package: pip install imagecodecs.")
    return array.reshape(series.shape)
