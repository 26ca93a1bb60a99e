"""What a generator makes, now and then during its training: a sheet of samples, and distances to real images."""

import logging
from collections.abc import Iterator
from typing import Any

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torch import Tensor

from micrographia.data.batches import step_generator
from micrographia.data.datamodule import IndexedImages, spread
from micrographia.models.gan.stylegan2 import StyleGAN2
from micrographia.plots.images import contact_sheet
from micrographia.runs.run import Metrics, Run
from micrographia.scores.frechet import FrechetScores
from micrographia.training.curves import RunLogger, send

log = logging.getLogger(__name__)

SHOWN = 32  # images on a sheet
CHUNK = 32  # images generated at a time


class Samples(Callback):
    """Show the running average's images, of the same codes every time, and measure how real they look.

    Sheets are written to ``figures/samples/<images>.png``; distances go to the
    loggers as ``frechet/<features>`` and ``kernel/<features>``, against images of the training part.

    Parameters
    ----------
    model
        Says how often, and by which features.
    data
        The real images.
    run
        Whose folder takes the figures.
    """

    def __init__(self, model: StyleGAN2, data: IndexedImages, run: Run):
        self.model = model
        self.data = data
        self.run = run
        self.every = None if model.sample_kimg is None else model.sample_kimg * 1000
        self.scores: FrechetScores | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count from where a resumed run stands."""
        self.done = self.due()

    def due(self) -> int:
        """Sheets that the images seen so far make due."""
        return 0 if self.every is None else int(self.model.images / self.every)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Draw and measure when it is due."""
        if self.due() == self.done:
            return
        self.done = self.due()
        self.model.ticks.stop()
        self.show(trainer)
        self.model.ticks.go_on()

    def show(self, trainer: Trainer) -> None:
        """Draw a sheet and measure, and tell the loggers."""
        sheet = f"samples/{self.model.images:09d}"
        self.draw(sheet)
        values = self.measure()
        if values:
            log.info("kimg %.1f  %s", self.model.images / 1000, "  ".join(f"{k} {v:.4g}" for k, v in values.items()))
        send(trainer, self.model, values)
        for logger in trainer.loggers:
            if isinstance(logger, RunLogger):
                figures = {"samples": self.run.folder / "figures" / f"{sheet}.png"}
                logger.log_result({}, {}, figures, self.model.images)

    def draw(self, name: str) -> None:
        """Write a sheet of images of fixed codes."""
        images = torch.cat(list(self.generated(SHOWN)))
        self.run.save_figure(name, contact_sheet(images.clamp(0, 1), [""] * SHOWN))

    def measure(self) -> Metrics:
        """Distances to real images in the features that the model names; none where it names none."""
        if self.model.features is None:
            return {}
        chosen = spread(self.data.indices("train"), self.model.feature_images)  # a folder's images lie class by class
        if self.scores is None:
            network = self.model.features().to(self.model.device)
            real = (images.to(self.model.device) for images in self.data.chunks(chosen, CHUNK))
            self.scores = FrechetScores(network, real)
        return self.scores(self.generated(len(chosen)))

    @torch.no_grad()
    def generated(self, count: int) -> Iterator[Tensor]:
        """Images of the running average, with its fixed noise, of the first so many codes of the seed."""
        device = self.model.device
        random = step_generator(self.model.seed, 0)
        # Whole chunks are drawn, so that the first codes do not depend on the count.
        for done in range(0, count, CHUNK):
            codes = torch.randn(CHUNK, self.model.generator.z_dim, generator=random)[: count - done]
            yield self.model.generator(codes.to(device))
