"""Finished runs found again: one by its folder, all below a folder as a table."""

from pathlib import Path

import pandas as pd

from micrographia.api.run import Run


def load(path: str | Path) -> Run:
    """Read a finished run back.

    Parameters
    ----------
    path
        Its folder, or ``pretrained/NAME`` of a run that ships with the package.

    Raises
    ------
    UserError
        If there is no finished run.

    Examples
    --------
    >>> load("pretrained/ada_gvae").task
    'train'
    """
    return Run(path)


def list_runs(path: str | Path = "runs") -> pd.DataFrame:
    """The runs below a folder, as a table.

    Parameters
    ----------
    path
        A folder of runs, a sweep's CSV or a study's folder.

    Returns
    -------
    DataFrame
        A row per run, by task: ``task``, ``name``, ``data``, ``seed``, ``status`` ("finished", "unfinished" or
        "unreadable"), ``seconds``, the metrics that lead, each in a column of its name, and ``path``, which `load`
        takes.

    Raises
    ------
    UserError
        If nothing lies there.
    """
    from micrographia.reporting.finding import find
    from micrographia.reporting.metrics import leading
    from micrographia.reporting.records import read_records

    rows = []
    for record in read_records(find([str(path)]).runs):
        known = {
            "task": record.task,
            "name": record.result.get("name") or record.config.get("name"),
            "data": record.data_name,
            "seed": record.config.get("seed"),
            "status": record.status,
            "seconds": record.result.get("seconds"),
        }
        heads = {name: record.metrics[name] for names in leading(record.metrics) for name in names}
        rows.append({**known, **heads, "path": str(record.folder)})
    table = pd.DataFrame(rows).sort_values("task", kind="stable", ignore_index=True)
    return table[[*(column for column in table if column != "path"), "path"]]
