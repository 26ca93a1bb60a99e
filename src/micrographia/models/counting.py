"""What every trained module has in common: counters, random numbers, steps, and a loss that must be finite."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor
from torch.optim import Optimizer

from micrographia.data.batches import Batch, step_generator
from micrographia.devices.collective import average_gradients, mean_over
from micrographia.devices.shares import ALONE, BatchGenerator, Place
from micrographia.errors import UserError

MakeOptimizer = Callable[[Iterable[Any]], Optimizer]
"""An optimiser of parameters, or of groups of them."""
CHECK_INTERVAL = 100
"""Batches between looks for a loss that is not finite, on a device where looking means waiting."""


class CountingModule(LightningModule):
    """LightningModule that counts its own batches and images, and draws its noise from (seed, batches).

    The counters are the budget and the loggers' x axis; Lightning's ``global_step`` counts every optimiser's step. They
    travel in the checkpoint: a resumed training is bit-equal to one that was not interrupted.

    Parameters
    ----------
    name
        Label in run folders and tables.
    shape
        Of one item: ``(channels, side, side)`` or ``(features,)``.
    seed
        Of initial weights and of every step's random numbers.

    Attributes
    ----------
    batches, images : int
        Trained on so far.
    parts : dict of str to Tensor
        Loss and its named terms at the last training batch, detached.
    latent_names : list of str
        Names of the code's columns; empty where there is no code.
    changed_factors : int or None
        Factors by which the pairs differ that the method learns from; None: learns from single items.
    labelled : bool
        Whether batches need the classes.
    training_only : tuple of str
        Beginnings of the names of weights that only training needs: kept in checkpoints, not in a finished run.
    shareable : bool
        Whether several processes that share its batches train the same model as one alone: whether the loss is a mean
        over the batch, what is not goes through `micrographia.devices.collective`, and noise through `drawn`.
    batch_groups : int
        Parts of a batch that are compared row by row, so that rows of all parts stay together: see `Place.share`.
    place : Place
        This process among those that train the model.

    Raises
    ------
    UserError
        If the loss is not finite (on a CPU at once; elsewhere within 100 batches, and before a checkpoint is written).
    """

    changed_factors: int | None = None
    labelled: bool = False
    training_only: tuple[str, ...] = ()
    shareable: bool = False
    batch_groups: int = 1
    place: Place = ALONE

    def __init__(self, name: str, shape: tuple[int, ...], seed: int):
        super().__init__()
        self.name = name
        self.shape = tuple(shape)
        self.seed = seed
        self.batches = 0
        self.images = 0
        self.parts: dict[str, Tensor] = {}
        self.latent_names: list[str] = []

    def lasting_state(self) -> dict[str, Tensor]:
        """Weights and buffers that a finished run keeps."""
        return {name: value for name, value in self.state_dict().items() if not name.startswith(self.training_only)}

    def step_generator(self) -> BatchGenerator:
        """Random numbers of the current batch, of the own share of it."""
        generator = step_generator(self.seed, self.batches, self.device)
        if self.place.size > 1:
            generator.share = self.trainer.datamodule.training_share  # type: ignore[attr-defined]
        return generator

    def loss(self, batch: Batch, generator: torch.Generator) -> dict[str, Tensor]:
        """Loss of a batch under ``"loss"``, and its named terms; for modules that are trained by one loss."""
        raise NotImplementedError

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """One step; leaves the loss and its terms in `parts`."""
        parts = self.loss(batch, self.step_generator())
        self.count(batch, parts)
        return parts["loss"]

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Log ``val/loss`` and its terms, means over the validation part; the noise is the same at every validation."""
        generator = step_generator(self.seed, batch_idx, self.device)
        if self.place.size > 1:
            generator.share = self.trainer.datamodule.validation_share(batch_idx)  # type: ignore[attr-defined]
        parts = self.loss(batch, generator)
        self.log_validation(parts, batch, batch_idx)

    def log_validation(self, parts: Mapping[str, Tensor], batch: Batch, batch_idx: int) -> None:
        """Log means over a validation batch, whose means over the validation part become ``val/...``."""
        count = len(batch["image"])
        if self.place.size > 1:
            # Weighted here: Lightning's weights of the processes are rounded to whole images.
            total = self.trainer.datamodule.validation_share(batch_idx).total  # type: ignore[attr-defined]
            parts = {name: part * (count * self.place.size / total) for name, part in parts.items()}
            count = total
        named = {f"val/{name}": part for name, part in parts.items()}
        self.log_dict(named, on_step=False, on_epoch=True, logger=False, sync_dist=True, batch_size=count)

    def count(self, batch: Batch, parts: dict[str, Tensor]) -> None:
        """Record a training batch: its terms and the counters; look at times whether the loss is finite."""
        self.parts = self.of_whole_batch({name: part.detach() for name, part in parts.items()})
        if self.device.type == "cpu" or self.batches % CHECK_INTERVAL == 0:
            self.require_finite()
        self.batches += 1
        self.images += self.place.size * sum(len(batch[key]) for key in ("image", "partner") if key in batch)

    def of_whole_batch(self, parts: dict[str, Tensor]) -> dict[str, Tensor]:
        """Means over all processes of what was computed of their shares."""
        if self.place.size == 1:
            return parts
        together = torch.stack([part.to(self.device, torch.float32) for part in parts.values()])
        return dict(zip(parts, mean_over(self.place, together), strict=True))

    def require_finite(self) -> None:
        """Raise if the last loss is NaN or infinite, which later ones then are too."""
        if self.parts and not torch.isfinite(self.parts["loss"]):
            raise UserError(
                f"model {self.name}: the loss is {self.parts['loss'].item()} at batch {self.batches}. "
                "Lower optimizer.lr, or check the images (0..1, no NaN)."
            )

    def take_step(self, optimizer: Any, loss: Tensor) -> None:
        """Descend one loss by one optimiser; for modules that are trained by several."""
        optimizer.zero_grad()
        self.manual_backward(loss)
        average_gradients(self.place, optimizer)
        optimizer.step()

    def on_train_end(self) -> None:
        """A run whose loss is not finite does not finish."""
        self.require_finite()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the counters, as plain numbers."""
        self.require_finite()
        checkpoint["counters"] = {"batches": self.batches, "images": self.images}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the counters up again."""
        self.batches, self.images = checkpoint["counters"]["batches"], checkpoint["counters"]["images"]


@contextmanager
def seeded_initialisation(seed: int) -> Iterator[None]:
    """Context in which initial weights depend on the seed alone; the global generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
