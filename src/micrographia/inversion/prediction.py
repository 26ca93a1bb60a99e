"""Super-resolve a set of images in a folder, so that a killed process goes on with the images that are missing."""

import logging
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from pytorch_lightning import Trainer
from torch import Tensor

from micrographia import __version__
from micrographia.console import quieten_lightning
from micrographia.errors import UserError
from micrographia.inversion.checks import UNUSABLE
from micrographia.inversion.method import Method
from micrographia.inversion.module import InversionModule, LowImages, LowResolutionImages, Progress
from micrographia.inversion.problem import Problem
from micrographia.inversion.solutions import Solutions, concatenated

log = logging.getLogger(__name__)


def superresolve(
    method: Method,
    problem: Problem,
    low_images: LowImages,
    keys: Tensor,
    folder: Path,
    accelerator: Literal["cpu", "gpu", "cuda", "mps", "auto"] = "cpu",
    devices: int = 1,
    progress: Progress | None = None,
    blank: Sequence[int] = (),
) -> Solutions:
    """Solutions of all images, in the order of their keys; those that lie in the folder are not made again.

    Parameters
    ----------
    method, problem
        What to do, and with what.
    low_images
        From keys to low-resolution images ``(n, channels, s, s)`` in 0..1.
    keys
        Of the images, int64, each once.
    folder
        Where solutions are kept as soon as they are found, in files that are written whole or not at all.
    accelerator, devices
        As Lightning's; several devices share the chunks among them.
    progress
        Called with the images done and those to do.
    blank
        Channels that the images lack, which are 0 throughout.

    Raises
    ------
    UserError
        If the images do not fit the generator, or none of them can be searched.
    """
    kept = kept_solutions(folder)
    finished = {key for part in kept for key in part.keys.tolist()}
    missing = torch.as_tensor([key for key in keys.tolist() if key not in finished], dtype=torch.int64)
    if finished and len(missing):
        log.info("%s: %d of %d images are done", folder, len(keys) - len(missing), len(keys))
    if len(missing):
        method.check(problem)
        predict(
            method,
            problem,
            LowResolutionImages(low_images, missing, method.chunk_size(problem)),
            folder,
            accelerator,
            devices,
            progress,
            blank,
        )
        kept = kept_solutions(folder)
    found = concatenated(kept, keys.tolist())
    require_some(found, method)
    return found


def predict(
    method: Method,
    problem: Problem,
    images: LowResolutionImages,
    folder: Path,
    accelerator: str,
    devices: int,
    progress: Progress | None,
    blank: Sequence[int],
) -> None:
    """Run Lightning's prediction loop; the solutions are in the folder then."""
    quieten_lightning()
    module = InversionModule(method, problem, folder, progress, blank)
    trainer = Trainer(
        accelerator=accelerator,
        devices=devices,
        strategy="ddp_fork" if devices > 1 and accelerator == "cpu" else "auto",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,  # the chunks are dealt out by LowResolutionImages
        inference_mode=False,  # a search needs gradients
    )
    start = time.perf_counter()
    try:
        trainer.predict(module, datamodule=images, return_predictions=False)
    except SystemExit as stopped:  # Lightning's answer to Ctrl-C and to SIGTERM
        raise KeyboardInterrupt from stopped
    minutes = (time.perf_counter() - start) / 60
    log.info("%s: %d images, %.1f images/min", method.name, images.count, images.count / minutes)


def kept_solutions(folder: Path) -> list[Solutions]:
    """Solutions that lie in a folder, by their first keys, but those that another version of the package has made."""
    files = sorted(folder.glob("[0-9]*.safetensors"), key=lambda file: int(file.stem))
    own = [file for file in files if Solutions.made_by(file) == __version__]
    if len(own) < len(files):
        log.info("%s: %d files are of another version and are searched anew", folder, len(files) - len(own))
    return [Solutions.load(file) for file in own]


def require_some(found: Solutions, method: Method) -> None:
    """Raise if no image could be searched."""
    reasons = Counter(flag for flag in found.table["flag"] if flag in UNUSABLE)
    if len(found.keys) and sum(reasons.values()) == len(found.table):
        named = ", ".join(f"{reason} ({count})" for reason, count in reasons.most_common())
        raise UserError(
            f"inversion {method.name}: none of the {len(found.keys)} low-resolution images can be searched: {named}. "
            "Images are expected in 0..1."
        )
