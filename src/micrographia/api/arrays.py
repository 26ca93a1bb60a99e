"""Images that are in memory, as the folder of files that they are a data set by."""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd
import tifffile
from numpy.typing import ArrayLike, NDArray

from micrographia.errors import UserError

TABLE = "images.csv"
FOLDER = "arrays"  # below the cache


def data_of(images: ArrayLike, classes: Sequence[Any] | pd.DataFrame | None, cache: Path) -> dict[str, Any]:
    """Write an array as a folder of images, once, and return the settings of a data set that reads it.

    The folder bears the name of its content. A run is addressed by the files in it: the same array is the same run,
    wherever it comes from.

    Parameters
    ----------
    images
        ``(n, channels, height, width)``, or ``(n, height, width)`` of one channel, of numpy or torch: 8 or 16 bit, or
        real numbers. Real numbers that all lie in 0..1 are taken as they are, others as images of their type are.
    classes
        One per image; or a table with a row per image, whose column ``class`` holds them, and whatever else is known
        (wells, plates, doses), to be named by ``data.group``, ``contrast`` and the like. None: images without classes.
    cache
        Folder that it is written below.

    Returns
    -------
    dict
        Settings by key: ``data``, ``data.root`` and, where they are known, ``data.limits`` and ``data.label``.

    Raises
    ------
    UserError
        If the array is no array of images, or there are not as many classes.
    """
    array = as_images(images)
    table = table_of(classes, len(array))
    data: dict[str, Any] = {"data": "image_folder", "data.root": folder_of(array, table, cache)}
    if array.dtype.kind == "f" and is_unit(array):
        data["data.limits"] = [[0, 1]]
    if "class" not in table:
        data["data.label"] = None
    return data


def files_of(images: ArrayLike, cache: Path) -> Path:
    """Write an array as a folder of images, as `data_of` does, and return the folder; files follow the array's order.

    Raises
    ------
    UserError
        If the array is no array of images.
    """
    array = as_images(images)
    return folder_of(array, table_of(None, len(array)), cache)


def folder_of(array: NDArray, table: pd.DataFrame, cache: Path) -> Path:
    """The folder below the cache that bears the name of its content; written if it is not there."""
    folder = cache.expanduser() / FOLDER / name_of(array, table)
    if not folder.is_dir():
        write_folder(array, table, folder)
    return folder


def as_array(images: ArrayLike) -> NDArray:
    """An array of numpy of one that may be torch's, on whichever device."""
    return np.asarray(images.detach().cpu() if hasattr(images, "detach") else images)


def as_images(images: ArrayLike) -> NDArray:
    """An array of images as ``(n, channels, height, width)``, of 8 or 16 bit or of 32-bit real numbers.

    Raises
    ------
    UserError
        If it is none.
    """
    array = as_array(images)
    if array.ndim == 3:
        array = array[:, None]
    if array.ndim != 4 or not array.size:
        raise UserError(
            f"images: an array of shape {array.shape}. Give (n, channels, height, width), or (n, height, width) of one "
            "channel."
        )
    if array.shape[1] > min(array.shape[2:]):
        raise UserError(
            f"images: {array.shape[1]} channels of {array.shape[2]} x {array.shape[3]} px. Channels come before height "
            "and width: images.transpose(0, 3, 1, 2) puts them there."
        )
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if array.dtype.kind == "f":
        return array.astype(np.float32, copy=False)
    if array.dtype.kind not in "ui":
        raise UserError(f"images: values of type {array.dtype}. Give real numbers.")
    if array.dtype not in (np.uint8, np.uint16):
        if array.min() < 0 or array.max() > np.iinfo(np.uint16).max:
            raise UserError(
                f"images: integers from {array.min()} to {array.max()}. Give 0 to 65535, or real numbers: "
                "images.astype('float32')."
            )
        return array.astype(np.uint16)
    return array


def table_of(classes: Sequence[Any] | pd.DataFrame | None, count: int) -> pd.DataFrame:
    """A row per image: the name of its file, and what is known of it.

    Raises
    ------
    UserError
        If there are not as many rows as images.
    """
    names = [f"{number:06}.tif" for number in range(count)]
    if classes is None:
        return pd.DataFrame({"file": names})
    known = classes.reset_index(drop=True) if isinstance(classes, pd.DataFrame) else pd.DataFrame({"class": [*classes]})
    if len(known) != count:
        raise UserError(f"classes: {len(known)} of {count} images. Give one per image, in their order.")
    return pd.concat([pd.Series(names, name="file"), known.drop(columns="file", errors="ignore")], axis=1)


def name_of(array: NDArray, table: pd.DataFrame) -> str:
    """Sixteen hexadecimal digits of what is written."""
    content = hashlib.sha256(f"{array.shape} {array.dtype.str} {table.to_csv(index=False)}".encode())
    content.update(np.ascontiguousarray(array).data)
    return content.hexdigest()[:16]


def write_folder(array: NDArray, table: pd.DataFrame, folder: Path) -> None:
    """Write images and table whole or not at all; the files hold no time and no program, and so are alike.

    Raises
    ------
    UserError
        If the disk is full or the cache cannot be written.
    """
    part = folder.with_name(f".{folder.name}.{uuid4().hex}.part")
    try:
        part.mkdir(parents=True)
        for name, image in zip(table["file"], array, strict=True):
            tifffile.imwrite(part / name, image, **as_planes(image))
        if len(table.columns) > 1:
            table.to_csv(part / TABLE, index=False)
        if not folder.is_dir():  # another process may have been faster
            part.rename(folder)
    except OSError as error:
        if not folder.is_dir():
            raise UserError(
                f"{folder}: cannot be written ({error.strerror or error}). Set how.paths.cache to another folder."
            ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def as_planes(image: NDArray) -> Mapping[str, Any]:
    """Options of tifffile with which a file holds pixels and ImageJ's description of the channels, and no more."""
    return {"imagej": True, "photometric": "minisblack", "metadata": {"axes": "CYX"}, "software": False}


def is_unit(array: NDArray) -> bool:
    """Whether all values that are numbers lie in 0..1."""
    finite = array[np.isfinite(array)]
    return bool(finite.size) and finite.min() >= 0 and finite.max() <= 1
