"""A user's image files as the items that a finished run's model takes, by what the run keeps of its own images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from micrographia.data.channels import ChannelMapping, map_channels
from micrographia.data.decoding import Recipe
from micrographia.data.intensity import Limits, pairs_of
from micrographia.data.planes import COLOURS, ImageHeader
from micrographia.data.reading import read_image
from micrographia.data.restoring import restored
from micrographia.errors import UserError

SHRUNK = "larger than the square that the run pads to: shrunk"
CONSTANT = "constant"
DIM = "hardly any of the run's scale"
LEAST = 1 / 30  # of the scale, which the brightest pixel of a deep image should reach
DEPTHS = {"uint8": "8 bit", "float16": "more than 8 bit"}


@dataclass(frozen=True)
class Prepared:
    """One file as a model takes it.

    Attributes
    ----------
    item : array
        ``(model channels, size, size)``: uint8, or float16 in 0..1.
    flag : str
        Why not to trust what is said of it; empty where nothing is known against it.
    """

    item: np.ndarray
    flag: str


class Preparation:
    """From one file to one item: the channels, limits, side and size of the images that a run has learned from.

    Nothing is fitted: an item depends on its file alone, whatever lies beside it.

    Parameters
    ----------
    settings
        The run's data node.
    record
        What the run keeps of its images: `IndexedImages.record`. That of rendered images, or of cells cut out of
        plates, says nothing of files: these are padded to a square of their own and resized; values are by the range
        of 8 bit, or floating point in 0..1; of others by the limits of rendered counts, else ``limits`` are needed.
    channels, size
        Channels and side of an item.
    chosen
        Names or numbers of the files' channels to take, in the run's order; None takes those of the run.
    limits
        Values that become 0 and 1, in the files' units, in place of the run's.
    side
        Side in pixels that files must have; None takes any.
    nan
        Whether pixels may be NaN.
    grey
        Whether a grey image may stand for a coloured one.

    Raises
    ------
    UserError
        If the run does not keep what is needed, or ``limits`` or ``chosen`` do not fit.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        record: Mapping[str, Any],
        channels: int,
        size: int,
        chosen: Sequence[int | str] | None = None,
        limits: Sequence[Sequence[float]] | None = None,
        side: int | None = None,
        nan: bool = False,
        grey: bool = True,
    ):
        self.kept = "rule" in record
        if not self.kept and "root" in settings:
            raise UserError(
                "run: it was made by an earlier version, which did not keep how its images were prepared. Make it "
                "anew: its command with how.rerun=true."
            )
        self.record = record
        self.side = side
        self.grey = grey
        self.chosen = chosen
        self.limits = None if limits is None else within_limits(limits, channels)
        if self.limits is None and (plates := limits_of_plates(record)):
            plate, own = next(iter(plates.items()))
            raise UserError(
                "limits: the run's plates were scaled each by itself, and nobody knows the scale of these images. Set "
                f"the values that become 0 and 1, limits=[[LOW,HIGH],...]; those of its plate {plate} are "
                f"{[[float(f'{value:.4g}') for value in pair] for pair in own]}."
            )
        own_settings = settings if self.kept else {}
        self.recipe = Recipe(
            size=size,
            channels=chosen_channels(chosen, own_settings),
            model_channels=channels,
            intensity=own_settings.get("intensity", "auto"),
            percentiles=tuple(own_settings.get("percentiles", (0.1, 99.9))),
            invert=own_settings.get("invert", False),
            fit=own_settings.get("fit", "pad"),
            pad_quantile=own_settings.get("pad_quantile", 1.0),
            background=own_settings.get("background", "border"),
            nan=nan,
            deviations=own_settings.get("deviations", 3.0),
        ).repeating(record)

    def __call__(self, path: Path) -> Prepared:
        """Read a file and prepare it.

        Raises
        ------
        UserError
            If it cannot be read, or is no such image as the run has learned from.
        """
        header, image = read_image(path, self.recipe.nan)
        if self.side is not None and header.shape[1:] != (self.side, self.side):
            height, width = header.shape[1:]
            raise UserError(
                f"{path}: is {width} x {height} px; the run's degradation makes images of {self.side} x {self.side} "
                "px. Cut it to them."
            )
        mapping = self.mapping(header, path)
        fitted = self.fitted(header, image, path)
        conversion = self.recipe.repeated(fitted, {header.names: mapping}, header.dtype)
        item = conversion.item(path, header, image)
        seen = item[[channel for channel in range(len(item)) if channel not in mapping.blank]]
        shrunk = self.kept and self.side is None and fitted["side"] and max(header.shape[1:]) > fitted["side"]
        dim = (
            not self.recipe.invert and fitted["limits"] and seen.max() < LEAST * (255 if item.dtype == np.uint8 else 1)
        )
        return Prepared(item, CONSTANT if seen.min() == seen.max() else DIM if dim else SHRUNK if shrunk else "")

    def restored(self, item: np.ndarray, path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
        """An item of any size in the type, range and channels of a file, and the names of these channels."""
        header, image = read_image(path, self.recipe.nan)
        fitted = self.fitted(header, image, path)
        return restored(item, path, self.recipe, fitted["rule"], tuple((low, high) for low, high in fitted["limits"]))

    def describe(self) -> dict[str, Any]:
        """The preparation in words, for records."""
        learned = {key: self.record[key] for key in ("channels", "intensity", "size", "limits") if key in self.record}
        given = {} if self.limits is None else {"limits": [list(pair) for pair in self.limits]}
        return learned | given | ({} if self.chosen is None else {"chosen": list(self.chosen)})

    def fitted(self, header: ImageHeader, image: np.ndarray, path: Path) -> dict[str, Any]:
        """What `Recipe.repeated` takes as fitted, for one file.

        Raises
        ------
        UserError
            If nobody knows the scale of the file's values.
        """
        depth = str(np.dtype(np.uint8 if header.dtype == np.uint8 else np.float16))
        side = self.side or (self.record["side"] if self.kept else max(header.shape[1:]))
        if self.limits is not None:
            return {"dtype": depth, "rule": "limits", "limits": self.limits, "side": side}
        if self.kept and depth != self.record["dtype"]:
            raise UserError(
                f"{path}: has {DEPTHS[depth]}, the run learned from images of {DEPTHS[self.record['dtype']]}. Save it "
                "as these were, or set the values that become 0 and 1: limits=[[LOW,HIGH]]."
            )
        fitted = {key: self.record[key] for key in ("dtype", "rule", "limits")} if self.kept else {}
        fitted = {"dtype": depth, "rule": "dtype", "limits": [], **fitted, "side": side}
        deep = header.dtype != np.uint8 and (header.dtype.kind in "ui" or np.nanmax(image, initial=0) > 1)
        if not self.kept and deep and isinstance(self.record.get("limits"), list):  # rendered in counts of a camera
            return fitted | {"rule": "limits", "limits": self.record["limits"]}
        if not self.kept and header.dtype.kind in "ui" and deep:
            raise UserError(
                f"{path}: its pixels are {header.dtype}, and the run, which learned from no such files, keeps no scale "
                "of them. Set the values that become 0 and 1: limits=[[LOW,HIGH]]."
            )
        if fitted["rule"] == "dtype" and header.dtype.kind == "f" and ((image < 0) | (image > 1)).any():
            raise UserError(
                f"{path}: holds values from {np.nanmin(image):g} to {np.nanmax(image):g}, beyond 0..1. Set the values "
                "that become 0 and 1: limits=[[LOW,HIGH]]."
            )
        return fitted

    def mapping(self, header: ImageHeader, path: Path) -> ChannelMapping:
        """The channels of a file that fill the model's.

        Raises
        ------
        UserError
            If these are not those that the run has learned from, or nobody knows in which order.
        """
        try:
            mapping = map_channels(header.names, self.recipe.channels, self.recipe.model_channels)
        except UserError as error:
            raise UserError(f"{path}: {str(error).replace('data.channels', 'channels')}") from error
        if self.kept and mapping.describe() in self.record["channels"].split("; "):
            return mapping
        has = f"{path}: has the channels {', '.join(header.names)}"
        learned = f"the run's images have {self.recipe.model_channels}"
        if self.kept:
            learned = f"the run learned from {self.record['channels']}"
        if not self.alike(mapping):
            raise UserError(f"{has}; {learned}. Give images of such channels, or choose them: channels=[0,1].")
        if self.chosen is None and self.kept and not mapping.repeats and self.renamed(mapping):
            raise UserError(
                f"{has}; {learned}. Name them in that order, as channels=[{','.join(header.names)}], or by number."
            )
        return mapping

    def alike(self, mapping: ChannelMapping) -> bool:
        """Whether as many channels are filled as in the images that the run has learned from; grey may be a colour."""
        coloured = self.recipe.model_channels == len(COLOURS)
        if not self.kept:
            return not mapping.blank and (not mapping.repeats or (self.grey and coloured))
        if mapping.blank != tuple(self.record.get("blank", ())):
            return False
        if mapping.repeats == bool(self.record.get("repeats")):
            return True
        if not mapping.repeats:  # a coloured file of what was learned from in grey
            return mapping.names == COLOURS
        return self.grey and coloured and ", ".join(COLOURS) in self.record["channels"].split("; ")

    def renamed(self, mapping: ChannelMapping) -> bool:
        """Whether channels have names, and so had those that the run has learned from, which were others."""
        own, *others = (text.split(", ") for text in (mapping.describe(), *self.record["channels"].split("; ")))
        return are_named(own) and all(map(are_named, others))


def limits_of_plates(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """Limits of each plate, of images that were scaled plate by plate."""
    limits = record.get("limits")
    return limits if isinstance(limits, Mapping) else record.get("limits_of_plates", {})


def are_named(names: Sequence[str]) -> bool:
    """Whether channels have names, rather than numbers.

    Examples
    --------
    >>> are_named(["DAPI", "zero"]), are_named(["0", "1"])
    (True, False)
    """
    return any(not name.isdecimal() for name in names if name != "zero")


def chosen_channels(chosen: Sequence[int | str] | None, settings: Mapping[str, Any]) -> tuple[int | str, ...] | None:
    """Channels to take: those that were chosen now, else with the run."""
    given = settings.get("channels") if chosen is None else chosen
    if given is None:
        return None
    return (given,) if isinstance(given, str) else tuple(given)


def within_limits(limits: Sequence[Sequence[float]], channels: int) -> Limits:
    """Limits as pairs of each channel; a mistake is of the key ``limits``."""
    try:
        return pairs_of(limits, channels)
    except UserError as error:
        raise UserError(str(error).removeprefix("data.")) from error
