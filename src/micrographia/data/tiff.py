"""TIFF and OME-TIFF files as channels-first arrays, with the names of their channels."""

import logging
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import tifffile
from PIL import Image

from micrographia.data.planes import (
    COLOURS,
    ImageHeader,
    channels_first,
    native,
    plane_axes,
    require_few_pixels,
)
from micrographia.errors import UserError

logging.getLogger("tifffile").addHandler(logging.NullHandler())  # what is wrong with a file is answered by us

GREYS = (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.MINISWHITE)
# What other images begin with.
OTHERS = {b"\x89PNG": ("PNG", ".png"), b"\xff\xd8\xff": ("JPEG", ".jpg"), b"BM": ("BMP", ".bmp")}


def read_tiff(path: Path, pixels: bool) -> tuple[ImageHeader, np.ndarray | None]:
    """Read the image in a TIFF file with tifffile; see `series_of_image`."""
    require_tiff(path)
    with tifffile.TiffFile(path) as file:
        parts = series_of_image(file, path)
        series = parts[0]
        page = series.keyframe
        photometric = tifffile.PHOTOMETRIC(page.photometric)
        if photometric in (tifffile.PHOTOMETRIC.SEPARATED, tifffile.PHOTOMETRIC.CIELAB):
            raise UserError(f"{path}: its colours are {photometric.name}. Convert it to RGB or grey.")
        axes = plane_axes(series.axes, series.shape, path)
        size = dict(zip(axes, series.shape, strict=True)) | ({"C": len(parts)} if len(parts) > 1 else {})
        require_few_pixels(size, path)
        dtype = native(series.dtype, path)
        channels = size.get("C", 1)
        palette = photometric == tifffile.PHOTOMETRIC.PALETTE and page.colormap is not None and channels == 1
        if palette:
            kept, names = 3, COLOURS
        else:
            kept = colour_channels(page, channels) if "S" in series.axes else channels
            names = channel_names(file, series.axes, photometric, kept)
        stored = np.dtype(np.uint8) if dtype.kind == "b" or palette else dtype
        header = ImageHeader((kept, size["Y"], size["X"]), stored, names, alpha=kept < channels)
        if not pixels:
            return header, None
        planes = [channels_first(decoded(part, path), axes) for part in parts]
        image = (planes[0] if len(planes) == 1 else np.concatenate(planes))[: 1 if palette else kept]
        if palette:
            return header, (np.asarray(page.colormap) >> 8).astype(np.uint8)[:, image[0]]
        if dtype.kind == "b":
            image = image.astype(np.uint8) * 255
        if photometric == tifffile.PHOTOMETRIC.MINISWHITE and stored.kind == "u":
            image = np.iinfo(stored).max - image
        return header, image.astype(stored, copy=False)


def require_tiff(path: Path) -> None:
    """Raise if a file named as a TIFF is an image of another format."""
    with path.open("rb") as file:
        head = file.read(max(map(len, OTHERS)))
    for signature, (name, suffix) in OTHERS.items():
        if head.startswith(signature):
            raise UserError(f"{path}: is named as a TIFF, its content is {name}. Rename it to {path.stem}{suffix}.")


def series_of_image(file: tifffile.TiffFile, path: Path) -> list[tifffile.TiffPageSeries]:
    """The series that make up a file's image: its only one, or grey planes that are alike, a channel each.

    Smaller copies beside the largest (thumbnails, levels of a pyramid) are left out.

    Raises
    ------
    UserError
        If there are several images: of different sizes or types, in colours, stacks, or images of one OME-TIFF.
    """
    if not file.series:
        raise ValueError("no image in it")
    largest = max(file.series, key=lambda series: height_width(series)[0] * height_width(series)[1])
    kept = [series for series in file.series if series is largest or not is_copy(series, largest)]
    if len(kept) == 1:
        return kept
    kinds = {(series.axes, series.shape, series.dtype, series.keyframe.photometric) for series in kept}
    planes = largest.ndim == 2 and largest.keyframe.photometric in GREYS
    if len(kinds) > 1 or not planes or file.is_ome:  # OME's images are others by definition: places, not channels
        shapes = ", ".join(dict.fromkeys(f"{series.shape} {series.dtype}" for series in kept))
        raise UserError(f"{path}: holds {len(kept)} images ({shapes}). Save each in a file of its own.")
    return kept


def height_width(series: tifffile.TiffPageSeries) -> tuple[int, int]:
    """Height and width of a series' planes."""
    size = dict(zip(series.axes, series.shape, strict=True))
    return size.get("Y", 1), size.get("X", 1)


def is_copy(series: tifffile.TiffPageSeries, largest: tifffile.TiffPageSeries) -> bool:
    """Whether a series is a smaller copy: marked as one, or at most half as high and wide in the same proportions."""
    if series.keyframe.is_reduced:
        return True
    (height, width), (most_high, most_wide) = height_width(series), height_width(largest)
    alike = abs(height * most_wide - width * most_high) <= max(most_high, most_wide)  # each side is rounded
    return alike and 2 * height <= most_high + 1 and 2 * width <= most_wide + 1


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


def decoded(series: tifffile.TiffPageSeries, path: Path) -> np.ndarray:
    """Pixels of a TIFF's series; what tifffile alone cannot unpack (LZW, JPEG) pillow does, if no bit is lost."""
    for page in series.pages:
        if page is None:
            raise ValueError("cut short: a page is missing")
        end = page.parent.filehandle.size
        segments = zip(page.dataoffsets, page.databytecounts, strict=False)
        if any(count and (start == 0 or start + count > end) for start, count in segments):
            raise ValueError("cut short: pixels are missing")  # tifffile would fill some of them with zeros
    try:
        return series.asarray(maxworkers=1)  # whole files are read in threads already
    except (ValueError, ImportError) as error:
        if isinstance(error, ValueError) and "imagecodecs" not in str(error):
            raise
    frames = []
    with Image.open(path) as image:
        for page in series.pages:
            assert page is not None  # seen above
            image.seek(page.index)
            try:
                frames.append(np.asarray(image))
            except OSError as error:  # pillow's own libraries may lack it, too
                packed = tifffile.COMPRESSION(series.keyframe.compression).name
                raise UserError(
                    f"{path}: cannot be unpacked ({error}). It is damaged, or its compression ({packed}) "
                    "needs one more package: pip install imagecodecs."
                ) from error
    array = np.stack(frames)
    if array.size != np.prod(series.shape) or array.dtype.itemsize != series.dtype.itemsize:
        raise UserError(f"{path}: its compression needs one more package: pip install imagecodecs.")
    return array.reshape(series.shape)
