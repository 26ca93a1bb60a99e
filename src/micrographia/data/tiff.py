"""TIFF and OME-TIFF files as channels-first arrays, with the names of their channels."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import tifffile
from PIL import Image, ImageSequence

from micrographia.data.planes import (
    COLOURS,
    ImageHeader,
    channels_first,
    native,
    plane_axes,
    require_few_pixels,
)
from micrographia.errors import UserError


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
        size = dict(zip(axes, series.shape, strict=True))
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
        image = channels_first(decoded(file, path), axes)[: 1 if palette else kept]
        if palette:
            return header, (np.asarray(page.colormap) >> 8).astype(np.uint8)[:, image[0]]
        if dtype.kind == "b":
            image = image.astype(np.uint8) * 255
        if photometric == tifffile.PHOTOMETRIC.MINISWHITE and stored.kind == "u":
            image = np.iinfo(stored).max - image
        return header, image.astype(stored, copy=False)


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
