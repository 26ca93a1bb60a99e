"""What every trained module has in common: counters, random numbers, steps, and a loss that must be finite."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from pytorch_lightning import LightningModule
from torch import Tensor
from torch.optim import Optimizer

from micrographia.data.batches import Batch, step_generator
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

    Raises
    ------
    UserError
        If the loss is not finite (on a CPU at once; elsewhere within 100 batches, and before a checkpoint is written).
    """

    changed_factors: int | None = None
    labelled: bool = False
    training_only: tuple[str, ...] = ()

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

    def step_generator(self) -> torch.Generator:
        """Random numbers of the current batch."""
        return step_generator(self.seed, self.batches, self.device)

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
        parts = self.loss(batch, step_generator(self.seed, batch_idx, self.device))
        named = {f"val/{name}": part for name, part in parts.items()}
        self.log_dict(named, on_step=False, on_epoch=True, logger=False, batch_size=len(batch["image"]))

    def count(self, batch: Batch, parts: dict[str, Tensor]) -> None:
        """Record a training batch: its terms and the counters; look at times whether the loss is finite."""
        self.parts = {name: part.detach() for name, part in parts.items()}
        if self.device.type == "cpu" or self.batches % CHECK_INTERVAL == 0:
            self.require_finite()
        self.batches += 1
        self.images += sum(len(batch[key]) for key in ("image", "partner") if key in batch)

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
