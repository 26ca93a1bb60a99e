"""A folder of microscopy images: class folders or a table, split by class and group, decoded once."""

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

from micrographia.data.arranged import ArrangedImages, Controls, as_texts
from micrographia.data.batches import BalancedOrder, epoch_batch
from micrographia.data.datamodule import PARTS
from micrographia.data.decoding import Recipe, in_threads, read_images
from micrographia.data.intensity import pairs_of, rising
from micrographia.data.listing import list_images
from micrographia.data.pixel_cache import PixelCache
from micrographia.data.reading import ImageHeader, read_header
from micrographia.data.restoring import restored
from micrographia.data.splits import some
from micrographia.data.splitting import Splitting, as_list, class_codes, in_order
from micrographia.errors import UserError


class ImageFolder(ArrangedImages):
    """Images of a folder, with classes, groups and parts.

    Nothing is read before `setup`, which each method calls where it must. Everything that is fitted (the side to pad
    to, the percentiles) comes from the training part.

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
    intensity, percentiles
        How values become 0..1: see `Intensity`. "auto" is "dtype" for 8 bit and "percentile", with limits from the
        training part, for deeper images.
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
    controls
        Controls of an assay, which a measurement is to tell apart; classes are in the column ``class``.
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
        intensity: Literal["auto", "dtype", "percentile", "image"] = "auto",
        percentiles: Sequence[float] = (0.1, 99.9),
        limits: list[list[float]] | None = None,
        invert: bool = False,
        fit: Literal["pad", "resize"] = "pad",
        pad_quantile: float = 1.0,
        background: Literal["zero", "border"] = "border",
        nan: bool = False,
        sampling: Literal["uniform", "balanced"] = "uniform",
        controls: Controls | None = None,
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
        )
        self.controls = as_texts(controls)
        self.cache = None if cache is None else Path(cache)
        self.progress = progress
        self.rows: pd.DataFrame | None = None
        self.pixels: torch.Tensor | None = None
        self.decoding: dict[str, Any] = {}

    def setup(self, stage: str | None = None) -> None:
        """Read the table and split it, then decode the images; later calls do nothing.

        Raises
        ------
        UserError
            If the folder, table, split or an image is faulty; the file or key is named.
        """
        self.arrange()
        if self.pixels is None:
            self.pixels = torch.from_numpy(self.decode())

    # The interface of IndexedImages

    def images(self, indices: torch.Tensor) -> torch.Tensor:
        """Items ``(n, channels, size, size)``: uint8 of 8-bit images, else float16 in 0..1."""
        if self.pixels is None:
            self.setup()
        assert self.pixels is not None
        return self.pixels.index_select(0, indices)

    def draw_indices(self, count: int, seed: int, step: int) -> torch.Tensor:
        """Training indices of one step, as ``sampling`` says."""
        if self.sampling == "uniform":
            return super().draw_indices(count, seed, step)
        train = self.indices("train")
        return train[epoch_batch(len(train), count, seed, step, self.balanced_order)]

    @cached_property
    def balanced_order(self) -> BalancedOrder:
        """Orders of epochs in which the classes are even."""
        return BalancedOrder(self.targets(self.indices("train")))

    # For the run's record

    def record(self) -> dict[str, Any]:
        """What was found and fitted, in JSON's types: images per part, channels, intensity, size, parts."""
        self.setup()
        counts = {part: len(self.indices(part)) for part in PARTS}
        return {"images": counts, "classes": list(self.classes), **self.splitting.describe(), **self.decoding}

    def restored(self, index: int, item: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
        """An item ``(model channels, S, S)`` in type, range and channels of an image's file, and the names of these."""
        self.setup()
        limits = tuple((low, high) for low, high in self.decoding["limits"])
        file = self.root / self.arrange()["file"].iloc[index]
        return restored(item, file, self.recipe, self.decoding["rule"], limits)

    # How it comes about

    def arrange(self) -> pd.DataFrame:
        """Rows of all images, with classes and parts known; reads no image."""
        if self.rows is not None:
            return self.rows
        rows = list_images(self.root, *self.table_options, part_folders=self.splitting.split == "folders")
        if self.include is not None:
            if "class" not in rows:
                raise UserError("data.include: the images have no classes to choose from. Set it to null.")
            if unknown := sorted(set(self.include) - set(rows["class"])):
                known = some(in_order(set(rows["class"])))
                raise UserError(f"data.include: no class {some(unknown)}. {self.root} has {known}.")
            rows = rows[rows["class"].isin(self.include)].reset_index(drop=True)
        classes = in_order(set(rows["class"])) if "class" in rows else ()
        if len(classes) == 1 and self.include is not None:
            raise UserError(f"data.include: a single class, {classes[0]}, is left. Name two or more.")
        if len(classes) == 1:
            tables = [] if self.table_options[0] else sorted(path.name for path in self.root.glob("*.csv"))
            raise UserError(
                f"data.root: {self.root} has a single class, {classes[0]}. Two or more are needed; "
                + (f"data.table={tables[0]} takes them from the table, " if tables else "")
                + "data.label=null reads the images without classes."
            )
        self.parts = self.splitting.parts(rows, classes, self.table_options[0] or str(self.root))
        self.classes = classes
        if self.sampling == "balanced" and not classes:
            raise UserError("data.sampling=balanced: the images have no classes. Set it to uniform.")
        self.codes = torch.as_tensor(class_codes(rows, classes))
        self.rows = rows
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

    def decode(self) -> np.ndarray:
        """All images as the model takes them, from the cache where they are in it."""
        rows = self.arrange()
        paths = [self.root / name for name in rows["file"]]
        train = self.parts == "train"
        if self.cache is None:
            conversion = self.recipe.prepare(paths, train)
            pixels = np.empty((len(paths), *self.shape), conversion.dtype)
            for number, image in enumerate(read_images(conversion, paths, self.progress)):
                pixels[number] = image
            self.decoding = conversion.record()
            return pixels
        states = [path.stat() for path in paths]
        files = [
            [name, state.st_size, state.st_mtime_ns, bool(fitted)]
            for name, state, fitted in zip(rows["file"], states, train, strict=True)
        ]
        entry = PixelCache(
            self.cache, {"root": str(self.root.resolve()), "recipe": self.recipe.content(), "files": files}
        )
        found = entry.load()
        if found is None:
            conversion = self.recipe.prepare(paths, train)
            images = read_images(conversion, paths, self.progress)
            found = entry.save(images, (len(paths), *self.shape), conversion.dtype, conversion.record())
        pixels, self.decoding = found
        return pixels
