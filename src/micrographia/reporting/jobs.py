"""The jobs of a study or a sweep, with where each stands, and of a sweep those that failed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from micrographia.reporting.blocks import Cell, Column, Section, Table
from micrographia.runs.job_records import FAILED

LONGEST_MISTAKE = 240  # characters of why a job failed


def with_failures(section: Section, jobs: Sequence[Mapping[str, Any]]) -> Section:
    """A sweep's section with those of its jobs that failed: what tells them from the others, and why."""
    failed = [job for job in jobs if job.get("status") == FAILED]
    if not failed:
        return section
    common = set.intersection(*(set(job.get("overrides") or []) for job in jobs))
    own = [{**job, "overrides": [word for word in job.get("overrides") or [] if word not in common]} for job in failed]
    told = f"{len(failed)} of {len(jobs)} jobs failed and {'is' if len(failed) == 1 else 'are'} left out."
    blocks = [*section.blocks, jobs_table(own, "Jobs that failed")]
    return replace(section, blocks=blocks, intro=f"{told} {section.intro}".strip())


def jobs_table(jobs: Sequence[Mapping[str, object]], caption: str = "Jobs", folded: bool = False) -> Table:
    """The jobs of a study or of a sweep, with where each stands."""
    mistakes = [" ".join(str(job.get("mistake") or "").split())[:LONGEST_MISTAKE] for job in jobs]
    rows = []
    for job, mistake in zip(jobs, mistakes, strict=True):
        overrides = job.get("overrides") or []
        text = " ".join(map(str, overrides)) if isinstance(overrides, list) else str(overrides)
        name = Path(str(job.get("run") or job.get("folder") or "")).name
        log = str(job.get("log") or "") if mistake else ""
        cells = [Cell(str(job.get("sweep") or "")), Cell(text), Cell(str(job.get("status") or ""))]
        rows.append([*cells, Cell(name, link=f"run-{name}" if name else ""), Cell(mistake), Cell(log)])
    columns = [Column(title) for title in ("sweep", "overrides", "status", "run", "mistake", "log")]
    told = [place for place in range(len(columns)) if place in (1, 2) or any(row[place].text for row in rows)]
    statuses = sorted({row[2].text for row in rows})
    return Table(
        caption,
        [columns[place] for place in told],
        [[row[place] for place in told] for row in rows],
        "",
        True,
        {"status": statuses} if len(statuses) > 1 else {},
        folded=folded,
    )
