"""A prediction as it goes: the run that is asked, batch after batch of its input, and what could not be read."""

import logging
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import torch

from micrographia.data.datamodule import unit_range
from micrographia.data.decoding import in_threads
from micrographia.data.input_files import InputFiles
from micrographia.data.preparing import Prepared
from micrographia.errors import UserError
from micrographia.runs.run import How, Run, at_precision_of
from micrographia.tasks.predict import Options, Prediction
from micrographia.tasks.prediction_files import PredictionFolder
from micrographia.tasks.readers import Batch, Reader
from micrographia.training.fit import prepare_threads
from micrographia.training.progress import WorkProgress

log = logging.getLogger(__name__)


def go_on(
    run: Run,
    images: InputFiles,
    folder: PredictionFolder,
    options: Options,
    batch_size: int | None,
    how: How,
) -> Prediction:
    """Begin a prediction, or go on with it; see `micrographia.tasks.predict.predict`."""
    prepare_threads(how)
    reader = reader_of(run, how, options)
    with folder.opened(reader.columns, reader.per_image):
        return read_all(images, reader, folder, batch_size or reader.batch, bool(how["progress"]))


def reader_of(run: Run, how: How, options: Options) -> Reader:
    """What a finished run says of images.

    Raises
    ------
    UserError
        If it says nothing, or has nothing of what is asked for.
    """
    task = run.config.get("task")
    if task != "superresolve" and options["method"] is not None:
        raise UserError(f"method={options['method']}: of superresolve runs only; {run.folder} is a {task} run.")
    how = at_precision_of(run, beside(run, how))
    match task:
        case "transfer":
            from micrographia.tasks.classifying import transfer_reader

            return transfer_reader(run, how, options)
        case "train":
            from micrographia.tasks.classifying import trained_reader

            return trained_reader(run, how, options)
        case "superresolve":
            from micrographia.tasks.recovering import recovered_reader

            return recovered_reader(run, how, options)
    raise UserError(
        f"run={run.folder}: a run of {task} says nothing of images. Name a transfer, a superresolve, or a training of "
        "a classifier or a VAE."
    )


def beside(run: Run, how: How) -> How:
    """Execution whose runs are those among which a run lies, wherever the command is given."""
    folder = run.folder.resolve()
    if folder.parent.name != run.config.get("task"):
        return how
    return {**how, "paths": {**how["paths"], "runs": str(folder.parent.parent)}}


def read_all(images: InputFiles, reader: Reader, folder: PredictionFolder, size: int, visible: bool) -> Prediction:
    """Read images batch by batch, and add what the run says of them; those that cannot be read are listed.

    Raises
    ------
    UserError
        If none of them can be read.
    """
    missing = [name for name in images.names if name not in folder.done]
    before = len(images.names) - len(missing)
    if changed := [name for name in images.names if name in folder.done and is_newer(images.root / name, folder)]:
        log.warning(
            "changed since they were predicted, and not asked again: %d, the first %s. Name another output folder for "
            "new answers.",
            *(len(changed), changed[0]),
        )
    if folder.done:
        log.info("%s: %d of %d images are done", folder.folder, before, len(images.names))
    reader.expect(images.names)
    folder.refuse(images.unreadable)
    first = next(iter(images.unreadable.items()), None)
    refused, started = len(images.unreadable), time.perf_counter()
    progress = WorkProgress("predicting", visible, per=reader.per)
    try:
        if missing:
            progress(0, len(missing))
        for start in range(0, len(missing), size):
            names = missing[start : start + size]
            found = dict(zip(names, in_threads(lambda name: attempt(reader, images.root / name), names), strict=True))
            reasons = {name: reason for name, reason in found.items() if isinstance(reason, str)}
            whole = {name: prepared for name, prepared in found.items() if isinstance(prepared, Prepared)}
            if whole:
                watch = partial(moved, progress, start, len(missing))
                folder.append(reader.rows(batch_of(whole, images.root), folder.folder, watch))
            folder.refuse(reasons)
            refused += len(reasons)
            first = first or next(iter(reasons.items()), None)
            progress(start + len(names), len(missing))
    finally:
        progress.close()
    done = len(folder.done & set(images.names))
    seconds = time.perf_counter() - started
    counts = {"images": done, "unreadable": refused, "seconds": round(seconds, 3)}
    folder.save_record({"about": reader.about | {"preparation": reader.preparation.describe()}, **counts})
    if first is not None and not done:
        raise UserError(
            f"input: none of {refused} images could be read; the first, {first[0]}: {first[1]}"
            + (f"\nAll are listed in {folder.unreadable}." if refused > 1 else "")
        )
    if first is not None:
        log.warning("could not be read: %d, the first %s: %s All: %s", refused, *first, folder.unreadable)
    if asked := done - before:
        log.info("predicted: %d in %.1f s, %.3g images/s", asked, seconds, asked / seconds)
    log.info("%s: %d images", folder.table, done)
    return Prediction(folder.folder, done, refused)


def is_newer(path: Path, folder: PredictionFolder) -> bool:
    """Whether a file was written after the last rows of the table."""
    try:
        return path.stat().st_mtime > folder.written
    except OSError:
        return False


def attempt(reader: Reader, path: Path) -> Prepared | str:
    """A file as the model takes it, or why there is none."""
    try:
        return reader.preparation(path)
    except UserError as error:
        return str(error).removeprefix(f"{path}: ")


def batch_of(whole: Mapping[str, Prepared], root: Path) -> Batch:
    """Prepared images as a batch."""
    images = torch.stack([unit_range(torch.from_numpy(prepared.item)) for prepared in whole.values()])
    return Batch(list(whole), [root / name for name in whole], images, [prepared.flag for prepared in whole.values()])


def moved(progress: WorkProgress, before: int, total: int, done: float) -> None:
    """Move a bar on by what is done of a batch."""
    progress(before + done, total)
