"""Several runs in a notebook: those of a sweep, with their means over seeds."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, overload

import pandas as pd

from micrographia.api.run import Run
from micrographia.errors import UserError
from micrographia.runs.seeds import is_seed
from micrographia.tasks.sweep import spread, swept_keys

if TYPE_CHECKING:
    from micrographia.tasks.jobs import Job


class Runs(Sequence[Run]):
    """The runs of a sweep, in its order: a sequence of `Run`.

    Parameters
    ----------
    jobs
        Of the sweep, also those that have failed.

    Attributes
    ----------
    swept : list of str
        Keys that have several values.
    failed : DataFrame
        A row per job without a run: the swept keys, and ``mistake``.
    """

    def __init__(self, jobs: "Sequence[Job]"):
        self.jobs = [job for job in jobs if job.run]
        self.swept = swept_keys(jobs)
        self.runs = [Run(job.run.folder, job.run.found) for job in self.jobs if job.run]
        lost = [job for job in jobs if not job.run]
        self.failed = pd.DataFrame([{**self.choices(job), "mistake": job.mistake} for job in lost])

    @overload
    def __getitem__(self, place: int) -> Run: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[Run]: ...

    def __getitem__(self, place: int | slice) -> Run | Sequence[Run]:
        return self.runs[place]

    def __len__(self) -> int:
        return len(self.runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self.runs)

    def __repr__(self) -> str:
        return f"Runs({len(self)} of {', '.join(self.swept) or 'one setting'})"

    @property
    def metrics(self) -> pd.DataFrame:
        """A row per run: the swept keys, its name, and all of its metrics."""
        rows = [{**self.choices(job), **run.metrics} for job, run in zip(self.jobs, self.runs, strict=True)]
        return pd.DataFrame(rows, index=pd.Index([run.path.name for run in self.runs], name="run"))

    def table(self, name: str | None = None) -> pd.DataFrame:
        """Means over seeds, or one table of all runs.

        Parameters
        ----------
        name
            Of a table that every run has: its rows, of all runs below each other, with the swept keys before them.
            None: the sweep's own table, a row per group of runs that differ in seeds only and metric: ``runs`` (how
            many have it), ``seeds varied``, ``metric``, ``mean`` and ``sd`` (n - 1; NaN of one run).

        Raises
        ------
        UserError
            If a run has no table of that name.
        """
        if name is None:
            distinct = {job.run.folder: job for job in self.jobs if job.run}  # two jobs may be one run
            found = spread(list(distinct.values()), [key for key in self.swept if not is_seed(key)])
            return found.drop(columns="folders", errors="ignore")
        if not self.runs:
            raise UserError(f"table {name}: none of the jobs has a run. The attribute failed says why.")
        parts = [run.table(name).assign(**self.choices(job)) for job, run in zip(self.jobs, self.runs, strict=True)]
        joined = pd.concat(parts, ignore_index=True)
        return joined[[*self.swept, *(column for column in joined if column not in self.swept)]]

    def choices(self, job: "Job") -> dict[str, str]:
        """Values of the swept keys of a job."""
        return {key: job.choices.get(key, "") for key in self.swept}

    def _repr_html_(self) -> str:
        """The sweep's table, and how many jobs have failed."""
        told = f"<p>{len(self.failed)} failed: see <code>.failed</code></p>" if len(self.failed) else ""
        return f"<p>{len(self)} runs</p>{told}{self.table().to_html(index=False, float_format='{:.4g}'.format)}"
