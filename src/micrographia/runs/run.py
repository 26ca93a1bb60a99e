"""A run's folder: obtained once, resumed if interrupted, read back ever after."""

import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from omegaconf import OmegaConf
from yaml import YAMLError

from micrographia import __version__
from micrographia.errors import UserError
from micrographia.pretrained import is_shipped, shipped_folder
from micrographia.runs.address import digest, run_folder
from micrographia.runs.environment import environment
from micrographia.runs.fingerprint import ContentHashes
from micrographia.runs.lock import held
from micrographia.runs.writing import remove_partial_files, write_atomically, write_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

log = logging.getLogger(__name__)

FULL_PRECISION = "32-true"
DPI = 150  # of saved figures
PREVIOUS = ".previous"  # added to the folder of a run that is made anew

What = Mapping[str, Any]
How = Mapping[str, Any]
Metrics = dict[str, float]


class Run:
    """One run's folder, ``runs/<task>/<name>-<digest>``.

    It holds ``config.yaml`` (the resolved *what*), ``environment.json``, ``last.ckpt`` to resume from,
    ``weights.safetensors``, ``curves.csv``, ``tables/*.csv``, ``figures/*.png`` and, once it is finished,
    ``result.json``.

    Attributes
    ----------
    found
        Whether `obtain` found it finished, and had nothing to do.
    """

    def __init__(self, folder: Path | str, found: bool = False):
        self.folder = Path(folder)
        self.found = found

    @classmethod
    def named(cls, run: str, key: str = "run") -> "Run":
        """A finished run, named by its folder or as ``pretrained/NAME``.

        Raises
        ------
        UserError
            If it is not there, is no run's folder, or is not finished.
        """
        try:
            found = cls(run_folder(run))
        except UserError as error:
            raise UserError(f"{key}: {error}") from error
        if found.finished:
            return found
        if not found.folder.is_dir():
            raise UserError(f"{key}: {run} is no folder. Name a finished run, as runs/train/NAME-DIGEST.")
        if (found.folder / "config.yaml").exists():
            raise UserError(f"{key}: {run} is not finished. Start its command once more, which goes on with it.")
        raise UserError(f"{key}: {run} is no run's folder (it has no result.json). Name one as runs/train/NAME-DIGEST.")

    @property
    def place(self) -> str:
        """How a command names it: by its folder, or as ``pretrained/NAME``."""
        return f"pretrained/{self.folder.name}" if is_shipped(self.folder) else str(self.folder)

    @property
    def finished(self) -> bool:
        """Whether ``result.json`` is there, which is written last."""
        return (self.folder / "result.json").exists()

    @property
    def result(self) -> dict[str, Any]:
        """Content of ``result.json``: task, name, digest, status, seconds, metrics, ..."""
        return self.record("result")

    @property
    def metrics(self) -> Metrics:
        """Flat metrics of a finished run."""
        return self.result["metrics"]

    @property
    def config(self) -> dict[str, Any]:
        """The resolved *what* that the run was made from."""
        with readable(self.folder / "config.yaml") as path:
            return dict(OmegaConf.to_container(OmegaConf.load(path)))  # type: ignore[arg-type]

    @property
    def checkpoint(self) -> Path:
        """Checkpoint that an interrupted run resumes from."""
        return self.folder / "last.ckpt"

    @property
    def weights(self) -> Path:
        """Weights of the trained model."""
        return self.folder / "weights.safetensors"

    def table(self, name: str) -> pd.DataFrame:
        """Read a table back; an empty flag is an empty text."""
        table = pd.read_csv(self.folder / "tables" / f"{name}.csv")
        return table.fillna({"flag": ""}) if "flag" in table else table

    def save_table(self, name: str, table: pd.DataFrame, index: bool = False) -> pd.DataFrame:
        """Write a table as CSV and return it."""
        write_atomically(self.folder / "tables" / f"{name}.csv", lambda part: table.to_csv(part, index=index))
        return table

    def save_figure(self, name: str, figure: "Figure") -> None:
        """Write a figure as PNG."""
        write_figure(self.folder / "figures" / f"{name}.png", figure, dpi=DPI, bbox_inches="tight")

    def save_page(self, name: str, page: str) -> None:
        """Write a page of HTML beside the figures."""
        write_atomically(self.folder / "figures" / f"{name}.html", lambda part: part.write_text(page, encoding="utf-8"))

    def save_record(self, name: str, record: Mapping[str, Any]) -> None:
        """Write a JSON file."""
        write_atomically(
            self.folder / f"{name}.json", lambda part: part.write_text(json.dumps(record, indent=2) + "\n")
        )

    def record(self, name: str) -> dict[str, Any]:
        """Read a JSON file back."""
        with readable(self.folder / f"{name}.json") as path:
            return dict(json.loads(path.read_text()))

    @property
    def lock(self) -> Path:
        """File that the process making this run has locked."""
        address = self.folder.name.rpartition("-")[2]  # the label before it may differ between two commands
        return self.folder.with_name(f".{address}.lock")


