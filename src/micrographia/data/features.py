"""Features of a frozen backbone in place of images: computed once, kept on disk, read through a memory map."""

import hashlib
import logging
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from filelock import FileLock, Timeout
from numpy.typing import NDArray
from torch import Tensor

from micrographia.data.datamodule import IndexedImages, Part, unit_range
from micrographia.data.feature_store import FeatureStore

log = logging.getLogger(__name__)

BLOCK = 8
"""Batches computed between two writes: what a killed process loses at most."""

Progress = Callable[[int, int], None]


class Backbone(Protocol):
    """What is asked of a backbone: see `micrographia.models.backbones`."""

    name: str
    size: int
    features: int
    identity: str

    def __call__(self, images: Tensor) -> Tensor:
        """Features ``(n, features)`` of images ``(n, 3, size, size)`` in 0..1."""
        ...

    def to(self, device: torch.device) -> Any:
        """Move the network to a device."""
        ...


class FeatureData(IndexedImages):
    """A data set whose items are a backbone's features of another data set's images; all else is that data set's.

    Features are computed once, for the indices asked for. They lie under ``cache/features``, at an address made of the
    data's identity and the backbone's, and what is finished stays valid when the process is killed. They are kept as
    float32: half precision would halve the disk, and lose digits.

    Every batch that the backbone sees has the same size, the last one filled up: on a CPU its results differ in the
    sixth digit between sizes. So a feature does not depend on when, and beside which others, it was computed.

    Parameters
    ----------
    inner
        The images, set up.
    backbone
        Frozen network, ``(n, 3, side, side)`` in 0..1 to ``(n, features)``.
    cache
        Folder of all caches.
    identity
        Of the inner data: text that changes whenever the image of an index may, such as the digest of its config.
    device
        Where the backbone computes.
    batch_size
        Images per batch of the backbone.
    progress
        Called with the items done and all that are being computed.

    Raises
    ------
    UserError
        If the disk is too small.
    """

    def __init__(
        self,
        inner: IndexedImages,
        backbone: Backbone,
        cache: Path,
        identity: str,
        device: torch.device | str = "cpu",
        batch_size: int = 32,
        progress: Progress | None = None,
    ):
        super().__init__()
        self.inner = inner
        self.backbone = backbone
        self.identity = identity
        self.device = torch.device(device)
        self.batch_size = batch_size
        self.progress = progress
        self.name = inner.name
        self.shape = (backbone.features,)
        self.classes = inner.classes
        self.factors = inner.factors
        self.sampling = inner.sampling
        key = hashlib.sha256(f"{identity} {backbone.identity}".encode()).hexdigest()[:16]
        self.folder = Path(cache).expanduser() / "features" / key  # about.json in it says what of

    def __getstate__(self) -> dict[str, Any]:
        """What travels to other processes, which open the store and show no progress."""
        return {name: value for name, value in super().__getstate__().items() if name != "store"} | {"progress": None}

    def images(self, indices: Tensor) -> Tensor:
        """Features of the given items, ``(n, features)``, float32; computes those that nobody has computed yet."""
        self.compute(indices)
        return torch.from_numpy(np.asarray(self.store.features[indices.numpy()]))

    def compute(self, indices: Tensor) -> None:
        """Compute and keep the features of those of the given items that are missing.

        Of two processes that want the same data set's features, one waits for the other and takes what it computed.
        """
        if not len(self.store.missing(indices)):
            return
        lock = FileLock(self.folder / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            log.info("waiting for another process that computes features of %s", self.name)
            lock.acquire()
        try:
            self.compute_missing(self.store.missing(indices))
        finally:
            lock.release()

    def compute_missing(self, missing: NDArray[np.int64]) -> None:
        """Compute the features of the given items, a block at a time."""
        self.store.require_space(len(missing))
        self.backbone.to(self.device)
        self.report(0, len(missing))
        size = BLOCK * self.batch_size
        for start in range(0, len(missing), size):
            rows = missing[start : start + size]
            found = []
            for position in range(0, len(rows), self.batch_size):
                found.append(self.extract(torch.from_numpy(rows[position : position + self.batch_size])))
                self.report(start + min(position + self.batch_size, len(rows)), len(missing))
            self.store.write(rows, np.concatenate(found))

    def extract(self, indices: Tensor) -> NDArray[np.float32]:
        """Features of at most one batch of items, computed as a whole batch."""
        return self.extract_images(self.inner.images(indices))

    def extract_images(self, images: Tensor) -> NDArray[np.float32]:
        """Features of at most one batch of images, filled up with the last one."""
        filled = torch.cat([images, images[-1:].expand(self.batch_size - len(images), *images.shape[1:])])
        with torch.inference_mode():
            return self.backbone(unit_range(filled.to(self.device)))[: len(images)].float().cpu().numpy()

    @property
    def intervenable(self) -> bool:
        """As in the inner data."""
        return self.inner.intervenable

    def draw_factors(self, count: int, generator: np.random.Generator) -> pd.DataFrame:
        """Factors of specimens, as in the inner data."""
        return self.inner.draw_factors(count, generator)

    def of_factors(self, factors: pd.DataFrame) -> Tensor:
        """Features of specimens with these factors, ``(n, features)``; kept on disk where these are items."""
        if self.factors:
            return super().of_factors(factors)
        self.backbone.to(self.device)
        batches = self.inner.of_factors(factors).split(self.batch_size)
        return torch.from_numpy(np.concatenate([self.extract_images(batch) for batch in batches]))

    def report(self, done: int, total: int) -> None:
        """Move the progress bar, if there is one."""
        if self.progress is not None:
            self.progress(done, total)

    @cached_property
    def store(self) -> FeatureStore:
        """The features on disk."""
        about = {
            "data": {"name": self.inner.name, "identity": self.identity},
            "backbone": {"name": self.backbone.name, "identity": self.backbone.identity},
        }
        return FeatureStore(self.folder, len(self), self.backbone.features, about)

    def fit(self, seed: int, batch_size: int, steps: int, **options: Any) -> "FeatureData":
        """Fix how batches are drawn, see `IndexedImages.fit`, and compute what they will need.

        Where factors are known, training draws from the whole grid; otherwise from the training part. A training too
        short to see them all computes features as it draws.
        """
        train = torch.arange(len(self)) if self.factors else self.indices("train")
        pairs = options.get("changed_factors") is not None
        if steps * batch_size * (1 + pairs) >= len(train):
            self.compute(torch.cat([train, self.indices("val")]))
        super().fit(seed, batch_size, steps, **options)
        return self

    def chunks(self, indices: Tensor, size: int = 256) -> Iterator[Tensor]:
        """Features of many items, a chunk at a time and in order, after computing all that are missing."""
        self.compute(indices)
        yield from super().chunks(indices, size)

    def indices(self, part: Part) -> Tensor:
        """Indices of a part, as in the inner data."""
        return self.inner.indices(part)

    def table(self, indices: Tensor) -> pd.DataFrame:
        """What is known of the items, as in the inner data."""
        return self.inner.table(indices)

    def targets(self, indices: Tensor) -> Tensor:
        """Integer classes, as in the inner data."""
        return self.inner.targets(indices)

    def draw_indices(self, count: int, seed: int, step: int) -> Tensor:
        """Training indices of one step, as in the inner data."""
        return self.inner.draw_indices(count, seed, step)

    def draw_pairs(self, count: int, changed: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
        """Pairs that differ in ``changed`` factors, as in the inner data."""
        return self.inner.draw_pairs(count, changed, generator)

    def factor_values(self, indices: Tensor) -> Tensor:
        """Values of the known factors, as in the inner data."""
        return self.inner.factor_values(indices)

    def index_of(self, values: Tensor) -> Tensor:
        """Indices of factor values, as in the inner data."""
        return self.inner.index_of(values)

    def record(self) -> dict[str, Any]:
        """What is worth recording, as in the inner data."""
        return self.inner.record()

    def steps_per_epoch(self, batch_size: int) -> int:
        """Steps in which every training item is seen once, as in the inner data."""
        return self.inner.steps_per_epoch(batch_size)

    def prepare_data(self) -> None:
        """Prepare the inner data."""
        self.inner.prepare_data()

    def setup(self, stage: str) -> None:
        """Set the inner data up."""
        self.inner.setup(stage)

    def __len__(self) -> int:
        return len(self.inner)
