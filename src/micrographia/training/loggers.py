"""Loggers beside the run's own curves: W&B and TensorBoard, with tables and figures of the result."""

import logging
import os
from collections.abc import Mapping, Sequence
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pandas as pd
from pytorch_lightning.loggers import Logger, TensorBoardLogger, WandbLogger

from micrographia.config import instantiate
from micrographia.errors import UserError
from micrographia.runs.run import Run
from micrographia.training.curves import CurveLogger

log = logging.getLogger(__name__)


def open_loggers(how: Mapping[str, Any], run: Run, what: Mapping[str, Any]) -> list[Logger]:
    """The curves in the run's folder, and the logger that ``how.logger`` names beside them."""
    loggers: list[Logger] = [CurveLogger(str(run.folder))]
    if how["logger"].get("_target_"):
        given = {"run_folder": str(run.folder), "config": dict(what)}
        loggers.append(instantiate(how["logger"], "how.logger", **given))
    return loggers


def wandb_logger(
    run_folder: str,
    config: dict[str, Any],
    project: str = "micrographia",
    entity: str | None = None,
    group: str | None = None,
    tags: Sequence[str] = (),
    mode: str | None = None,
) -> WandbLogger:
    """W&B logger whose run bears the run folder's name and digest, so that a resumed run continues its own.

    Parameters
    ----------
    mode
        ``online``, ``offline``, or None: online where an account is configured, else offline.

    Raises
    ------
    UserError
        If wandb is not installed.
    """
    try:
        import wandb
    except ImportError as error:
        raise UserError("logger=wandb: wandb is not installed. pip install 'micrographia[wandb]'.") from error
    folder = Path(run_folder)
    mode = mode or os.environ.get("WANDB_MODE") or ("online" if has_account() else "offline")
    logger = WandbLogger(
        name=folder.name,
        id=f"{config['task']}-{folder.name.rpartition('-')[2]}",
        save_dir=run_folder,
        project=project,
        entity=entity,
        group=group,
        tags=list(tags),
        mode=mode,
        resume="allow",
        config=config,
        reinit="finish_previous",
        settings=wandb.Settings(console="off", silent=True),
    )
    if mode == "offline":
        log.info("W&B works offline. To send this run: wandb sync %s/wandb/offline-run-*", run_folder)
    # The budget counts batches and images; Lightning's own step counts every optimiser's.
    logger.experiment.define_metric("images")
    logger.experiment.define_metric("batches")
    logger.experiment.define_metric("*", step_metric="images")
    return logger


def has_account() -> bool:
    """Whether a W&B key is configured: in the environment, or in the netrc file where ``wandb login`` stores it."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc(os.environ.get("NETRC")).authenticators(host) is not None
    except (OSError, NetrcParseError):
        return False


def tensorboard_logger(run_folder: str, config: dict[str, Any]) -> TensorBoardLogger:
    """TensorBoard logger writing into the run's folder.

    Raises
    ------
    UserError
        If tensorboard is not installed.
    """
    try:
        import tensorboard  # noqa: F401
    except ImportError as error:
        raise UserError(
            "logger=tensorboard: tensorboard is not installed. pip install 'micrographia[tensorboard]'."
        ) from error
    return TensorBoardLogger(save_dir=run_folder, name="tensorboard", version="", default_hp_metric=False)


def log_results(loggers: Sequence[Logger], run: Run, metrics: Mapping[str, float], images: int) -> None:
    """Send a finished run's metrics, tables and figures to the loggers, and close them."""
    tables = {file.stem: file for file in sorted((run.folder / "tables").glob("*.csv"))}
    figures = {file.stem: file for file in sorted((run.folder / "figures").glob("*.png"))}
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            logger.experiment.summary.update(dict(metrics))
            for name, file in tables.items():
                logger.log_table(f"table/{name}", dataframe=pd.read_csv(file))
            for name, file in figures.items():
                logger.log_image(f"figure/{name}", [str(file)])
        if isinstance(logger, TensorBoardLogger):
            logger.log_metrics(dict(metrics), step=images)
            for name, file in figures.items():
                logger.experiment.add_image(f"figure/{name}", read_picture(file), images, dataformats="HWC")
        close(logger)


def close(logger: Logger) -> None:
    """Finish a logger; W&B's, too, so that the next job of a sweep opens a run of its own."""
    logger.finalize("success")
    if isinstance(logger, WandbLogger):
        logger.experiment.finish()


def read_picture(file: Path) -> Any:
    """Read a figure back as an array (height, width, 3)."""
    import numpy as np
    from PIL import Image

    return np.asarray(Image.open(file).convert("RGB"))
