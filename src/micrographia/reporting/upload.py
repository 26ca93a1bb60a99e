"""A report's page on W&B: shown in a run of its own, and kept as an artifact."""

import logging
import shlex
from collections.abc import Mapping
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
        If wandb is not installed, another logger was chosen, or W&B cannot be reached with an account.
    """
    if "project" not in options:
        raise UserError("logger: a report can be uploaded to wandb only. Choose logger=wandb, or leave it out.")
    with needing("--wandb", "wandb"):
        import wandb
    folder = page.parent.resolve()
    tags = options["tags"]
    try:
        wandb.setup(settings=wandb.Settings(quiet=True, show_info=False))
        run = wandb.init(
            dir=str(folder),
            name=page.stem,
            reinit="create_new",
            project=options["project"],
            entity=options["entity"],
            group=options["group"],
            tags=[tags] if isinstance(tags, str) else list(tags),
            job_type="report",
            mode=options["mode"] or usual_mode(),
            settings=wandb.Settings(console="off"),
        )
    except wandb.Error as error:
        raise UserError(f"--wandb: {first_line(error)} how.logger.mode=offline works without W&B.") from error
    artifact = wandb.Artifact(f"report-{safe(page.stem)}", type="report")
    artifact.add_file(str(page), name=page.name)
    run.log({"report": wandb.Html(page.read_text(encoding="utf-8"), inject=False)})
    run.log_artifact(artifact)
    run.finish()
    if run.offline:
        log.info(
            "W&B works offline. To send the page: wandb login && wandb sync %s", shlex.quote(str(Path(run.dir).parent))
        )
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
