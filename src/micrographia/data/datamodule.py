"""Images addressed by their index: what every data set, rendered or read, has in common."""

import math
from collections.abc import Iterator, Mapping
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader

from micrographia.data.batches import BalancedOrder, Batch, StepDataset, epoch_batch, step_generator, step_loader
from micrographia.devices.shares import ALONE, Place, Share
from micrographia.errors import UserError

Part = Literal["train", "val", "test"]
Sampling = Literal["uniform", "balanced"]
PARTS: tuple[Part, ...] = ("train", "val", "test")


def all_indices(data: "IndexedImages") -> torch.Tensor:
    """Indices of all parts, in the order train, val, test."""
    return torch.cat([data.indices(part) for part in PARTS])


def require_parts(data: "IndexedImages") -> None:
    """Refuse a set in which a part is empty.

    Raises
    ------
    UserError
        With the part.
    """
    for part in PARTS:
        if not len(data.indices(part)):
            raise UserError(f"data {data.name}: no image is in the {part} part. Set data.split=stratified, or another.")


def shares(count: int, fractions: Mapping[str, float], key: str) -> list[int]:
    """How many of so many things train, val and test get.

    Parameters
    ----------
    fractions
        Share of each part; they add up to 1.
    key
        Where the fractions stand in the config, for messages.

    Raises
    ------
    UserError
        If there is no such part, or they do not add up.

    Examples
    --------
    >>> shares(3000, {"train": 0.7, "val": 0.15, "test": 0.15}, "data.fractions")
    [2100, 450, 450]
    """
    if unknown := sorted(set(fractions) - set(PARTS)):
        raise UserError(f"{key}.{unknown[0]}: no such part. Parts: {', '.join(PARTS)}.")
    if not math.isclose(sum(fractions.values()), 1, abs_tol=1e-6):
        raise UserError(f"{key}: train, val and test sum to {sum(fractions.values()):g}, not to 1.")
    val, test = (round(count * fractions[part]) for part in ("val", "test"))
    return [count - val - test, val, test]


def spread(indices: torch.Tensor, count: int, seed: int = 0) -> torch.Tensor:
    """At most ``count`` of the indices, evenly spaced; each seed begins at another place.

    Examples
    --------
    >>> spread(torch.arange(9), 3), spread(torch.arange(9), 3, seed=1)
    (tensor([0, 4, 8]), tensor([0, 1, 5]))
    """
    places = torch.linspace(0, len(indices) - 1, min(count, len(indices))).long()
    if seed and len(places):
        golden = seed * (5**0.5 - 1) / 2 % 1  # fills the gap evenly, however many seeds there are
        places = ((places + int(golden * len(indices) / len(places))) % len(indices)).sort().values
    return indices[places]


def unit_range(images: torch.Tensor) -> torch.Tensor:
    """Images as float32: 8-bit ones scaled from 0..255 to 0..1, others only cast.

    Examples
    --------
    >>> unit_range(torch.tensor([0, 255], dtype=torch.uint8))
    tensor([0., 1.])
    """
    return images.float().div_(255) if images.dtype == torch.uint8 else images.float()


