"""A report's page on W&B: shown in a run of its own, and kept as an artifact."""

import logging
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from micrographia.errors import UserError, needing
from micrographia.training.loggers import first_line, usual_mode

log = logging.getLogger(__name__)


def upload(page: Path, options: Mapping[str, Any]) -> None:
    """Log a page to W&B as a run of the type ``report``, its files beside the page.

    Parameters
    ----------
    options
        Of ``logger=wandb``: ``project``, ``entity``, ``group``, ``tags``, ``mode``.

    Raises
    ------
    UserError
        If another logger was chosen; and those of `opened`.
    """
    if "project" not in options:
        raise UserError("logger: a report can be uploaded to wandb only. Choose logger=wandb, or leave it out.")
    with opened("--wandb", page.parent, page.stem, "report", options) as run:
        import wandb

        artifact = wandb.Artifact(f"report-{safe(page.stem)}", type="report")
        artifact.add_file(str(page), name=page.name)
        run.log({"report": wandb.Html(page.read_text(encoding="utf-8"), inject=False)})
        run.log_artifact(artifact)


@contextmanager
def opened(asked: str, folder: Path, name: str, kind: str, options: Mapping[str, Any], **keys: Any) -> Iterator[Any]:
    """A W&B run that is of no training, finished when the block ends.

    Parameters
    ----------
    asked
        What has asked for it, in messages.
    folder
        Where its files lie, below ``wandb/``.
    name, kind
        Its name and its type on the W&B page.
    options
        Of ``logger=wandb``.
    **keys
        Further ones of ``wandb.init``.

    Raises
    ------
    UserError
        If wandb is not installed, or W&B cannot be reached with an account.
    """
    with needing(asked, "wandb"):
        import wandb
    tags = options["tags"]
    try:
        wandb.setup(settings=wandb.Settings(quiet=True, show_info=False))
        run = wandb.init(
            dir=str(folder.resolve()),
            name=name,
            reinit="create_new",
            project=options["project"],
            entity=options["entity"],
            tags=[tags] if isinstance(tags, str) else list(tags),
            job_type=kind,
            mode=options["mode"] or usual_mode(),
            settings=wandb.Settings(console="off"),
            **{"group": options["group"], **keys},
        )
    except wandb.Error as error:
        raise UserError(f"{asked}: {first_line(error)} how.logger.mode=offline works without W&B.") from error
    try:
        yield run
    finally:
        run.finish()
    if run.offline:
        place = shlex.quote(str(Path(run.dir).parent))
        log.info("W&B works offline. To send the %s: wandb login && wandb sync %s", kind, place)
    elif run.url:
        log.info("W&B: %s", run.url)


def safe(name: str) -> str:
    """A name in the letters that W&B takes for artifacts.

    Examples
    --------
    >>> safe("a b+c-0.1")
    'a-b-c-0.1'
    """
    return "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name)
