"""``micrographia predict``: what a finished run says of a user's own images, as a table that grows batch by batch."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import torch

from micrographia import __version__
from micrographia.config import Between, check_value
from micrographia.data.datamodule import unit_range
from micrographia.data.decoding import in_threads
from micrographia.data.input_files import InputFiles, input_files
from micrographia.data.preparing import Prepared
from micrographia.errors import UserError
from micrographia.runs.address import run_folder, with_home
from micrographia.runs.run import How, Run, at_precision_of
from micrographia.tasks.prediction_files import RECORD, PredictionFolder
from micrographia.tasks.readers import Options, Reader
from micrographia.training.fit import prepare_threads
from micrographia.training.progress import WorkProgress

log = logging.getLogger(__name__)

NAMED = ("run", "input", "output")  # paths, taken as they are written: Hydra would stumble over some characters


class Predict(Options):
    """Keys of ``predict.yaml``."""

    run: str | None
    input: str | None
    output: str | None
    batch_size: Annotated[int, Between(1)] | None


@dataclass(frozen=True)
class Prediction:
    """What a prediction has left behind.

    Attributes
    ----------
    folder : Path
        With ``predictions.csv``, ``prediction.json``, and, where there are any, ``unreadable.csv`` and ``images/``.
    images : int
        Images in the table.
    unreadable : int
        Images that could not be read.
    """

    folder: Path
    images: int
    unreadable: int

    @property
    def table(self) -> pd.DataFrame:
        """The rows of all images, in memory."""
        texts = {"file": str, "class": str, "flag": str, "image": str}
        return pd.read_csv(self.folder / "predictions.csv", dtype=texts, keep_default_na=False, na_values={})


def predict_command(arguments: Sequence[str]) -> int:
    """Answer ``micrographia predict run=PATH input=PATH output=FOLDER [key=value ...]`` and return the exit status.

    Raises
    ------
    UserError
        If an option, a key, the run or the images are not what can be worked with; see `predict`.
    """
    from micrographia.console import show_notices

    if {"-h", "--help"} & set(arguments):
        print(overview())
        return 0
    shown = list(arguments[-2:]) == ["--cfg", "job"]
    words = list(arguments[:-2] if shown else arguments)
    if option := next((word for word in words if word.startswith("-")), None):
        raise UserError(
            f"{option}: predict takes key=value, and --cfg job at the end. It makes no runs, so that there is nothing to "
            "sweep."
        )
    what, how = settings(words)
    if shown:
        import yaml

        print(yaml.safe_dump({"task": "predict", **what, "how": how}, sort_keys=False), end="")
        return 0
    show_notices()
    for key, example in zip(NAMED, ("runs/transfer/NAME", "FOLDER", "FOLDER"), strict=True):
        if not what[key]:
            raise UserError(f"{key}: no value given. Add {key}={example} to the command.")
    print(predict(**what, how=how).folder, flush=True)
    return 0


def overview() -> str:
    """Text of ``micrographia predict --help``."""
    from micrographia.config import config_directory

    return (
        "micrographia predict: what a finished run says of your own images\n\n"
        "  micrographia predict run=PATH input=FOLDER|FILE|PATTERN output=FOLDER [key=value ...] [--cfg job]\n\n"
        "A transfer classifies (class, probability, named latents, rejection), a superresolve run recovers and measures,\n"
        "a trained classifier classifies, a trained VAE gives its latents. Images are prepared as the run prepared its\n"
        "own. Results go to predictions.csv batch by batch: the same command goes on where it was stopped. Images that\n"
        "cannot be read are listed in unreadable.csv.\n\n"
        f"Keys of predict.yaml:\n{(config_directory() / 'predict.yaml').read_text().rstrip()}\n\n"
        "The last line on stdout is the output folder."
    )


def settings(words: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What and how of ``predict.yaml`` with overrides, checked; paths as they are written.

    Raises
    ------
    UserError
        At the first key that does not exist, or value that does not fit.
    """
    from micrographia.tasks.data import composed_for

    paths: dict[str, str] = {}
    overrides = []
    for word in words:
        key, equals, value = word.partition("=")
        if equals and key in NAMED:
            if key in paths:
                raise UserError(f"{key}: given more than once. Give it once.")
            paths[key] = with_home(unquoted(value))
        else:
            overrides.append(word)
    what, how = composed_for("predict", overrides)
    what |= paths
    check_value(what, Predict, "predict")
    return what, how


def unquoted(value: str) -> str:
    """A path without the quotes that Hydra's grammar would want around some.

    Examples
    --------
    >>> unquoted("'my images (1)'"), unquoted("plate's")
    ('my images (1)', "plate's")
    """
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"" else value