class IndexedImages(LightningDataModule):
    """A data set whose images are addressed by integer index.

    A subclass says what the images are (`images`, `indices`) and what is known of them (`table`, `classes`, `factors`);
    this class makes the batches. Nothing is random but what `fit` draws from (seed, step).

    Attributes
    ----------
    name : str
        Label in run folders and tables.
    shape : tuple of int
        Shape of one item: ``(channels, height, width)`` of an image, ``(features,)`` of a feature vector.
    classes : tuple of str
        Class names in the order of the integer targets; empty where the set has no classes.
    factors : dict of str to int
        Known factors of variation and their number of values, most significant first; empty where unknown.
    controls : tuple of (column, negative, positive), or None
        Column of the table that tells the controls of an assay, and its values in both, as text.
    sampling : "uniform" or "balanced"
        How training items are drawn: each once in an epoch, or each class as often as others.
    """

    name: str
    shape: tuple[int, ...]
    classes: tuple[str, ...] = ()
    factors: dict[str, int] = {}  # noqa: RUF012  (replaced, never changed)
    controls: tuple[str, str, str] | None = None
    sampling: Sampling = "uniform"
    _loader: DataLoader[Batch] | None = None

    def images(self, indices: torch.Tensor) -> torch.Tensor:
        """Items of the given indices: ``(n, *shape)``, uint8 in 0..255 or floating point (images in 0..1)."""
        raise NotImplementedError

    def __len__(self) -> int:
        """Number of items that have an index."""
        return 1 + max(int(self.indices(part).max()) for part in PARTS)

    def indices(self, part: Part) -> torch.Tensor:
        """Indices of a part (train, val, test), int64, in a fixed order."""
        raise NotImplementedError

    def table(self, indices: torch.Tensor) -> pd.DataFrame:
        """One named row per index: ``class`` where there are classes, one column per factor, file and groups if any."""
        raise NotImplementedError

    def record(self) -> dict[str, Any]:
        """What is worth recording of the set, in JSON's types; a subclass adds what it found and fitted."""
        return {"images": {part: len(self.indices(part)) for part in PARTS}, "classes": list(self.classes)}

    def targets(self, indices: torch.Tensor) -> torch.Tensor:
        """Integer class of each index, int64, in the order of `classes`."""
        if not self.classes:
            raise UserError(f"data {self.name} has no classes: a classifier needs a data set with labels.")
        codes = pd.Categorical(self.table(indices)["class"], categories=list(self.classes)).codes
        return torch.as_tensor(codes.copy(), dtype=torch.int64)

    def draw_indices(self, count: int, seed: int, step: int) -> torch.Tensor:
        """Training indices of one step: each epoch a fresh order of the training part, as ``sampling`` says."""
        train = self.indices("train")
        order = self.balanced_order if self.sampling == "balanced" else None
        return train[epoch_batch(len(train), count, seed, step, order)]

    @cached_property
    def balanced_order(self) -> BalancedOrder:
        """Orders of epochs in which the classes of the training part are even."""
        return BalancedOrder(self.targets(self.indices("train")))

    def draw_pairs(
        self, count: int, changed: int, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Pairs that differ in ``changed`` factors: indices, partners' indices, and a bool mask ``(n, factors)``."""
        raise UserError(
            f"data {self.name} has no known factors to draw pairs from, which Ada-GVAE learns from: "
            "choose model=beta_vae or data=synthetic/texture_dsprites."
        )

    def factor_values(self, indices: torch.Tensor) -> torch.Tensor:
        """Values of the known factors, ``(n, factors)``, int64, in the order of `factors`."""
        raise NotImplementedError

    def index_of(self, values: torch.Tensor) -> torch.Tensor:
        """Indices of factor values ``(n, factors)``; the inverse of `factor_values`."""
        raise NotImplementedError

    @property
    def intervenable(self) -> bool:
        """Whether items can be made of factors that were set on purpose: `draw_factors`, `of_factors`."""
        return bool(self.factors)

    def draw_factors(self, count: int, generator: np.random.Generator) -> pd.DataFrame:
        """Factors of ``count`` specimens, drawn independently of each other: one column per factor.

        The index tells specimens apart: what no factor describes follows from it, and stays when a factor is changed.
        """
        values = generator.integers(0, list(self.factors.values()), (count, len(self.factors)))
        return pd.DataFrame(values, columns=list(self.factors))

    def of_factors(self, factors: pd.DataFrame) -> torch.Tensor:
        """Items of specimens with these factors, rows as `draw_factors` gives them: ``(n, *shape)``, like `images`."""
        return self.images(self.index_of(self.values_of(factors)))

    def values_of(self, factors: pd.DataFrame) -> torch.Tensor:
        """Values ``(n, factors)``, int64, of a table with a column per factor."""
        return torch.from_numpy(factors[list(self.factors)].to_numpy(np.int64).copy())  # pandas' own may be read-only

    def steps_per_epoch(self, batch_size: int) -> int:
        """Steps in which every training item is seen once."""
        return -(-len(self.indices("train")) // batch_size)

    def fit(
        self,
        seed: int,
        batch_size: int,
        steps: int,
        *,
        interval: int,
        changed_factors: int | None = None,
        labelled: bool = False,
        workers: int = 0,
        place: Place = ALONE,
        groups: int = 1,
    ) -> "IndexedImages":
        """Fix how training batches are drawn; call before `train_dataloader`.

        Parameters
        ----------
        seed, batch_size, steps
            The random stream, items (or pairs) per batch, and batches in all.
        interval
            Batches per Lightning epoch: how often it validates and writes checkpoints. Batches do not depend on it.
        changed_factors
            Draw pairs that differ in so many factors: adds ``partner`` and ``changed`` to the batch.
        labelled
            Add the integer ``target``.
        workers
            Loader processes; 0 draws in the training process.
        place, groups
            Of each batch this process takes its share: see `Place.share`.
        """
        batch_size = len(self.draw_indices(batch_size, seed, 0)) if changed_factors is None else batch_size
        share = place.share(batch_size, groups)
        draw = partial(self.training_batch, seed, batch_size, changed_factors, labelled, share=share)
        self._train = (draw, interval, steps, workers)
        self._share, self._groups = share, groups
        self._loader = None
        self._labelled = labelled
        self._batch_size = batch_size
        return self

    def training_batch(
        self, seed: int, batch_size: int, changed_factors: int | None, labelled: bool, step: int, share: Share
    ) -> Batch:
        """The own share of the batch of one step; its arguments are those of `fit`."""
        rows = share.rows
        if changed_factors is not None:
            first, second, mask = self.draw_pairs(batch_size, changed_factors, step_generator(seed, step))
            return {"image": self.images(first[rows]), "partner": self.images(second[rows]), "changed": mask[rows]}
        chosen = self.draw_indices(batch_size, seed, step)[rows]
        batch = {"image": self.images(chosen)}
        if labelled:
            batch["target"] = self.targets(chosen)
        return batch

    def __getstate__(self) -> dict[str, Any]:
        """What travels to loader processes, which are started afresh on macOS: all but the trainer and the loader."""
        return {name: value for name, value in self.__dict__.items() if name not in ("trainer", "_train", "_loader")}

    def train_dataloader(self) -> DataLoader[Batch]:
        """Training batches ``{"image": ...}``, with ``partner`` and ``changed``, or ``target``, as `fit` asked for."""
        # Lightning asks anew for each epoch, since the last one may be shorter; loader and workers stay.
        if self._loader is None:
            self._loader = step_loader(*self._train)
        self._loader.sampler.set_epoch(self.trainer.current_epoch if self.trainer else 0)  # type: ignore[attr-defined]
        return self._loader

    def state_dict(self) -> dict[str, Any]:
        """What checkpoints keep of the set: its record, with all that was fitted to it."""
        return {"record": self.record()}

    def teardown(self, stage: str) -> None:
        """Let the loader's workers go; Lightning calls this when a training ends."""
        self._loader = None

    @property
    def training_share(self) -> Share:
        """Rows of each training batch that this process takes."""
        return self._share

    def validation_share(self, position: int) -> Share:
        """Rows of a batch of the validation part that this process takes."""
        return self._share.place.share(len(self.validation_chunks()[position]), self._groups)

    def validation_chunks(self) -> list[torch.Tensor]:
        """The validation part in batches; none has fewer images than there are processes."""
        chunks = list(self.indices("val").split(max(self._batch_size, 256)))
        if len(chunks) > 1 and len(chunks[-1]) < self._share.place.size:
            chunks[-2:] = [torch.cat(chunks[-2:])]
        return chunks

    def val_dataloader(self) -> DataLoader[Batch]:
        """The validation part once, in order; of each batch the own share."""
        chunks = [
            chunk[self.validation_share(position).rows] for position, chunk in enumerate(self.validation_chunks())
        ]

        def draw(position: int) -> Batch:
            batch = {"image": self.images(chunks[position])}
            if self._labelled:
                batch["target"] = self.targets(chunks[position])
            return batch

        return DataLoader(StepDataset(draw), batch_size=None, sampler=range(len(chunks)))

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        """Scale to floating point on the device, so that 8-bit images travel."""
        return {key: unit_range(value) if key in ("image", "partner") else value for key, value in batch.items()}

    def chunks(self, indices: torch.Tensor, size: int = 256) -> Iterator[torch.Tensor]:
        """Items of many indices in floating point, a chunk at a time and in order."""
        for chunk in indices.split(size):
            yield unit_range(self.images(chunk))
