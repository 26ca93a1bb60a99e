"""A finished run in a notebook: its settings, metrics, tables and figures, and the model that it trained."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from micrographia.api.results import Results, by_row
from micrographia.errors import UserError
from micrographia.overrides import is_execution
from micrographia.pretrained import is_shipped
from micrographia.runs.environment import words_of
from micrographia.runs.run import Run as RunFolder

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from micrographia.models.counting import CountingModule

BATCH = 256  # images encoded at once


class Run(Results):
    """A finished run: what it was made from, what it found, and the model that it trained.

    A call like `micrographia.transfer` returns one, and `micrographia.load` reads one by its folder. As the last value
    of a notebook's cell it is shown as a summary.

    Parameters
    ----------
    path
        Its folder, or ``pretrained/NAME`` of a run that ships.
    found
        Whether it had been finished before it was asked for.

    Attributes
    ----------
    path : Path
        Its folder.
    found : bool
        Whether it had been finished before it was asked for.

    Raises
    ------
    UserError
        If there is no finished run.

    Examples
    --------
    >>> run = Run("pretrained/ada_gvae")
    >>> run.task, run.name, len(run.table("latents"))
    ('train', 'ada_gvae-texture_dsprites', 10)
    """

    tables_at, figures_at = "tables", "figures"

    def __init__(self, path: str | Path, found: bool = True):
        self.folder = RunFolder.named(str(Path(path).expanduser()))
        super().__init__(self.folder.folder)
        self.found = found

    @property
    def task(self) -> str:
        """The command that made it: ``train``, ``transfer``, ``superresolve`` or ``evaluate``."""
        return str(self.folder.result["task"])

    @property
    def name(self) -> str:
        """Its label."""
        return str(self.folder.result["name"])

    @property
    def digest(self) -> str:
        """The ten digits that address it: the same settings and images have the same."""
        return str(self.folder.result["digest"])

    @property
    def place(self) -> str:
        """How a command names it: by its folder, or as ``pretrained/NAME``."""
        return self.folder.place

    @property
    def seconds(self) -> float:
        """How long it took; NaN where that is not recorded, as of runs that ship."""
        return float(self.folder.result.get("seconds", "nan"))

    @property
    def config(self) -> dict[str, Any]:
        """Every setting that says what it is, defaults included."""
        return self.folder.config

    @property
    def command(self) -> str:
        """The command of a terminal that makes the same run; empty where it is not recorded."""
        if not (self.path / "environment.json").exists():  # as of runs that ship
            return ""
        return str(self.folder.record("environment")["command"])

    @property
    def settings(self) -> dict[str, str]:
        """What was asked for beside the defaults, and says what the run is, by key."""
        pairs = [word.lstrip("+").partition("=") for word in words_of(self.command)[2:] if "=" in word]
        return {key: value for key, _, value in pairs if not is_execution(key)}

    @property
    def metrics(self) -> pd.Series:
        """Its metrics by name, as ``probe/gbt/after/balanced_accuracy``; shares and accuracies in 0..1."""
        return pd.Series(self.folder.metrics, dtype=float, name=self.name)

    def read_table(self, name: str) -> pd.DataFrame:
        """Read a table that is there."""
        return by_row(self.folder.table(name))

    def model(self, accelerator: str = "auto") -> "CountingModule":
        """The trained model, a LightningModule in evaluation mode: of a transfer the fine-tuned one.

        Parameters
        ----------
        accelerator
            Where it is put: ``cpu``, ``gpu``, ``mps`` or ``auto``.

        Raises
        ------
        UserError
            If the run has trained none, or the runs that it was made from are gone.
        """
        from micrographia.tasks.assembly import load_model
        from micrographia.tasks.evaluated import latent_names, load_last, training_of

        how = self.execution(accelerator)
        if self.task == "train":
            return load_model(self.folder, how)
        if self.task != "transfer":
            raise UserError(f"{self.path}: a {self.task} run trains no model of its own. Load the run that it names.")
        training = training_of(self.folder, how)
        return load_last(self.folder, latent_names(self.folder, training), how)

    def encode(self, images: "ArrayLike", accelerator: str = "auto") -> pd.DataFrame:
        """Latents of images by the run's model: a row per image, a column per latent, by its name.

        Parameters
        ----------
        images
            ``(n, channels, side, side)`` of the model's size, of numpy or torch: real numbers in 0..1, or 8 bit; of a
            model of features ``(n, features)``.
        accelerator
            As of `model`.

        Raises
        ------
        UserError
            If the model has no latents, or the images are not of its shape and range.
        """
        import numpy as np
        import torch

        from micrographia.api.arrays import as_array
        from micrographia.models.vae.vae import VAE

        model = self.model(accelerator)
        if not isinstance(model, VAE):
            raise UserError(f"{self.path}: holds a {type(model).__name__}, and no VAE, whose latents are wanted.")
        array = as_array(images)
        if array.shape[1:] != tuple(model.shape):
            raise UserError(f"images: items of shape {array.shape[1:]}; the model takes {tuple(model.shape)}.")
        if array.dtype == np.uint8:
            array = array / np.float32(255)
        if array.ndim == 4 and not (array.min() >= 0 and array.max() <= 1):
            raise UserError(f"images: values from {array.min():.4g} to {array.max():.4g}. Scale them to 0..1.")
        items = torch.from_numpy(array.astype(np.float32)).to(model.device)
        with torch.no_grad():
            codes = [model.encode(chunk)[0].cpu() for chunk in items.split(BATCH)]
        return pd.DataFrame(torch.cat(codes).numpy(), columns=model.latent_names).rename_axis("item")

    def execution(self, accelerator: str) -> dict[str, Any]:
        """How its model is read: its inputs lie among the runs that it lies among."""
        from micrographia.tasks.composing import composed_for

        how = composed_for("train", [f"how.accelerator={accelerator}"])[1]
        if not is_shipped(self.path):
            how["paths"]["runs"] = str(self.path.absolute().parents[1])
        return how

    def _repr_html_(self) -> str:
        """A summary: what it is, what was asked for, its leading metrics, and what else it holds."""
        from micrographia.api.summary import run_summary

        return run_summary(self)
