"""A folder of microscopy images: class folders or a table, split by class and group, decoded once."""

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import torch

from micrographia.config import Between
from micrographia.data.arranged import ArrangedImages, Controls, OnError, as_texts
from micrographia.data.datamodule import PARTS, Sampling
from micrographia.data.decoding import FITTED, Recipe, in_threads, read_images
from micrographia.data.faults import find_faults
from micrographia.data.intensity import pairs_of, rising
from micrographia.data.listing import chosen_classes, list_images
from micrographia.data.pixel_cache import PixelCache, file_state
from micrographia.data.planes import ImageHeader
from micrographia.data.reading import read_header
from micrographia.data.reference import Reference
from micrographia.data.restoring import restored
from micrographia.data.splits import some
from micrographia.data.splitting import Splitting, as_list, class_codes
from micrographia.errors import UserError

log = logging.getLogger(__name__)


class ImageFolder(ArrangedImages):
    """Images of a folder, with classes, groups and parts.

    Nothing is read before `setup`, which each method calls where it must. Everything that is fitted (the side to pad
    to, the percentiles) comes from the training part, but for the limits of plates that are scaled each by itself.

    Parameters
    ----------
    name
        Label in run folders and tables.
    root
        Folder of the images.
    size
        Side in pixels of the square images given to the model.
    table, file, label
        CSV of the images, its column of file names relative to ``root``, its column of classes. Without ``table``,
        class folders are used where there are any, else the folder's only CSV. Loose images have no classes; with
        ``label`` None no image has one.
    include
        Classes to use; None uses all.
    split
        "stratified" draws the test part; "folders" takes it from folders ``train...``, ``test...`` above the class
        folders; "none" leaves all images in train; else a column that says train, val or test, or, with ``test``, any
        column.
    test
        Values of the ``split`` column that make the test part.
    test_fraction, val_fraction
        Share of all images drawn for test; share of the rest drawn for validation, where they are not given.
    group
        Columns that together name what must not be on two sides (plate, smear, cell).
    split_seed
        Seed of the drawn parts, apart from the run's.
    channels, model_channels
        Names or numbers of the channels to take, and how many the model takes: see `map_channels`.
    intensity, percentiles, deviations
        How values become 0..1: see `Intensity`. "auto" is "dtype" for 8 bit and "percentile", with limits from the
        training part, for deeper images.
    plate, control
        Columns that together name what is scaled by limits of its own (plate, slide, day), and the class whose images
        these come from, whatever their part; None: all images of a plate. A plate's controls are at hand when its other
        wells are to be judged. ``control`` without ``plate``: limits from that class of the training part.
    limits
        Instead of these: the values that become 0 and 1, in the files' units, one pair for each of the model's channels
        or one for all.
    invert
        Make dark on bright into bright on dark.
    fit, pad_quantile, background
        "pad" to one square (side: this quantile of the training images' longer sides) and resize, or "resize" only:
        see `Squares`.
    nan
        Let pixels be NaN or infinite, as NaN, for who looks at them; else a file with such is refused.
    sampling
        How training images are drawn: "uniform", each once in an epoch, or "balanced", each class as often as others.
    on_error
        "stop" at a file that is missing or cannot be read, or "skip" it, with those whose type or channels are not of
        most, and say how many.
    controls
        Controls of an assay, which a measurement is to tell apart; classes are in the column ``class``.
    fitted
        What `record` of another set says (and the run of a model that learned from it keeps): limits, side, invert and
        all else but the size are used again as they are, whatever is said here, and nothing is fitted. Channels may be
        chosen here, where these images have others.
    cache
        Folder of decoded images; None decodes them in every process.
    progress
        Called with (images read, of how many).
    """

    def __init__(
        self,
        name: str,
        root: str,
        size: int | None = None,
        table: str | None = None,
        file: str = "file",
        label: str | None = "class",
        include: list[str] | None = None,
        split: str = "stratified",
        test: list[str] | None = None,
        test_fraction: float = 0.2,
        val_fraction: float = 0.2,
        group: list[str] | None = None,
        split_seed: int = 42,
        channels: list[int | str] | None = None,
        model_channels: int = 3,
        intensity: Literal["auto", "dtype", "percentile", "zscore", "image"] = "auto",
        percentiles: Sequence[float] = (0.1, 99.9),
        deviations: Annotated[float, Between(0.1)] = 3.0,
        plate: list[str] | None = None,
        control: str | None = None,
        limits: list[list[float]] | None = None,
        invert: bool = False,
        fit: Literal["pad", "resize"] = "pad",
        pad_quantile: float = 1.0,
        background: Literal["zero", "border"] = "border",
        nan: bool = False,
        sampling: Sampling = "uniform",
        on_error: OnError = "stop",
        controls: Controls | None = None,
        fitted: Mapping[str, Any] | None = None,
        cache: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ):
        super().__init__()
        if size is None:
            raise UserError("data.size: no value given. Set the side of the images in pixels: data.size=64.")
        if size < 1:
            raise UserError(f"data.size={size}: expected a side in pixels, as data.size=64.")
        if not 0 < pad_quantile <= 1:
            raise UserError(f"data.pad_quantile={pad_quantile}: expected a number above 0, at most 1.")
        self.name = name
        self.root = Path(root)
        self.shape = (model_channels, size, size)
        self.table_options = (table, file, label)
        self.include = as_list(include)
        self.splitting = Splitting(split, as_list(test), test_fraction, val_fraction, as_list(group) or (), split_seed)
        self.sampling = sampling
        self.on_error = on_error
        self.reference = Reference(as_list(plate) or (), control)
        self.recipe = Recipe(
            size=size,
            channels=None if channels is None else tuple([channels] if isinstance(channels, str) else channels),
            model_channels=model_channels,
            intensity=intensity,
            percentiles=rising(percentiles),
            invert=invert,
            fit=fit,
            pad_quantile=pad_quantile,
            background=background,
            limits=None if limits is None else pairs_of(limits, model_channels),
            nan=nan,
            deviations=deviations,
        )
        if fitted is not None:
            self.recipe = self.recipe.repeating(fitted)
        self.controls = as_texts(controls)
        self.cache = None if cache is None else Path(cache)
        self.progress = progress
        self.rows: pd.DataFrame | None = None
        self.pixels: torch.Tensor | None = None
        self.decoding: dict[str, Any] = {}
        self.faults: dict[str, str] = {}

    def setup(self, stage: str | None = None) -> None:
        """Read the table and split it, then decode the images; later calls do nothing.

        Raises
        ------
        UserError
            If the folder, table, split or an image is faulty; the file or key is named.
        """
        self.arrange()
        if self.pixels is None:
            self.pixels = torch.from_numpy(self.decode_usable())

    # The interface of IndexedImages

    def images(self, indices: torch.Tensor) -> torch.Tensor:
        """Items ``(n, channels, size, size)``: uint8 of 8-bit images, else float16 in 0..1."""
        if self.pixels is None:
            self.setup()
        assert self.pixels is not None
        return self.pixels.index_select(0, indices)

    # For the run's record

    def record(self) -> dict[str, Any]:
        """What was found and fitted, in JSON's types: images per part, channels, intensity, size, parts."""
        self.setup()
        counts = {part: len(self.indices(part)) for part in PARTS}
        faults = {"left_out": self.faults} if self.faults else {}
        return {"images": counts, "classes": list(self.classes), **self.splitting.describe(), **self.decoding, **faults}

    def restored(self, index: int, item: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        """An item ``(model channels, S, S)`` in type, range and channels of an image's file, and the names of these."""
        self.setup()
        row = self.arrange().iloc[[index]]
        (plate,) = self.reference.plates_of(row)
        pairs = self.decoding["limits"] or self.decoding.get("limits_of_plates", {}).get(plate, [])
        limits = tuple((low, high) for low, high in pairs)
        return restored(item, self.root / row["file"].iloc[0], self.recipe, self.decoding["rule"], limits)

    # How it comes about

    def arrange(self) -> pd.DataFrame:
        """Rows of all images, with classes and parts known; reads no image."""
        if self.rows is not None:
            return self.rows
        whole = self.on_error == "stop"
        rows = list_images(self.root, *self.table_options, self.splitting.split == "folders", require_files=whole)
        rows, classes = chosen_classes(rows, self.include, self.root, by_table=self.table_options[0] is not None)
        where = self.table_options[0] or str(self.root)
        self.parts = self.splitting.parts(rows, classes, where)
        if cut := self.splitting.cut_wells(rows, where):
            whole_wells = "[plate,well]" if "plate" in rows else "[well]"
            log.warning("%s: %s. data.group=%s keeps them whole.", self.name, cut, whole_wells)
        self.classes = classes
        if self.sampling == "balanced" and not classes:
            raise UserError("data.sampling=balanced: the images have no classes. Set it to uniform.")
        if not whole:
            rows = self.without_faults(rows, self.cache)
        self.codes = torch.as_tensor(class_codes(rows, classes))
        self.rows = rows
        return rows

    def without_faults(self, rows: pd.DataFrame, cache: Path | None) -> pd.DataFrame:
        """The rows whose files can be used; the others keep their part, as if they were there."""
        names = list(rows["file"])
        faults = find_faults(self.root, names, self.recipe.nan, cache, self.progress)
        if not faults:
            return rows
        self.faults |= faults
        first, problem = next(iter(faults.items()))
        if len(faults) == len(names):
            raise UserError(f"data.root: no image of {self.root} can be read. The first, {first}: {problem}")
        log.warning(
            "%s: %d of %d images left out (data.on_error=skip), the first %s: %s",
            *(self.name, len(faults), len(names), first, problem),
        )
        kept = ~rows["file"].isin(list(faults)).to_numpy()
        rows, self.parts = rows[kept].reset_index(drop=True), self.parts[kept]
        if self.classes and (gone := [name for name in self.classes if name not in set(rows["class"])]):
            raise UserError(f"data.root: no image of class {some(gone)} can be read. Leave it out: data.include.")
        self.splitting.check(self.parts, rows, self.classes)
        return rows

    def native_side(self) -> int | None:
        """Side that images are padded to, before they are resized, by the headers alone; None where they are not."""
        files = self.arrange()["file"][self.parts == "train"]
        return self.recipe.side([self.headers[name] for name in files])

    @cached_property
    def headers(self) -> dict[str, ImageHeader]:
        """Header of each file, by its name."""
        files = list(self.arrange()["file"])
        return dict(zip(files, in_threads(read_header, [self.root / name for name in files]), strict=True))

    def decode_usable(self) -> np.ndarray:
        """`decode`; where files are skipped, once more without those that were lost since they were looked at."""
        try:
            return self.decode()
        except UserError as error:
            if self.on_error == "stop" or str(error).startswith("data."):  # a key is at fault, and no file
                raise
            before = self.arrange()
            rows = self.without_faults(before, None)  # what a cache knows of them is out of date
            if len(rows) == len(before):
                raise
        self.codes = torch.as_tensor(class_codes(rows, self.classes))
        self.rows = rows
        for of_former_rows in ("headers", "balanced_order"):
            self.__dict__.pop(of_former_rows, None)
        return self.decode()

    def decode(self) -> np.ndarray:
        """All images as the model takes them, from the cache where they are in it."""
        rows = self.arrange()
        paths = [self.root / name for name in rows["file"]]
        sources, plates = self.scaled_by(rows, paths)
        if self.cache is None:
            conversion = self.recipe.prepare(paths, self.parts == "train", sources, plates, self.reference.described)
            pixels = np.empty((len(paths), *self.shape), conversion.dtype)
            for number, image in enumerate(read_images(conversion, paths, self.progress)):
                pixels[number] = image
            self.decoding = conversion.record()
            return pixels
        trained = (self.parts == "train").tolist()
        files = [[name, *file_state(path), part] for name, path, part in zip(rows["file"], paths, trained, strict=True)]
        scaled = {
            "by": {plate: [str(path) for path in of_plate] for plate, of_plate in (sources or {}).items()},
            "plates": [plates[path] for path in paths] if plates else [],
        }
        content = {"root": str(self.root.resolve()), "recipe": self.recipe.content(), "files": files, "scaled": scaled}
        entry = PixelCache(self.cache, content)
        found = entry.load()
        if found is None:
            conversion = self.recipe.prepare(paths, self.parts == "train", sources, plates, self.reference.described)
            images = read_images(conversion, paths, self.progress)
            found = entry.save(images, (len(paths), *self.shape), conversion.dtype, conversion.record())
        pixels, self.decoding = found
        return pixels

    def scaled_by(
        self, rows: pd.DataFrame, paths: Sequence[Path]
    ) -> tuple[dict[str, list[Path]] | None, dict[Path, str] | None]:
        """What `Reference.files` says; None where limits come from the training part, or there are none to fit."""
        key = self.reference.key
        if key is None:
            return None, None
        if self.recipe.intensity not in (*FITTED, "auto") or self.recipe.limits is not None:
            raise UserError(
                f"data.{key}: there are no limits to fit. Set data.intensity=percentile or zscore, and "
                "data.limits=null."
            )
        return self.reference.files(rows, paths, self.parts == "train", self.classes)
