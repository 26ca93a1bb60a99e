"""Loggers beside the run's own curves: W&B and TensorBoard, with tables and figures of the result."""

import logging
import os
import secrets
import shlex
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from omegaconf import OmegaConf
from PIL import Image

from micrographia.config import instantiate
from micrographia.errors import UserError
from micrographia.runs.grouping import GROUP_VARIABLE, TAGS_VARIABLE
from micrographia.runs.run import Run
from micrographia.training.curves import COUNTERS, CurveLogger, RunLogger
from micrographia.training.pruning import StoppedError

log = logging.getLogger(__name__)

LONGEST_TABLE = 10_000  # rows that a W&B page shows
SWEEP_VARIABLE = "WANDB_SWEEP_ID"  # by which an agent of W&B tells a run whose sweep it is of
LONGEST_TAG = 64  # characters that W&B takes
# Parts of a configuration whose names tell a W&B run from others.
NAMED_PARTS = ("source", "generator", "model", "data")


@contextmanager
def opened_loggers(how: Mapping[str, Any], run: Run, what: Mapping[str, Any]) -> Iterator[list[RunLogger]]:
    """The curves in the run's folder and the logger that ``how.logger`` names, closed when the block ends or fails."""
    loggers: list[RunLogger] = [CurveLogger(str(run.folder))]
    if how["logger"].get("_target_"):
        loggers.append(instantiate(how["logger"], "how.logger", run=run, config=dict(what)))
    failed = True
    try:
        yield loggers
        failed = False
    except StoppedError:  # on purpose
        failed = False
        raise
    finally:
        for logger in loggers:
            logger.close(failed)


def log_results(loggers: Sequence[RunLogger], run: Run, metrics: Mapping[str, float], images: int) -> None:
    """Send a run's metrics, tables and figures to its loggers, at the number of images it was trained on."""
    tables = {file.stem: file for file in sorted((run.folder / "tables").glob("*.csv"))}
    figures = {file.stem: file for file in sorted((run.folder / "figures").glob("*.png"))}
    for logger in loggers:
        logger.log_result(metrics, tables, figures, images)


class WandbLogger(RunLogger):
    """A W&B run: config, losses and scores by images, and the result's metrics (summary), tables and figures.

    Its files lie under ``wandb/`` in the run's folder. Its id is kept in ``wandb.json``, so that a resumed run
    continues its own W&B run. W&B writes to disk every 15 seconds only, so that a killed process leaves gaps: a resumed
    run first logs from ``curves.csv`` what W&B does not have yet, and an offline one so replaces what was never sent.

    Parameters
    ----------
    run, config
        Our run, and its configuration.
    group
        Whose runs stand together on the W&B page; None: those of one sweep or tuning do.
    tags
        Beside the task, the names of model, data and source, and the preset.
    mode
        ``online``, ``offline``, or None: as WANDB_MODE or ``wandb offline`` say, else online where an account is
        configured and offline where none is.

    Raises
    ------
    UserError
        If wandb is not installed, or W&B cannot be reached with an account.
    """

    def __init__(
        self,
        run: Run,
        config: dict[str, Any],
        project: str = "micrographia",
        entity: str | None = None,
        group: str | None = None,
        tags: Sequence[str] = (),
        mode: Literal["online", "offline"] | None = None,
    ):
        super().__init__()
        try:
            import wandb
        except ImportError as error:
            raise UserError("logger=wandb: wandb is not installed. pip install 'micrographia[wandb]'.") from error
        self.folder = run.folder
        self.interrupted = [folder for folder in run.folder.glob("wandb/offline-run-*") if not was_sent(folder)]
        led, identity = SWEEP_VARIABLE in os.environ, kept_id(run)
        try:
            wandb.setup(settings=wandb.Settings(quiet=True, show_info=False))  # its warnings remain, on stderr
            self.run = wandb.init(
                dir=str(run.folder.resolve()),  # W&B's service has a working directory of its own
                name=run.folder.name,
                id=None if led else identity,  # else it warns that it takes W&B's
                resume="allow",
                reinit="create_new",  # runs of one process do not meet
                project=None if led else project,
                entity=None if led else entity,
                group=group or os.environ.get("WANDB_RUN_GROUP") or os.environ.get(GROUP_VARIABLE),
                job_type=config["task"],
                tags=tags_of(config, [tags] if isinstance(tags, str) else tags),
                config=config,
                mode=mode or usual_mode(),
                settings=wandb.Settings(console="off"),
            )
        except wandb.Error as error:
            raise UserError(f"logger=wandb: {first_line(error)} how.logger.mode=offline works without W&B.") from error
        if not self.run.offline and self.run.url:
            log.info("W&B: %s", self.run.url)
        for counter in COUNTERS:
            self.run.define_metric(counter)
        self.run.define_metric("*", step_metric="images")
        self.known = dict(self.run.summary).get("images", 0)  # where the W&B run stands that an online run resumes
        self.caught_up = False

    def forget_after(self, batches: int, images: int) -> None:
        """Catch up with the curves, which end at the checkpoint."""
        self.catch_up()

    def catch_up(self) -> None:
        """Log, once, the curves that an interrupted process left, and drop its offline files, which they replace."""
        if self.caught_up:
            return
        self.caught_up = True
        curves = self.folder / "curves.csv"
        if curves.exists():
            for _, rows in pd.read_csv(curves).groupby(["batches", "images"]):
                values = dict(zip(rows["name"], rows["value"], strict=True))
                self.log_metrics(
                    {**values, "images": int(rows["images"].iloc[0]), "batches": int(rows["batches"].iloc[0])}
                )
        for folder in self.interrupted:
            shutil.rmtree(folder)

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Log values and the counters among them, of which ``images`` is the charts' x axis."""
        if metrics["images"] >= self.known:
            self.run.log(metrics)

    def log_result(
        self, metrics: Mapping[str, float], tables: Mapping[str, Path], figures: Mapping[str, Path], images: int
    ) -> None:
        """Put metrics into the summary, and show tables and figures."""
        import wandb

        self.catch_up()  # where no training was left to do
        shown: dict[str, Any] = {"images": images}
        for name, file in tables.items():
            table = pd.read_csv(file)
            if len(table) > LONGEST_TABLE:
                log.info("W&B shows tables of up to %d rows; %s stays in the run's folder", LONGEST_TABLE, name)
                continue
            shown[f"table/{name}"] = wandb.Table(dataframe=table, allow_mixed_types=True)
        shown |= {f"figure/{name}": wandb.Image(str(file)) for name, file in figures.items()}
        with staging_in(self.folder / "wandb"):
            self.run.log(shown)
        self.run.summary.update(dict(metrics))

    def close(self, failed: bool) -> None:
        """Finish the W&B run, and say how an offline one is sent."""
        self.run.finish(exit_code=int(failed))
        if self.run.offline:
            folder = shlex.quote(str(self.folder / "wandb"))
            log.info("W&B works offline. To send this run: wandb login && wandb sync %s/offline-run-*", folder)


