"""``micrographia predict``: what a finished run says of a user's own images; imports nothing heavy before the work."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypedDict

from micrographia import __version__
from micrographia.config import Between, check_value, config_directory
from micrographia.errors import UserError
from micrographia.runs.run import How
from micrographia.tasks.composing import composed_for, print_config, without_show

if TYPE_CHECKING:
    import pandas as pd

NAMED = ("run", "input", "output")
WRITTEN = (*NAMED, "probe", "method", "rejection")  # texts, taken as they are written: Hydra knows some as groups


class Options(TypedDict):
    """What is asked of a run."""

    probe: str | None
    rejection: Literal["mahalanobis", "knn", "probability"]
    kept: Annotated[float, Between(0.5, 1)] | None
    method: str | None
    measure: bool
    channels: list[int | str] | None
    limits: list[list[float]] | None


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
    def table(self) -> "pd.DataFrame":
        """The rows of all images, in memory."""
        import pandas as pd

        file, texts = self.folder / "predictions.csv", ("file", "class", "probe", "flag", "image", "method")
        numbers = {str(name): [""] for name in pd.read_csv(file, nrows=0) if name not in texts}
        return pd.read_csv(file, dtype=dict.fromkeys(texts, str), keep_default_na=False, na_values=numbers)


def predict_command(arguments: Sequence[str]) -> int:
    """Answer ``micrographia predict run=PATH input=PATH output=FOLDER [key=value ...]`` and return the exit status.

    Raises
    ------
    UserError
        If an option, a key, the run or the images are not what can be worked with; see `predict`.
    """
    from micrographia.console import show_notices

    if not arguments or {"-h", "--help"} & set(arguments):
        print(overview())
        return 0
    words, shown = without_show(arguments)
    if option := next((word for word in words if word.startswith("-")), None):
        raise UserError(
            f"{option}: predict takes key=value, and --cfg job at the end. It makes no runs, so that there is nothing "
            "to sweep."
        )
    what, how = settings(words)
    if shown:
        print_config("predict", {**what, "how": how})
        return 0
    show_notices()
    for key, example in zip(NAMED, ("runs/transfer/NAME", "FOLDER", "FOLDER"), strict=True):
        if not what[key]:
            raise UserError(f"{key}: no value given. Add {key}={example} to the command.")
    print(predict(**what, how=how).folder, flush=True)
    return 0


def overview() -> str:
    """Text of ``micrographia predict --help``."""
    return (
        "micrographia predict: what a finished run says of your own images\n\n"
        "  micrographia predict run=PATH input=FOLDER|FILE|PATTERN output=FOLDER [key=value ...] [--cfg job]\n\n"
        "A transfer classifies (class, probability, named latents, rejection), a superresolve run recovers and\n"
        "measures, a trained classifier classifies, a trained VAE gives its latents. Images are prepared as the run\n"
        "prepared its own. Results go to predictions.csv batch by batch: the same command goes on where it was\n"
        "stopped. Images that cannot be read are listed in unreadable.csv.\n\n"
        f"Keys of predict.yaml:\n{(config_directory() / 'predict.yaml').read_text().rstrip()}\n\n"
        "The last line on stdout is the output folder."
    )


def settings(words: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What and how of ``predict.yaml`` with overrides, checked; texts as they are written.

    Raises
    ------
    UserError
        At the first key that does not exist, or value that does not fit.
    """
    from micrographia.runs.address import with_home

    texts: dict[str, str | None] = {}
    overrides = []
    for word in words:
        key, equals, value = word.partition("=")
        if equals and key in WRITTEN:
            if key in texts:
                raise UserError(f"{key}: given more than once. Give it once.")
            texts[key] = None if value in ("null", "") else with_home(unquoted(value))
        else:
            overrides.append(word)
    what, how = composed_for("predict", overrides)
    what |= texts
    check_value(what, Predict, "")
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
    check_value(given, Predict, "")
    how = settings([])[1] if how is None else how
    from micrographia.data.input_files import input_files
    from micrographia.runs.run import Run
    from micrographia.tasks.prediction_files import RECORD, PredictionFolder

    finished = Run.named(str(run))
    images = input_files(str(input), RECORD)
    options: Any = {name: given[name] for name in Options.__annotations__}
    asked = {
        "run": str(finished.folder.resolve()),
        "digest": finished.result["digest"],
        "input": str(Path(input).expanduser().absolute()),
        **options,
        "version": __version__,
    }
    folder = PredictionFolder(Path(output).expanduser(), asked)
    folder.require_own()
    from micrographia.tasks.predicting import go_on  # after what can be refused at once: it imports for seconds

    return go_on(finished, images, folder, options, batch_size, how)
