"""From image files to the model's items: which channels, what scale, what size."""

import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np

from micrographia.data.channels import ChannelMapping, map_channels
from micrographia.data.intensity import Intensity, Limits, Rule, percentile_limits, zscore_limits
from micrographia.data.planes import ImageHeader
from micrographia.data.reading import read_header, read_image
from micrographia.data.sizes import Background, Squares, common_side
from micrographia.errors import UserError

log = logging.getLogger(__name__)

# Raise it when the same files and settings would give other pixels, or another record of them, than before.
VERSION = 5
FITTED = ("percentile", "zscore")  # rules whose limits come from images
# Of a record, what is used again: what was fitted, and the settings that go with it, which older records lack.
FITTED_KEYS = ("dtype", "rule", "limits", "limits_of_plates", "side")
SETTING_KEYS = ("percentiles", "deviations", "invert", "background", "chosen", "fitted_to")
THREADS = min(8, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
# Images in flight at once: bounds the memory of results that wait for their turn.
CHUNK = 512

Mappings = Mapping[tuple[str, ...], ChannelMapping]
Progress = Callable[[int, int], None]
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Conversion:
    """One file to one item, with everything fitted.

    Attributes
    ----------
    mappings : dict of names of a file's channels to ChannelMapping
        Files with other channels have another mapping.
    intensities : dict of plates to Intensity
        How values are scaled; a single one, of the plate "", where all images are scaled alike.
    invert, squares
        The steps that follow, in this order.
    dtype : numpy dtype
        uint8 (0..255) of 8-bit files, float16 (0..1) of deeper ones.
    shrunk : int
        Images that are larger than the square they are padded to, and lose their scale.
    nan : bool
        Whether pixels may be NaN.
    plates : dict of files to plates
        Of images that are scaled plate by plate.
    fitted_to : str
        What the limits were fitted to, in words.
    chosen : tuple of int or str, or None
        Channels that were chosen, from which the mappings follow; None took all.
    """

    mappings: Mappings
    intensities: Mapping[str, Intensity]
    invert: bool
    squares: Squares
    dtype: np.dtype
    shrunk: int = 0
    nan: bool = False
    plates: Mapping[Path, str] = field(default_factory=dict)
    fitted_to: str = "the training part"
    chosen: tuple[int | str, ...] | None = None

    def __call__(self, path: Path) -> np.ndarray:
        """Item ``(model channels, size, size)`` of a file."""
        return self.item(path, *read_image(path, self.nan))

    def item(self, path: Path, header: ImageHeader, image: np.ndarray) -> np.ndarray:
        """Item of what was read from a file."""
        intensity = self.intensities[self.plates.get(path, "")]
        if intensity.rule == "dtype" and image.dtype.kind == "f" and ((image < 0) | (image > 1)).any():
            raise UserError(
                f"{path}: holds values from {np.nanmin(image):g} to {np.nanmax(image):g}, beyond 0..1. "
                "Set data.intensity=percentile."
            )
        mapping = self.mappings[header.names]
        image = intensity(mapping(image))
        if self.invert:
            image = (255 if image.dtype == np.uint8 else 1) - image
            image[list(mapping.blank)] = 0
        return self.squares(image).astype(self.dtype, copy=False)

    def record(self) -> dict[str, Any]:
        """What was fitted, in words and JSON's types; with `Recipe.fitted` it makes the same conversion again."""
        larger = f" ({self.shrunk} larger ones shrunk to it)" if self.shrunk else ""
        one = next(iter(self.intensities.values()))
        limits = {plate: [list(pair) for pair in of.limits] for plate, of in self.intensities.items()}
        padded = self.squares.side and f"padded ({self.squares.background}) to {self.squares.side} px{larger}, then "
        return {
            "channels": "; ".join(sorted({mapping.describe() for mapping in self.mappings.values()})),
            "blank": sorted(set.intersection(*(set(mapping.blank) for mapping in self.mappings.values()))),
            "repeats": any(mapping.repeats for mapping in self.mappings.values()),
            "intensity": (one.describe(self.fitted_to) if "" in limits else one.fit(self.fitted_to))
            + (", inverted" if self.invert else ""),
            "size": f"{padded or ''}resized to {self.squares.size} px",
            "side": self.squares.side,
            "rule": one.rule,
            "limits": limits.get("", []),
            **({} if "" in limits else {"limits_of_plates": limits}),
            "dtype": str(self.dtype),
            "percentiles": list(one.percentiles),
            "deviations": one.deviations,
            "invert": self.invert,
            "background": self.squares.background,
            "chosen": None if self.chosen is None else list(self.chosen),
            "fitted_to": self.fitted_to,
        }


@dataclass(frozen=True)
class Recipe:
    """The settings of a `Conversion`, named as in the config."""

    size: int
    channels: tuple[int | str, ...] | None
    model_channels: int
    intensity: Literal["auto", "dtype", "percentile", "zscore", "image"]
    percentiles: tuple[float, float]
    invert: bool
    fit: Literal["pad", "resize"]
    pad_quantile: float
    background: Background
    limits: Limits | None = None
    nan: bool = False
    deviations: float = 3.0
    fitted: Mapping[str, Any] | None = None  # what `Conversion.record` says of another set, used again as it is

    def repeating(self, record: Mapping[str, Any]) -> "Recipe":
        """These settings with those that a record has in their place; channels that are chosen here stay chosen.

        Channels of other images may have other names or places, which only who has these images knows.
        """
        settings = {key: record[key] for key in ("deviations", "invert", "background") if key in record}
        if "percentiles" in record:
            settings["percentiles"] = tuple(record["percentiles"])
        if self.channels is None and record.get("chosen") is not None:
            settings["channels"] = tuple(record["chosen"])
        fitted = {key: record[key] for key in (*FITTED_KEYS, *SETTING_KEYS) if key in record}
        return replace(self, **settings, fitted=fitted)

    def content(self) -> dict[str, Any]:
        """Settings in JSON's types, for the address of a cache entry."""
        return {"version": VERSION, **asdict(self)}

    def rule(self, dtype: np.dtype) -> Rule:
        """How intensities of files of a type are scaled."""
        if self.limits is not None:
            return "limits"
        if self.intensity == "auto":
            return "dtype" if dtype == np.uint8 else "percentile"
        return self.intensity

    def side(self, headers: Sequence[ImageHeader]) -> int | None:
        """Side of the square that images are padded to, by the training part's headers; None where they are not."""
        return common_side([header.shape for header in headers], self.pad_quantile) if self.fit == "pad" else None

    def prepare(
        self,
        paths: Sequence[Path],
        train: np.ndarray,
        sources: Mapping[str, Sequence[Path]] | None = None,
        plates: Mapping[Path, str] | None = None,
        fitted_to: str = "the training part",
    ) -> Conversion:
        """Fit the conversion to files.

        Sides come from the training part, limits from the files that ``sources`` names; channels and the type from all
        headers, since a file that does not match is an error.

        Parameters
        ----------
        paths
            All files.
        train
            Which of them are the training part, bool.
        sources
            Files that limits are fitted to, of each plate that is scaled apart; None is the training part, for all.
        plates
            Plate of each file, one of ``sources``; a file without one is of the plate "".
        fitted_to
            What ``sources`` are, in words, for the record.

        Raises
        ------
        UserError
            If a file cannot be read, types are mixed, or channels must be chosen.
        """
        headers = list(in_threads(read_header, paths))
        if alpha := sum(header.alpha for header in headers):
            log.info("%d of %d images have an alpha channel (transparency), which is dropped", alpha, len(headers))
        dtype = one_dtype(headers, paths)
        mappings = one_mapping_each(headers, paths, self.channels, self.model_channels)
        if self.fitted is not None:
            return self.repeated(self.fitted, mappings, dtype)
        rule = self.rule(dtype)
        if sources and rule not in FITTED:
            raise UserError(
                f"data.intensity: by {rule}, as of 8 bit, there are no limits to fit for data.plate or data.control. "
                "Set it to percentile or zscore."
            )
        side = self.side([header for header, fitted in zip(headers, train, strict=True) if fitted])
        intensity = Intensity(rule, self.percentiles, self.limits or (), self.deviations)
        intensities = {"": intensity}
        if rule in FITTED:
            sources = sources or {"": [path for path, chosen in zip(paths, train, strict=True) if chosen]}
            intensities = {
                plate: replace(intensity, limits=self.limits_of(files, rule, mappings))
                for plate, files in sources.items()
            }
        return Conversion(
            mappings,
            intensities,
            self.invert,
            Squares(self.size, side, self.background),
            np.dtype(np.uint8 if dtype == np.uint8 else np.float16),
            sum(side is not None and max(header.shape[-2:]) > side for header in headers),
            self.nan,
            plates or {},
            fitted_to,
            self.channels,
        )

    def repeated(self, fitted: Mapping[str, Any], mappings: Mappings, dtype: np.dtype) -> Conversion:
        """The conversion of other files by what was fitted before.

        Raises
        ------
        UserError
            If these are of another depth, or plates were scaled each by itself: of a new one nothing is known.
        """
        kept = np.dtype(np.uint8 if dtype == np.uint8 else np.float16)
        if str(kept) != fitted["dtype"]:
            depths = {"uint8": "8 bit", "float16": "more than 8 bit"}
            raise UserError(f"data.root: images of {depths[str(kept)]}, learned from were {depths[fitted['dtype']]}.")
        if "limits_of_plates" in fitted:
            raise UserError(
                "data.plate: learned from were plates that were scaled each by itself. Name these images' own."
            )
        limits = tuple((float(low), float(high)) for low, high in fitted["limits"])
        intensity = Intensity(fitted["rule"], self.percentiles, limits, self.deviations)
        return Conversion(
            mappings,
            {"": intensity},
            self.invert,
            Squares(self.size, fitted["side"], self.background),
            kept,
            nan=self.nan,
            fitted_to=fitted.get("fitted_to", "the training part"),
            chosen=self.channels,
        )

    def limits_of(self, files: Sequence[Path], rule: Rule, mappings: Mappings) -> Limits:
        """Limits of the model's channels by the pixels of files."""

        def mapped(path: Path) -> np.ndarray:
            header, image = read_image(path, self.nan)
            return mappings[header.names](image)

        images = in_threads(mapped, files)
        if rule == "zscore":
            return zscore_limits(images, len(files), self.deviations)
        return percentile_limits(images, len(files), self.percentiles)


def one_dtype(headers: Sequence[ImageHeader], paths: Sequence[Path]) -> np.dtype:
    """The files' common pixel type.

    Raises
    ------
    UserError
        If there are several: their values could not be compared.
    """
    examples = {header.dtype: path for header, path in zip(headers, paths, strict=True)}
    if len(examples) > 1:
        (one, first), (other, second) = list(examples.items())[:2]
        raise UserError(f"{second}: its pixels are {other}, those of {first} are {one}. Save all images with one type.")
    return next(iter(examples))


def one_mapping_each(
    headers: Sequence[ImageHeader],
    paths: Sequence[Path],
    channels: Sequence[int | str] | None,
    model_channels: int,
) -> dict[tuple[str, ...], ChannelMapping]:
    """Channel mapping of each set of channel names that occurs.

    Raises
    ------
    UserError
        If files differ in their channels, grey beside RGB excepted, or channels must be chosen.
    """
    examples: dict[tuple[str, ...], Path] = {}
    for header, path in zip(headers, paths, strict=True):
        examples.setdefault(header.names, path)
    numbers = sorted({len(names) for names in examples})
    if len(numbers) > 1 and numbers != [1, 3]:
        first, second = (next(path for names, path in examples.items() if len(names) == n) for n in numbers[:2])
        raise UserError(f"{second}: has {numbers[1]} channels, {first} has {numbers[0]}. Give all images the same.")
    several = [names for names in examples if len(names) == numbers[-1]]
    if channels is None and len(several) > 1:
        known, other = several[:2]
        raise UserError(
            f"{examples[other]}: its channels are {', '.join(other)}, those of {examples[known]} {', '.join(known)}. "
            f"Choose them by name, as data.channels=[{','.join(known)}], or by number where only the names differ."
        )
    return {names: map_channels(names, channels, model_channels) for names in examples}


def read_images(
    conversion: Conversion, paths: Sequence[Path], progress: Progress | None = None
) -> Iterator[np.ndarray]:
    """Items of all files in order, read in threads; ``progress`` hears of every hundredth part and of the last."""
    every = max(1, len(paths) // 100)
    for number, image in enumerate(in_threads(conversion, paths), start=1):
        yield image
        if progress is not None and (number % every == 0 or number == len(paths)):
            progress(number, len(paths))


def in_threads(work: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[Result]:
    """Results of ``work`` in order; decoders and resizing release the interpreter, so threads do."""
    with ThreadPoolExecutor(THREADS) as pool:
        for start in range(0, len(items), CHUNK):
            yield from pool.map(work, items[start : start + CHUNK])
