"""What stands below a table or figure, so that it can be defended."""

from collections.abc import Sequence

from micrographia.runs.seeds import seeds_varied
from micrographia.studies.expansion import FAILED, StudyJob
from micrographia.studies.specification import Budget, Study
from micrographia.studies.summary import Summary, describe_tests
from micrographia.studies.tabulating import constant, heading


def caption(study: Study, budget: Budget, jobs: Sequence[StudyJob], summary: Summary) -> str:
    """Question, what is shown, over how many runs and which seeds, the test, and the jobs that are missing."""
    entry = summary.entry
    runs = summary.values["run"].nunique()
    used = set(summary.values["run"])
    made = [job for job in jobs if job.run and str(job.run.folder) in used]
    varied = seeds_varied([(job.origin.what if job.origin else job.what) or {} for job in made])
    counts = summary.cells["n"]
    n = f"n = {counts.min()}" if counts.min() == counts.max() else f"n = {counts.min()} to {counts.max()}"
    parts = [study.question, entry.node.get("caption", ""), spread(summary, n)]
    parts += [f"{heading(key, value, study.labels)}." for key, value in constant(summary).items()]
    parts += [f"{runs} runs; seeds varied: {varied}; budget {budget.name}."]
    parts += [describe_tests(summary, study.labels), missing(jobs)]
    return " ".join(part.strip() for part in parts if part.strip())


def spread(summary: Summary, n: str) -> str:
    """What the numbers are."""
    if summary.entry.node.get("kind") == "boxes":
        return f"Boxes: quartiles and median over rows of the runs' tables ({n}); whiskers: 1.5 times their distance."
    over = " and ".join(summary.entry.over)
    if summary.cells["n"].max() < 2:
        return f"Single values ({n})."
    return f"Mean ± standard deviation (n − 1) over {over} ({n})."


def missing(jobs: Sequence[StudyJob]) -> str:
    """How many jobs failed or are not done; empty if none."""
    failed = sum(job.status == FAILED for job in jobs)
    left = sum(job.run is None for job in jobs) - failed
    lines = [f"{failed} of {len(jobs)} jobs failed and are missing here."] if failed else []
    lines += [f"{left} of {len(jobs)} jobs are not done."] if left else []
    return " ".join(lines)
