"""Train a module on a data set, so that a killed process can go on and end with the same numbers."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import Callback, Trainer
from pytorch_lightning.loggers import Logger

from micrographia.console import quieten_lightning
from micrographia.data.datamodule import IndexedImages
from micrographia.devices.crew import assembled
from micrographia.devices.shares import Place
from micrographia.errors import UserError
from micrographia.models.counting import CountingModule
from micrographia.runs.allocator import keep_large_allocations
from micrographia.schema import thousands
from micrographia.training.checkpoints import Checkpoints, read_checkpoint, save_weights
from micrographia.training.curves import Curves
from micrographia.training.progress import TrainingProgress
from micrographia.training.pruning import pruning
from micrographia.training.spread import Termination, devices_at, trained_at


def fit(
    model: CountingModule,
    data: IndexedImages,
    budget: Mapping[str, Any],
    how: Mapping[str, Any],
    folder: Path,
    title: str,
    seed: int,
    loggers: Sequence[Logger] = (),
    callbacks: Sequence[Callback] = (),
) -> None:
    """Train a module for its budget, resuming from ``folder/last.ckpt``, and write ``folder/weights.safetensors``.

    Parameters
    ----------
    model
        What to train; says by itself which batches it needs.
    budget
        ``steps``, ``epochs`` or ``kimg``; ``batch_size``, ``validate_every``.
    how
        The executing half of the config.
    title
        Shown beside the progress bar.
    callbacks
        Beside those that every training has.
    """
    steps, interval = count_steps(budget, data)
    drawing = {
        "seed": seed,
        "batch_size": budget["batch_size"],
        "steps": steps,
        "interval": interval,
        "changed_factors": model.changed_factors,
        "labelled": model.labelled,
        "workers": how["workers"],
        "groups": model.batch_groups,
    }
    data.fit(**drawing)
    try:
        model.configure_optimizers()
    except ValueError as error:  # a rate that the optimiser refuses
        raise UserError(f"optimizer: {error}.") from error
    if device_of(how).type == "cpu" and how["precision"] == "16-mixed":  # Lightning would take bf16 instead
        raise UserError("how.precision=16-mixed: half precision needs a GPU. Use 32-true, or bf16-mixed.")
    checkpoint = folder / "last.ckpt"
    if checkpoint.exists():
        fits_checkpoint(model, checkpoint, steps, interval)
    watching = [TrainingProgress(title, steps, how["progress"]), Curves(how["log_every"]), *callbacks]
    with assembled(how) as crew:
        require_shareable(model, data, crew.size)
        own: dict[str, Any] = {"loggers": loggers, "callbacks": watching, "afterwards": pruning(folder, how)}
        crew.run(train_share, model, data, drawing, how, checkpoint, **own)
    save_weights(model, folder / "weights.safetensors")


def train_share(
    place: Place,
    model: CountingModule,
    data: IndexedImages,
    drawing: Mapping[str, Any],
    how: Mapping[str, Any],
    checkpoint: Path,
    loggers: Sequence[Logger] = (),
    callbacks: Sequence[Callback] = (),
    afterwards: Sequence[Callback] = (),
) -> None:
    """Train a module in one of the processes that share its batches; only the first has loggers and writes.

    Parameters
    ----------
    drawing
        Arguments of `IndexedImages.fit`.
    checkpoint
        Where to go on from, if it is there, and where to write.
    afterwards
        Callbacks that come after the checkpoint is written.
    """
    quieten_lightning()
    prepare_threads(how)
    data.fit(**drawing, place=place)
    with trained_at(place, model):
        trainer = Trainer(
            accelerator=how["accelerator"],
            precision=how["precision"],
            **devices_at(place, how),
            max_epochs=math.ceil(drawing["steps"] / drawing["interval"]),
            logger=list(loggers),
            callbacks=[
                *callbacks,
                *([Termination(place)] if place.size > 1 else []),
                Checkpoints(checkpoint),
                *afterwards,
            ],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            reload_dataloaders_every_n_epochs=1,
            log_every_n_steps=10**9,  # Curves does the logging, by batches and images
            inference_mode=False,
        )
        try:
            trainer.fit(model, datamodule=data, ckpt_path=checkpoint if checkpoint.exists() else None)
        except SystemExit as stopped:  # Lightning's answer to Ctrl-C and to SIGTERM
            raise KeyboardInterrupt from stopped


def require_shareable(model: CountingModule, data: IndexedImages, processes: int) -> None:
    """Refuse to train a module in several processes where that would be another training than in one.

    Raises
    ------
    UserError
        If the module does not say that it can, or its batches cannot be divided.
    """
    if processes == 1:
        return
    if not model.shareable:
        raise UserError(
            f"how.trainer: a {type(model).__name__} is not trained by several processes. Set how/trainer=single."
        )
    total, parts = data.training_share.total, processes * model.batch_groups
    if total % parts:
        groups = f" in groups of {model.batch_groups}" if model.batch_groups > 1 else ""
        raise UserError(
            f"batch_size={total} (budget.batch_size; of fine-tuning finetune.batch_size): cannot be divided among "
            f"{processes} processes (how.trainer){groups}. Set a multiple of {parts}."
        )
    held_out = len(data.indices("val"))
    if held_out < processes:
        raise UserError(
            f"data {data.name}: {held_out} images are in the val part, how.trainer has {processes} processes."
        )


def count_steps(budget: Mapping[str, Any], data: IndexedImages) -> tuple[int, int]:
    """Batches in all, and batches between validations, of a budget that `micrographia.schema` has checked."""
    if budget["epochs"] is not None:
        interval = data.steps_per_epoch(budget["batch_size"])
        return budget["epochs"] * interval, interval
    steps, interval = budget["steps"], budget["validate_every"]
    if steps is None:
        steps = math.ceil(budget["kimg"] * 1000 / budget["batch_size"])
    if isinstance(interval, str):
        interval = math.ceil(thousands(interval) * 1000 / budget["batch_size"])
    return steps, min(steps, interval)


def fits_checkpoint(model: CountingModule, checkpoint: Path, steps: int, interval: int) -> None:
    """Refuse to resume from a checkpoint of another architecture, from what is none, or from between two validations.

    Data go on at the next validation's beginning, noise at the next batch: they must be the same one.
    """
    content = read_checkpoint(checkpoint)
    if not isinstance(content, dict) or "state_dict" not in content:
        raise UserError(f"{checkpoint}: no checkpoint of a training. Delete it to start this run anew.")
    own = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    theirs = {name: tuple(tensor.shape) for name, tensor in content["state_dict"].items()}
    if own != theirs:
        raise UserError(f"{checkpoint}: checkpoint of another architecture. Delete it to start this run anew.")
    batches = content["counters"]["batches"]
    if batches < steps and batches != (content["epoch"] + 1) * interval:
        raise UserError(
            f"{checkpoint}: ends at batch {batches}, which is no multiple of this run's {interval} batches between "
            "validations (budget.validate_every, or an epoch). Delete it to start this run anew."
        )


def prepare_threads(how: Mapping[str, Any]) -> None:
    """Set torch's threads, glibc's thresholds for large tensors, and flush denormal numbers, on which a CPU is slow."""
    torch.set_flush_denormal(True)
    if how["threads"] is not None:
        torch.set_num_threads(how["threads"])
    keep_large_allocations()


def device_of(how: Mapping[str, Any]) -> torch.device:
    """Device on which models encode, as Lightning's accelerator would choose it."""
    choice = how["accelerator"]
    if choice in ("gpu", "cuda", "auto") and torch.cuda.is_available():
        return torch.device("cuda")
    if choice in ("mps", "auto") and torch.backends.mps.is_available():
        return torch.device("mps")
    if choice in ("gpu", "cuda", "mps"):
        raise UserError(f"how.accelerator={choice}: no such device here. Use how.accelerator=cpu.")
    return torch.device("cpu")
