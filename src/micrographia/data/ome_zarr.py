"""Zarr and OME-Zarr images as channels-first arrays, with the names of their channels."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from micrographia.data.planes import ImageHeader, channels_first, native, plane_axes, require_few_pixels
from micrographia.errors import UserError

if TYPE_CHECKING:
    import zarr

SUFFIX = ".zarr"
BEFORE_AXES = "TCZYX"  # of OME-Zarr 0.1 and 0.2, which did not name them


def in_zarr(path: Path) -> bool:
    """Whether a path is a Zarr folder, or one without a suffix in it (a field of a plate).

    Examples
    --------
    >>> in_zarr(Path("a/cell.ome.zarr")), in_zarr(Path("plate.zarr/A/1/0")), in_zarr(Path("a/cell.tif"))
    (True, True, False)
    """
    inside = any(part.lower().endswith(SUFFIX) for part in path.parts[:-1])
    return path.suffix.lower() == SUFFIX or (inside and not path.suffix)


def read_zarr(path: Path, pixels: bool) -> tuple[ImageHeader, np.ndarray | None]:
    """Read an array, or the full resolution of an OME-Zarr image (0.1 to 0.5).

    A chunk that is not there is one of the fill value, as the format has it: it cannot be told from a lost one.

    References
    ----------
    Moore et al., OME-Zarr: a cloud-optimized bioimaging file format, 2023.
    """
    try:
        import zarr
    except ModuleNotFoundError as error:
        raise UserError(f"{path}: reading Zarr needs one more package: pip install 'micrographia[zarr]'.") from error
    try:
        node = zarr.open(str(path), mode="r")
    except FileNotFoundError as error:
        raise UserError(f"{path}: holds no Zarr array and no OME-Zarr image.") from error
    array, axes, labels = (
        (node, unnamed_axes(node.shape), []) if isinstance(node, zarr.Array) else full_resolution(node, path)
    )
    if len(axes) != array.ndim:
        raise UserError(
            f"{path}: names {len(axes)} axes ({axes}), its array has {array.ndim}. Convert the image again."
        )
    named = plane_axes(axes, array.shape, path)
    size = dict(zip(named, array.shape, strict=True))
    require_few_pixels(size, path)
    dtype = native(array.dtype, path)
    count = size.get("C", 1)
    names = tuple(labels) if len(labels) == count == len(set(labels)) else tuple(map(str, range(count)))
    if count == 1 and not labels:
        names = ("grey",)
    stored = np.dtype(np.uint8) if dtype.kind == "b" else dtype
    header = ImageHeader((count, size["Y"], size["X"]), stored, names)
    if not pixels:
        return header, None
    image = channels_first(np.asarray(array[...]), named)
    if dtype.kind == "b":
        image = image.astype(np.uint8) * 255
    return header, image.astype(stored, copy=False)


def unnamed_axes(shape: Sequence[int]) -> str:
    """Axes of an array that does not name them: of two that are longer than 1 height and width, else by the rule.

    Examples
    --------
    >>> unnamed_axes((48, 60)), unnamed_axes((1, 48, 60)), unnamed_axes((3, 48, 60))
    ('YX', 'QYX', 'QQQ')
    """
    long = [place for place, length in enumerate(shape) if length > 1]
    if len(long) != 2:
        return "Q" * len(shape)
    return "".join({long[0]: "Y", long[1]: "X"}.get(place, "Q") for place in range(len(shape)))


def full_resolution(group: "zarr.Group", path: Path) -> tuple["zarr.Array", str, list[str]]:
    """Array of an OME-Zarr image at its full resolution, its axes, and the labels of its channels.

    Raises
    ------
    UserError
        If the group is a plate, holds several images, or is none.
    """
    import zarr

    attributes: Mapping[str, Any] = dict(group.attrs)
    described: Mapping[str, Any] = attributes.get("ome", attributes)  # from 0.5 on in a place of its own
    if "plate" in described:
        wells = [well["path"] for well in described["plate"].get("wells", [])]
        example = f"{path.name}/{wells[0] if wells else 'A/1'}/0"
        raise UserError(f"{path}: is a plate. Name its fields in a table (data.table), as {example}.")
    if not described.get("multiscales"):
        series = sorted(name for name in group.group_keys() if name.isdecimal())
        if len(series) == 1 and isinstance(only := group[series[0]], zarr.Group):  # as converters write one image
            return full_resolution(only, path)
        what = f"holds {len(series)} images: name one, {path.name}/{series[0]}" if series else "holds no OME-Zarr image"
        raise UserError(f"{path}: {what}.")
    image = described["multiscales"][0]
    array = group[image["datasets"][0]["path"]]
    if not isinstance(array, zarr.Array):
        raise UserError(f"{path}: its full resolution is no array. Convert the image again.")
    listed = image.get("axes", BEFORE_AXES)
    axes = "".join(str(axis["name"] if isinstance(axis, Mapping) else axis).upper()[0] for axis in listed)
    channels = described.get("omero", {}).get("channels", [])
    return array, axes, [str(channel["label"]) for channel in channels if channel.get("label")]