def predict(
    run: str | Path,
    input: str | Path,  # noqa: A002  (the command's own word)
    output: str | Path,
    *,
    probe: str | None = None,
    rejection: str = "mahalanobis",
    kept: float | None = None,
    method: str | None = None,
    measure: bool = True,
    channels: Sequence[int | str] | None = None,
    limits: Sequence[Sequence[float]] | None = None,
    batch_size: int | None = None,
    how: How | None = None,
) -> Prediction:
    """Classify, or super-resolve and measure, images by a finished run, as far as that is not done already.

    Memory holds a batch of images and the names of all. Numbers of an image depend on its file alone, but for rounding
    in a search, whose images share their steps.

    Parameters
    ----------
    run
        Folder of a finished run, or ``pretrained/NAME``.
    input
        Folder of images, one file, or a pattern of paths.
    output
        Folder of the results; made if it is not there, gone on with if it holds the same prediction, unfinished.
    probe, rejection, kept, method, measure, channels, limits, batch_size
        As in ``conf/predict.yaml``.
    how
        The executing half of a config; None takes ``predict.yaml``'s.

    Raises
    ------
    UserError
        If there is no such run, it is not finished or says nothing of images, there are no images, none of them can be
        read, or the output holds something else or cannot be written.
    """
    given = {
        "run": str(run),
        "input": str(input),
        "output": str(output),
        "probe": probe,
        "rejection": rejection,
        "kept": kept,
        "method": method,
        "measure": measure,
        "channels": None if channels is None else list(channels),
        "limits": None if limits is None else [list(pair) for pair in limits],
        "batch_size": batch_size,
    }
    check_value(given, Predict, "predict")
    how = settings([])[1] if how is None else how
    prepare_threads(how)
    finished = finished_run(str(run))
    images = input_files(str(input), RECORD)
    options: Any = {name: given[name] for name in Options.__annotations__}
    reader = reader_of(finished, how, options)
    asked = {
        "run": str(finished.folder.resolve()),
        "digest": finished.result["digest"],
        "input": str(Path(input).expanduser().absolute()),
        **options,
        "version": __version__,
    }
    folder = PredictionFolder(Path(output).expanduser(), asked, reader.columns, reader.per_image)
    with folder.opened():
        return read_all(images, reader, folder, batch_size or reader.batch, bool(how["progress"]))


def finished_run(name: str) -> Run:
    """The finished run of that name.

    Raises
    ------
    UserError
        If it is not there, is no run's folder, or is not finished.
    """
    run = Run(run_folder(name))
    if not run.folder.is_dir():
        raise UserError(f"run={name}: no such folder. Name a finished run, as runs/transfer/NAME-DIGEST.")
    if not run.finished and (run.folder / "config.yaml").exists():
        raise UserError(f"run={name}: is not finished. Start its command once more, which goes on with it.")
    if not run.finished:
        raise UserError(f"run={name}: is no run's folder (it has no result.json). Name one as runs/transfer/NAME-DIGEST.")
    return run


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
        f"run={run.folder}: a run of {task} says nothing of images. Name a transfer, a superresolve, or a training of a "
        "classifier or a VAE."
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
    if folder.done:
        log.info("%s: %d of %d images are done", folder.folder, len(images.names) - len(missing), len(images.names))
    reader.expect(images.names)
    folder.refuse(images.unreadable)
    first = next(iter(images.unreadable.items()), None)
    refused, started = len(images.unreadable), time.perf_counter()
    progress = WorkProgress("predicting", visible, per=reader.per)
    try:
        for start in range(0, len(missing), size):
            names = missing[start : start + size]
            found = dict(zip(names, in_threads(lambda name: attempt(reader, images.root / name), names), strict=True))
            reasons = {name: reason for name, reason in found.items() if isinstance(reason, str)}
            whole = {name: prepared for name, prepared in found.items() if isinstance(prepared, Prepared)}
            if whole:
                folder.append(rows_of(whole, images.root, reader, folder.folder, progress, start, len(missing)))
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
        log.warning("%d images could not be read, the first %s: %s All: %s", refused, *first, folder.unreadable)
    if missing:
        log.info("%d images in %.1f s, %.3g images/s", len(missing), seconds, len(missing) / seconds)
    log.info("%s: %d images", folder.table, done)
    return Prediction(folder.folder, done, refused)


def attempt(reader: Reader, path: Path) -> Prepared | str:
    """A file as the model takes it, or why there is none."""
    try:
        return reader.preparation(path)
    except UserError as error:
        return str(error).removeprefix(f"{path}: ")


def rows_of(
    whole: Mapping[str, Prepared],
    root: Path,
    reader: Reader,
    folder: Path,
    progress: WorkProgress,
    before: int,
    total: int,
) -> pd.DataFrame:
    """Rows of a batch, ``before`` images being done of ``total``."""
    images = unit_range(torch.from_numpy(np.stack([prepared.item for prepared in whole.values()])))
    flags = [prepared.flag for prepared in whole.values()]
    paths = [root / name for name in whole]
    return reader.rows(list(whole), paths, images, flags, folder, lambda done: progress(before + done, total))