@contextmanager
def readable(path: Path) -> Iterator[Path]:
    """Answer a run's file that is missing or damaged, which only something else than this package can have done."""
    try:
        yield path
    except (OSError, ValueError, TypeError, YAMLError) as error:
        raise UserError(f"{path}: cannot be read ({' '.join(str(error).split())}). Make the run anew.") from error


def obtain(what: What, how: How, recipe: Callable[[What, How, Run], Metrics], rerun: bool = False) -> Run:
    """Return the run of a configuration: read back if finished or shipped, waited for, resumed, or made by ``recipe``.

    Parameters
    ----------
    what, how
        The two halves of the resolved configuration; ``what`` has ``task`` and ``name``.
    recipe
        Makes the run in its folder and returns its flat metrics.
    rerun
        Make a finished run anew; the former folder is kept as ``<folder>.previous``.
    """
    what = with_precision(what, how)
    address = address_of(what, how)
    folder = Path(how["paths"]["runs"]) / what["task"]
    run = located(folder, what["name"], address)
    if run.finished and not rerun:
        return returned(run)
    if not rerun and (shipped := shipped_folder(address)):
        log.info("pretrained/%s: already finished, ships with the package", shipped.name)
        return Run(shipped, found=True)
    with held(run.lock, run.folder):
        run = located(folder, what["name"], address)
        if run.finished and not rerun:  # another process has made it meanwhile
            return returned(run)
        former = set_aside(run)
        begin(run, what, how)
        resumed = run.checkpoint.exists()
        started = time.perf_counter()
        try:
            metrics = recipe(what, how, run)
        except UserError:
            if discard_unbegun(run) and former:
                former.rename(run.folder)
            raise
        result = {
            "task": what["task"],
            "name": what["name"],
            "digest": address,
            "status": "done",
            "version": __version__,
            "resumed": resumed,  # then the seconds are of the last process alone
            "seconds": round(time.perf_counter() - started, 3),
            "metrics": {name: float(value) for name, value in metrics.items()},
        }
        run.save_record("result", result)
    return run


def with_precision(what: What, how: How) -> What:
    """What a run is, with the precision of its training unless that is full: another precision, other numbers."""
    precision = how.get("precision", FULL_PRECISION)
    return what if precision == FULL_PRECISION else {**what, "precision": precision}


def address_of(what: What, how: How) -> str:
    """Digest of a configuration, with the content hashes that the cache remembers."""
    hashes = ContentHashes(Path(how["paths"]["cache"]) / "fingerprints.json")
    address = digest(what, hashes)
    hashes.remember()
    return address


def at_precision_of(run: Run, how: How) -> How:
    """Execution at the precision at which a run was made: its input runs are found at no other."""
    return {**how, "precision": run.config.get("precision", FULL_PRECISION)}


def finished_run(what: What, how: How) -> Run | None:
    """The finished run of a configuration, made here or shipped; None where there is none."""
    run = addressed_run(what, how)
    return run if run.finished else None


def addressed_run(what: What, how: How) -> Run:
    """The run of a configuration: where it lies or is to lie, or the shipped one."""
    address = address_of(with_precision(what, how), how)
    run = located(Path(how["paths"]["runs"]) / what["task"], what["name"], address)
    shipped = None if run.finished else shipped_folder(address)
    return Run(shipped) if shipped else run


def located(folder: Path, name: str, address: str) -> Run:
    """The run of an address: where it lies, whatever its label, else where it is to lie."""
    there = sorted(folder.glob(f"*-{address}"))
    return Run(there[0] if there else folder / f"{name}-{address}")


def returned(run: Run) -> Run:
    """Say that a finished run is returned, and notice when another version of the package made it."""
    made_by = run.result.get("version")
    other = "" if made_by == __version__ else f" by version {made_by} (how.rerun=true makes it anew)"
    log.info("%s: already finished%s", run.folder, other)
    return Run(run.folder, found=True)


def discard_unbegun(run: Run) -> bool:
    """Remove the folder of a run that was refused before it had made anything, as for images that are not there.

    Returns
    -------
    Whether it was removed.
    """
    if not {file.name for file in run.folder.iterdir()} <= {"config.yaml", "environment.json"}:
        return False
    shutil.rmtree(run.folder, ignore_errors=True)
    return not run.folder.exists()


def set_aside(run: Run) -> Path | None:
    """Rename the folder of a run that is made anew, so that nothing of it is resumed from, nor lost; its new place."""
    if not run.finished:
        return None
    previous = run.folder.with_name(run.folder.name + PREVIOUS)
    shutil.rmtree(previous, ignore_errors=True)
    return run.folder.rename(previous)


def begin(run: Run, what: What, how: How) -> None:
    """Prepare a run's folder, and say whether the run starts or resumes."""
    remove_partial_files(run.folder)
    log.info("%s: %s", run.folder, "resuming" if run.checkpoint.exists() else "starting")
    write_atomically(run.folder / "config.yaml", lambda part: OmegaConf.save(OmegaConf.create(dict(what)), part))
    run.save_record("environment", environment(how))
