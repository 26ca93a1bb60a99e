"""A study's tables and figures on W&B: in one run, beside the runs that they are made of."""

import json
import secrets
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from micrographia.reporting.upload import opened
from micrographia.studies.state import write_text

KEPT = "wandb.json"  # id of the study's W&B run, and what it has been told


def upload_result(folder: Path, about: Mapping[str, Any], group: str, options: Mapping[str, Any]) -> None:
    """Log a study's tables and figures to its own W&B run, of the type ``study``; once, until they change.

    Other loggers than W&B have no place for them, and are left alone.

    Parameters
    ----------
    folder
        Of the study: every CSV but the long ones is a table, every PNG a figure.
    about
        What the study is, shown as the run's configuration.
    group
        Of the study's runs, unless the options name another.
    options
        Of ``logger=wandb``.

    Raises
    ------
    UserError
        If wandb is not installed, or W&B cannot be reached with an account.
    """
    if "project" not in options:
        return
    files = sorted([*folder.glob("*.csv"), *folder.glob("*.png")])
    told = sha256(b"".join(file.read_bytes() for file in files if file.suffix == ".csv")).hexdigest()
    kept = json.loads((folder / KEPT).read_text(encoding="utf-8")) if (folder / KEPT).exists() else {}
    if kept.get("told") == told:
        return
    kept = {"id": kept.get("id") or secrets.token_hex(4), "told": told}
    identity = {"id": kept["id"], "resume": "allow", "group": options["group"] or group, "config": dict(about)}
    with opened("logger=wandb", folder, folder.name, "study", options, **identity) as run:
        run.log(dict(map(shown, (file for file in files if not file.stem.endswith("_long")))))
    write_text(folder / KEPT, json.dumps(kept) + "\n")


def shown(file: Path) -> tuple[str, Any]:
    """A table or figure, under its name on the W&B page."""
    import wandb

    if file.suffix == ".csv":
        return f"table/{file.stem}", wandb.Table(dataframe=pd.read_csv(file), allow_mixed_types=True)
    return f"figure/{file.stem}", wandb.Image(str(file))
