"""What stands below a table or figure, so that it can be defended."""

from collections.abc import Mapping, Sequence
from typing import Any

from micrographia.runs.job_records import FAILED
from micrographia.runs.seeds import seeds_varied
from micrographia.studies.expansion import StudyJob
from micrographia.studies.marking import REFERENCES, is_held_against
from micrographia.studies.specification import Budget, Study
from micrographia.studies.summary import Summary, describe_tests
from micrographia.studies.tabulating import Wide, constant, label


def caption(study: Study, budget: Budget, jobs: Sequence[StudyJob], summary: Summary) -> str:
    """Question, what is shown, over how many runs and which seeds, the test, and the jobs that are missing."""
    entry = summary.entry
    runs = summary.values["run"].nunique()
    used = set(summary.values["run"])
    made = [job for job in jobs if job.run and str(job.run.folder) in used]
    varied = seeds_varied([(job.origin.what if job.origin else job.what) or {} for job in made])
    counts = summary.cells["n"]
    n = f"n = {counts.min()}" if counts.min() == counts.max() else f"n = {counts.min()} to {counts.max()}"
    parts = [
        study.question,
        entry.node.get("caption", ""),
        spread(summary, n, study.labels),
        throughout(summary, study),
    ]
    parts += [f"From {runs} run{'s' * (runs != 1)} at the budget {budget.name}; seeds varied: {varied}."]
    parts += [describe_tests(summary, study.labels), missing(jobs)]
    return " ".join(part.strip() for part in parts if part.strip())


def throughout(summary: Summary, study: Study) -> str:
    """The keys that are the same in all cells, in a sentence; empty if there is none."""
    told = [f"{label(key, study.labels)} is {label(value, study.labels)}" for key, value in constant(summary).items()]
    return f"Throughout, {', '.join(told[:-1])}{' and ' * (len(told) > 1)}{told[-1]}." if told else ""


def spread(summary: Summary, n: str, labels: Mapping[str, str]) -> str:
    """What the numbers are; of the keys that means are taken over, those that vary are named."""
    if summary.entry.node.get("kind") == "boxes":
        return f"Boxes: quartiles and median over rows of the runs' tables ({n}); whiskers: 1.5 times their distance."
    varied = [key for key in summary.entry.over if summary.values[key].nunique() > 1] or summary.entry.over
    over = " and ".join(label(key, labels) for key in varied)
    if summary.cells["n"].max() < 2:
        return f"Single values ({n})."
    return f"Mean ± standard deviation (n − 1) over {over} ({n})."


def missing(jobs: Sequence[StudyJob]) -> str:
    """How many jobs failed or are not done; empty if none."""
    failed = sum(job.status == FAILED for job in jobs)
    left = sum(job.run is None for job in jobs) - failed
    lines = [f"{failed} of {len(jobs)} jobs failed and {verb(failed)} missing here."] if failed else []
    lines += [f"{left} of {len(jobs)} jobs {verb(left)} not done."] if left else []
    return " ".join(lines)


def verb(count: int) -> str:
    """The verb of a number of jobs."""
    return "is" if count == 1 else "are"


SUPERLATIVES = {"max": "highest", "min": "lowest", "largest": "largest in size"}


def describe_best(summary: Summary, wide: Wide, labels: Mapping[str, str]) -> str:
    """What is in bold, in a sentence, and what did not compete for it; empty where nothing is in bold."""
    entry, fixed = summary.entry, constant(summary)
    if not any(map(any, wide.best)):
        return ""
    keys = [*entry.rows, *entry.columns]
    others = [label(key, labels) for key in keys if key not in (*entry.among, *fixed)]
    text = f"In bold: the {SUPERLATIVES.get(str(entry.node['best']), 'best')}"
    if entry.among != entry.rows and others:
        competing = [label(key, labels) for key in entry.among if key not in fixed]
        text += f" by {' and '.join(competing)} at the same {' and '.join(others)}"
    elif len(wide.columns) > 1:
        text += " of each column"
    cells: list[Any] = summary.cells[keys].astype(str).to_dict("records")
    aside = {
        next((values[key] for key, value in REFERENCES.items() if values.get(key) == value), values.get("metric", ""))
        for values in cells
        if is_held_against(entry, values)
    }
    named = " and ".join(sorted(label(word, labels) for word in aside))
    return f"{text}; {named} {'does' if len(aside) == 1 else 'do'} not compete." if aside else f"{text}."
