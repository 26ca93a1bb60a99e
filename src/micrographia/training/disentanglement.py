"""What the latents mean so far, now and then during a training."""

import logging

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from torchmetrics import MetricCollection

from micrographia.data.datamodule import IndexedImages
from micrographia.models.vae.vae import VAE
from micrographia.scores.disentanglement.metrics import MIG, OMES, SAP, ActiveUnits, Modularity
from micrographia.scores.disentanglement.sampler import pairs_by_intervention
from micrographia.scores.tables import NotFiniteError
from micrographia.training.curves import counting, send
from micrographia.training.interventions import EncodedImages

log = logging.getLogger(__name__)

SEED = 0  # the specimens are the same at every look, and in every run


class DisentanglementScores(Callback):
    """Send MIG, SAP, modularity, OMES and active units to the loggers every so many epochs, as ``val/mig``, ...

    An epoch is Lightning's, which ends with a validation. Nothing that the training draws or learns depends on it.

    Parameters
    ----------
    model
        The VAE in training.
    data
        Images that can be made of given factors.
    every
        Epochs between two looks.
    samples
        Images that are encoded, and as many again for each factor.
    """

    def __init__(self, model: VAE, data: IndexedImages, every: int, samples: int = 1000):
        self.model = model
        self.world = EncodedImages(model, data)
        self.every = every
        self.samples = samples
        self.of_tables = MetricCollection(
            {"mig": MIG(), "sap": SAP(), "modularity": Modularity(), "active_units": ActiveUnits()},
            compute_groups=False,
        )

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look when it is due."""
        if (trainer.current_epoch + 1) % self.every:
            return
        module = counting(pl_module)
        try:
            values = {f"val/{name}": value for name, value in self.look().items()}
        except NotFiniteError as error:  # the training itself says what is wrong
            log.info("no scores of disentanglement after %d batches: %s", module.batches, error)
            return
        send(trainer, module, values)

    def look(self) -> dict[str, float]:
        """The scores of the model as it is."""
        training = self.model.training
        self.model.eval()
        try:
            self.world.forget()
            generator = np.random.default_rng(SEED)
            drawn = self.world.draw(self.samples, generator)
            self.of_tables.reset()
            self.of_tables.update(as_tensor(self.world.encode(drawn)), as_tensor(drawn))
            overlap = OMES([str(factor) for factor in drawn])
            for factor, (before, after) in pairs_by_intervention(self.world, self.samples, generator).items():
                overlap.update(factor, as_tensor(before), as_tensor(after))
        finally:
            self.model.train(training)
        return {name: float(value) for name, value in {**self.of_tables.compute(), "omes": overlap.compute()}.items()}


def as_tensor(table: pd.DataFrame) -> torch.Tensor:
    """The values of a table."""
    return torch.from_numpy(table.to_numpy().copy())
