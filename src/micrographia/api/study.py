"""A study in a notebook: the tables and figures of its result, and what became of its jobs."""

from pathlib import Path

import pandas as pd

from micrographia.api.results import Results
from micrographia.errors import UserError
from micrographia.studies.state import read_state


class Study(Results):
    """The result of a study: a table and a figure of each of its entries.

    Parameters
    ----------
    path
        Its folder, as ``runs/studies/NAME-BUDGET``.

    Raises
    ------
    UserError
        If no study lies there.
    """

    def __init__(self, path: str | Path):
        super().__init__(Path(path))
        state = read_state(self.path)
        if state is None:
            raise UserError(f"{self.path}: is no folder of a study (it has no study.json).")
        self.state = state

    @property
    def question(self) -> str:
        """What it asks."""
        return str(self.state["question"])

    @property
    def jobs(self) -> pd.DataFrame:
        """A row per job: ``sweep``, ``verb``, ``overrides``, ``status``, ``run`` (its folder) and ``mistake``."""
        jobs = pd.DataFrame(self.state["jobs"])
        return jobs.assign(overrides=jobs["overrides"].str.join(" "))

    def _repr_html_(self) -> str:
        """Its question, how many of its jobs are done, and what it holds."""
        from micrographia.api.summary import code, framed

        done = int((self.jobs["status"] == "done").sum())
        facts = {
            "jobs": f"{done} of {len(self.jobs)} done",
            "tables": code(self.tables),
            "figures": code(self.figures),
            "folder": code([str(self.path)]),
        }
        return framed(self.question, "", facts)
