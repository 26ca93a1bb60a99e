"""From the model's items back to images: the channels, type and range of the files that the items were read from."""

from pathlib import Path

import numpy as np
import tifffile

from micrographia.data.channels import map_channels
from micrographia.data.decoding import Recipe
from micrographia.data.intensity import Intensity, Limits
from micrographia.data.reading import read_image
from micrographia.runs.writing import write_atomically


def restored(
    item: np.ndarray, file: Path, recipe: Recipe, rule: str, limits: Limits
) -> tuple[np.ndarray, tuple[str, ...]]:
    """An item in the units of a file, and the names of its channels.

    Parameters
    ----------
    item
        ``(model channels, S, S)`` in 0..1; values beyond are clipped. Its size need not be the file's.
    file
        The file that the item belongs to.
    recipe, rule, limits
        How items are made of files: settings, the rule that was used, and its limits by model channel.

    Returns
    -------
    array
        ``(channels, S, S)`` of the file's type: of the file's channels those that the model saw, each once.
    names
        Of these channels.
    """
    header, image = read_image(file, recipe.nan)
    mapping = map_channels(header.names, recipe.channels, recipe.model_channels)
    values = np.clip(np.asarray(item, dtype=np.float64), 0, 1)
    if recipe.invert:
        values = 1 - values
    if rule == "image":
        limits = Intensity("image", recipe.percentiles).limits_of(mapping(image))
    dtype = image.dtype
    top = float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0
    first = {source: place for place, source in reversed(list(enumerate(mapping.sources))) if source is not None}
    planes = []
    for source in sorted(first):
        low, high = limits[first[source]] if rule != "dtype" else (0.0, top)
        planes.append(low + values[first[source]] * (high - low))
    counts = np.stack(planes)
    if dtype.kind in "ui":
        counts = np.rint(np.clip(counts, np.iinfo(dtype).min, np.iinfo(dtype).max))
    return counts.astype(dtype), tuple(header.names[source] for source in sorted(first))


def write_ome_tiff(path: Path, image: np.ndarray, names: tuple[str, ...], key: str = "how.paths.runs") -> None:
    """Write an image ``(channels, height, width)`` as OME-TIFF, whole or not at all; ``key`` is for messages."""
    write_atomically(
        path,
        lambda part: tifffile.imwrite(
            part, image, ome=True, photometric="minisblack", metadata={"axes": "CYX", "Channel": {"Name": list(names)}}
        ),
        key,
    )
