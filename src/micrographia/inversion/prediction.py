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
from micrographia.devices.crew import Crew
from micrographia.devices.shares import Place
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
    crew: Crew | None = None,
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
    accelerator
        As Lightning's.
    crew
        Processes that share the images, each of which is searched by one of them; None: this one alone.
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
        # A method that answers in one pass is not worth the way to other processes.
        crew = crew if crew is not None and method.code_layers(problem) is not None else Crew()
        chunk = min(method.chunk_size(problem), -(-len(missing) // crew.size))
        shared = (method, problem, low_images, missing, chunk, folder, accelerator, crew.devices, blank)
        start = time.perf_counter()
        crew.run(predict_share, *shared, together=False, progress=progress)
        minutes = (time.perf_counter() - start) / 60
        log.info("%s: %d images, %.1f images/min", method.name, len(missing), len(missing) / minutes)
        kept = kept_solutions(folder)
    found = concatenated(kept, keys.tolist())
    require_some(found, method)
    return found


def predict_share(
    place: Place,
    method: Method,
    problem: Problem,
    low_images: LowImages,
    keys: Tensor,
    chunk: int,
    folder: Path,
    accelerator: str,
    devices: int,
    blank: Sequence[int],
    progress: Progress | None = None,
) -> None:
    """Run Lightning's prediction loop in one of the processes that share the images; the solutions are in the folder.

    Parameters
    ----------
    chunk
        Images that are searched at once.
    devices
        Processes on each machine.
    """
    quieten_lightning()
    module = InversionModule(method, problem, folder, progress, blank)
    images = LowResolutionImages(low_images, keys, chunk, place)
    on_gpu = place.size > 1 and accelerator != "cpu" and torch.cuda.is_available()
    trainer: Trainer = Trainer(
        accelerator=accelerator,
        devices=[place.rank % devices] if on_gpu else 1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,  # the chunks are dealt out by LowResolutionImages
        inference_mode=False,  # a search needs gradients
    )
    try:
        trainer.predict(module, datamodule=images, return_predictions=False)
    except SystemExit as stopped:  # Lightning's answer to Ctrl-C and to SIGTERM
        raise KeyboardInterrupt from stopped


def kept_solutions(folder: Path) -> list[Solutions]:
    """Solutions that lie in a folder, by their first keys, but those that another version of the package has made."""
    files = sorted(folder.glob("[0-9]*.safetensors"), key=lambda file: int(file.stem))
    own = [file for file in files if Solutions.made_by(file) == __version__]
    if len(own) < len(files):
        log.info("%s: %d files are of another version and are searched anew", folder, len(files) - len(own))
    return [Solutions.load(file) for file in own]


def require_some(found: Solutions, method: Method) -> None:
    """Raise if no image could be searched."""
    first = found.table.loc[found.table["solution"] == 0, "flag"]
    reasons = Counter(flag for flag in first if flag in UNUSABLE)
    if len(first) and sum(reasons.values()) == len(first):
        named = ", ".join(f"{reason} ({count})" for reason, count in reasons.most_common())
        raise UserError(
            f"inversion {method.name}: none of the {len(found.keys)} low-resolution images can be searched: {named}. "
            "Images are expected in 0..1."
        )
