"""Super-resolution as a LightningModule: ``Trainer.predict`` spreads the images over devices."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningDataModule, LightningModule
from torch import Tensor
from torch.utils.data import DataLoader

from micrographia.data.batches import Batch, StepDataset
from micrographia.devices.shares import ALONE, Place
from micrographia.inversion.checks import UNUSABLE, flags_of, require_fits, unsearched, with_reservations
from micrographia.inversion.method import Keep, Method
from micrographia.inversion.problem import Problem
from micrographia.inversion.solutions import Solutions, concatenated

LowImages = Callable[[Tensor], Tensor]
"""From keys ``(n,)``, int64, to low-resolution images ``(n, channels, s, s)`` in 0..1."""
Progress = Callable[[float, int], None]


class InversionModule(LightningModule):
    """A method and its problem; ``predict_step`` super-resolves a batch and keeps what it found.

    Parameters
    ----------
    method
        What to do.
    problem
        Generator, degradation, flow; moves with this module to the device.
    folder
        Where solutions are written as soon as they are found, in files named by their first keys; None: nowhere.
    progress
        Called with the images done and those to do.
    blank
        Channels that the images lack, which are 0 throughout.
    """

    def __init__(
        self,
        method: Method,
        problem: Problem,
        folder: Path | None = None,
        progress: Progress | None = None,
        blank: Sequence[int] = (),
    ):
        super().__init__()
        self.blank = blank
        self.method = method
        self.problem = problem
        self.folder = folder
        self.progress = progress
        self.done = 0

    def solve(
        self, low: Tensor, keys: Tensor, watch: Callable[[float], None] | None = None, keep: Keep | None = None
    ) -> Solutions:
        """Super-resolve a batch; an image that cannot be searched gets a flagged row, and the others are unharmed.

        Parameters
        ----------
        low, keys, watch, keep
            See `Method.solve`.

        Raises
        ------
        UserError
            If the images do not fit the generator, or the problem lacks what the method needs.
        """
        require_fits(self.problem, low)
        self.method.check(self.problem)
        flags = flags_of(low, self.blank)
        flag_of = dict(zip(keys.tolist(), flags, strict=True))
        usable = torch.as_tensor([flag not in UNUSABLE for flag in flags])
        parts: list[Solutions] = []

        def finish(part: Solutions) -> None:
            parts.append(part)
            if keep is not None:
                keep(part)

        if not usable.all():
            layers, width = self.method.code_layers(self.problem), self.problem.generator.w_dim
            reasons = [flag for flag in flags if flag in UNUSABLE]
            finish(unsearched(keys[~usable], reasons, self.method.solutions, self.problem.shape, layers, width))
        if usable.any():
            # cuDNN would round the factors of float32 convolutions to 10 bit.
            with torch.enable_grad(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                self.method.solve(
                    self.problem,
                    low[usable.to(low.device)],
                    keys[usable].tolist(),
                    watch,
                    lambda found: finish(with_reservations(found, flag_of)),
                )
        return concatenated(parts, keys.tolist())

    def predict_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> Solutions:
        """Super-resolve ``image`` of the keys ``key``."""
        keys = batch["key"].cpu()
        solutions = self.solve(batch["image"], keys, self.report, self.keep)
        self.done += len(keys)
        self.report(0.0)
        return solutions

    def keep(self, part: Solutions) -> None:
        """Write solutions to the folder, if there is one."""
        if self.folder is not None:
            part.save(self.folder / f"{int(part.keys[0])}.safetensors")

    def report(self, working: float) -> None:
        """Tell the progress: the images that are done, and the share of the present batch's work.

        Raises
        ------
        KeyboardInterrupt
            If the process was asked to end (SIGTERM), which Lightning notes, and heeds in a training alone.
        """
        if self.trainer.received_sigterm:
            raise KeyboardInterrupt
        if self.progress is not None:
            loaders: Any = self.trainer.datamodule  # type: ignore[attr-defined]
            self.progress(min((self.done + working) * loaders.place.size, loaders.count), loaders.count)


class LowResolutionImages(LightningDataModule):
    """Chunks of low-resolution images, dealt out to the processes.

    Parameters
    ----------
    low_images
        From keys to images.
    keys
        Of all images, int64.
    chunk
        Images per batch.
    place
        This process among those that share the images.
    """

    def __init__(self, low_images: LowImages, keys: Tensor, chunk: int, place: Place = ALONE):
        super().__init__()
        self.low_images = low_images
        self.place = place
        self.count = len(keys)
        self.chunks = list(keys.split(chunk))

    def predict_dataloader(self) -> DataLoader[Batch]:
        """Chunks of this process."""
        own = self.chunks[self.place.rank :: self.place.size]

        def draw(position: int) -> Batch:
            return {"image": self.low_images(own[position]), "key": own[position]}

        return DataLoader(StepDataset(draw), batch_size=None, sampler=range(len(own)))