def tags_of(config: Mapping[str, Any], given: Sequence[str]) -> list[str]:
    """Tags of a run on the W&B page: those given, its task, the names of its parts, and those of its sweep.

    Examples
    --------
    >>> tags_of({"task": "train", "model": {"name": "beta_vae"}, "data": {"name": "cells"}}, ["mine"])
    ['mine', 'train', 'beta_vae', 'cells']
    """
    parts = [config[part] for part in NAMED_PARTS if isinstance(config.get(part), Mapping)]
    names = [str(part["name"]) for part in parts if part.get("name")]
    swept = [tag for tag in os.environ.get(TAGS_VARIABLE, "").split(",") if tag]
    return list(dict.fromkeys(tag[:LONGEST_TAG] for tag in [*given, config["task"], *names, *swept]))


def was_sent(folder: Path) -> bool:
    """Whether ``wandb sync`` has marked an offline run's folder as sent."""
    return any(folder.glob("*.synced"))


def kept_id(run: Run) -> str:
    """The id of a run's W&B run: drawn once and kept in the run's folder, so that a run made anew gets another.

    A run that the agent of a W&B sweep has started has the id that W&B gave it, which takes no other.
    """
    if SWEEP_VARIABLE in os.environ and (given := os.environ.get("WANDB_RUN_ID")):
        run.save_record("wandb", {"id": given, "sweep": os.environ[SWEEP_VARIABLE]})
    elif not (run.folder / "wandb.json").exists():
        run.save_record("wandb", {"id": secrets.token_hex(4)})
    return run.record("wandb")["id"]


def usual_mode() -> Any:
    """W&B's mode where the config names none: what the user set for W&B, else online if there is an account."""
    import wandb

    chosen = os.environ.get("WANDB_MODE")
    configured = chosen or wandb.setup().settings.mode
    if chosen or configured != "online":
        return configured
    return "online" if wandb.login(prompt=False, verify=False) else "offline"


@contextmanager
def staging_in(folder: Path) -> Iterator[None]:
    """Let W&B keep the tables that it has yet to send in a folder, rather than in the user's home."""
    if "WANDB_DATA_DIR" in os.environ:
        yield
        return
    os.environ["WANDB_DATA_DIR"] = str(folder.resolve())
    try:
        yield
    finally:
        del os.environ["WANDB_DATA_DIR"]


def first_line(error: Exception) -> str:
    """First line of an error's message, as a sentence."""
    return str(error).splitlines()[0].rstrip(".") + "."


class TensorBoardLogger(RunLogger):
    """TensorBoard event files under ``tensorboard/`` in the run's folder; scalars and figures stand by images.

    Parameters
    ----------
    run, config
        Our run, and its configuration, which is shown as text.

    Raises
    ------
    UserError
        If tensorboard is not installed.
    """

    def __init__(self, run: Run, config: dict[str, Any]):
        super().__init__()
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise UserError(
                "logger=tensorboard: tensorboard is not installed. pip install 'micrographia[tensorboard]'."
            ) from error
        self.open = partial(SummaryWriter, str(run.folder / "tensorboard"))
        self.config = OmegaConf.to_yaml(OmegaConf.create(config))
        self.purge_step: int | None = None

    @cached_property
    def writer(self) -> Any:
        """The event file, opened when the first value comes."""
        writer = self.open(purge_step=self.purge_step)
        writer.add_text("config", f"```yaml\n{self.config}```")
        return writer

    def forget_after(self, batches: int, images: int) -> None:
        """Let TensorBoard drop what it logged after the checkpoint."""
        self.purge_step = images + 1

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Log values at the number of images among them."""
        for name, value in metrics.items():
            if name not in COUNTERS:
                self.writer.add_scalar(name, value, int(metrics["images"]))

    def save(self) -> None:
        """Write what was logged since to the file."""
        self.writer.flush()

    def log_result(
        self, metrics: Mapping[str, float], tables: Mapping[str, Path], figures: Mapping[str, Path], images: int
    ) -> None:
        """Show metrics as scalars, and figures; tables stay in the run's folder."""
        self.log_metrics({**metrics, "images": images})
        for name, file in figures.items():
            picture = np.asarray(Image.open(file).convert("RGB"))
            self.writer.add_image(f"figure/{name}", picture, images, dataformats="HWC")

    def close(self, failed: bool) -> None:
        """Close the event file."""
        self.writer.close()
