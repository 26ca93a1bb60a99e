"""What a report shows of the runs, sweeps and studies that lie at its paths."""

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from micrographia.errors import UserError
from micrographia.reporting.blocks import Cards, Section, Table
from micrographia.reporting.comparison import Comparison, comparison_section, telling
from micrographia.reporting.finding import Found, Sweep, find, named_folders
from micrographia.reporting.jobs import with_failures
from micrographia.reporting.overview import glance, run_table, seeds_section
from micrographia.reporting.page import page_of
from micrographia.reporting.pictures import Allowance
from micrographia.reporting.records import DONE, UNREADABLE, RunRecord, read_records
from micrographia.reporting.studies import about, headlines, jobs_of_study, question_of, study_sections
from micrographia.runs.job_records import FAILED
from micrographia.runs.run import Run
from micrographia.tasks.jobs import Job
from micrographia.tasks.report import MEGABYTE
from micrographia.tasks.sweep import distinguishing_keys, groups, is_seed, seeds_varied, spread, swept_keys

log = logging.getLogger(__name__)

MOST_COMMANDS = 12
LONGEST_SETTINGS = 160  # characters of what tells a run from the others


def report(paths: Sequence[str], limit: int) -> str:
    """The page of what lies at paths, in at most so many bytes."""
    found = find(paths)
    for text in found.aside:
        log.info("%s", text)
    records = read_records(found.runs)
    refuse_unreadable(records, found)
    jobs = jobs_of(records)
    told = settings_of(jobs)
    comparisons = {} if found.sweeps else compared(jobs)
    sections = studied(found, records, limit)
    if len(found.studies) == 1 and len(comparisons) == 1:  # its cards lead the page
        comparisons = {name: without_cards(section) for name, section in comparisons.items()}
    sections.append(glance(records, commands_of(records, found), found.aside, job_tables(found)))
    for sweep in found.sweeps:
        sections.append(with_failures(comparison_section(Comparison(title_of(sweep), sweep.table)), sweep.jobs))
    sections += comparisons.values()
    if len(records) > 1:
        sections.append(run_table(records, told))
    sections = [section for section in sections if section.blocks]
    page = page_of(heading(paths, found), lead(paths, records, found), sections, records, told, limit)
    if (weight := len(page.encode())) > limit:
        needed = math.ceil(weight / MEGABYTE)
        raise UserError(
            f"megabytes={limit / MEGABYTE:g}: the tables of {len(records)} runs alone take {weight / MEGABYTE:.1f} MB. "
            f"Set megabytes={needed}, or name fewer runs."
        )
    return page


def refuse_unreadable(records: Sequence[RunRecord], found: Found) -> None:
    """Stop where nothing at all can be read; of several runs those that cannot are told, and the others shown.

    Raises
    ------
    UserError
        With why the first one cannot be read.
    """
    broken = [record for record in records if record.status == UNREADABLE]
    if broken and len(broken) == len(records) and not (found.sweeps or found.studies):
        others = f" None of the {len(records)} runs can be read." if len(records) > 1 else ""
        raise UserError(f"{broken[0].mistake}{others}")
    for record in broken:
        log.warning("%s", record.mistake)


def studied(found: Found, records: Sequence[RunRecord], limit: int) -> list[Section]:
    """The studies' own sections: of a lone one what it found and its tables, of several a section each."""
    room = Allowance(limit / 2)
    sections = []
    for study in found.studies:
        names = {Path(name).name for name in named_folders(study.record)}
        own = [record for record in records if record.folder.resolve().name in names]
        parts = study_sections(study, headlines(compared(jobs_of(own))), own, room)
        if len(found.studies) == 1:
            sections += parts
        else:
            blocks = [block for part in parts for block in part.blocks]
            sections.append(Section(question_of(study), blocks, about(study)))
    return sections


def job_tables(found: Found) -> list[Table]:
    """The jobs of each study."""
    several = len(found.studies) > 1
    return [
        table
        for study in found.studies
        for table in jobs_of_study(study, f"Jobs of {study.folder.name}" if several else "Jobs")
    ]


def without_cards(section: Section) -> Section:
    """A section without its headline numbers."""
    return replace(section, blocks=[block for block in section.blocks if not isinstance(block, Cards)])


def jobs_of(records: Sequence[RunRecord]) -> dict[RunRecord, Job]:
    """Finished runs as the jobs of one sweep for each task and data set: with what tells each apart."""
    done = [record for record in records if record.status == DONE and record.config]
    found: dict[RunRecord, Job] = {}
    for kind in dict.fromkeys(map(kind_of, done)):
        own = [record for record in done if kind_of(record) == kind]
        choices = distinguishing_keys([record.config for record in own])
        for record, told in zip(own, choices, strict=True):
            found[record] = Job(tuple(told), Run(record.folder), record.config)
    return found


def kind_of(record: RunRecord) -> tuple[str, str]:
    """Task and data set of a run: runs of one kind can be compared."""
    return record.task, record.data_name


def compared(jobs: Mapping[RunRecord, Job]) -> dict[str, Section]:
    """Per task and data set its groups of runs beside each other; of a single group, its spread over seeds."""
    sections = {}
    for kind in dict.fromkeys(map(kind_of, jobs)):
        own = {record: job for record, job in jobs.items() if kind_of(record) == kind}
        if len(own) < 2:
            continue
        listed, name = list(own.values()), capitalised(" on ".join(word for word in kind if word))
        if len(groups(listed)) == 1:
            varied = seeds_varied([job.what or {} for job in listed])
            sections[name] = seeds_section(list(own), f"{name}: {len(own)} seeds", varied)
            continue
        keys = [key for key in swept_keys(listed) if not is_seed(key)]
        table = spread(listed, keys)
        if len(table):
            sections[name] = comparison_section(Comparison(f"{name}: {len(groups(listed))} groups of runs", table))
    return sections


def capitalised(text: str) -> str:
    """A text with a capital, the rest as it is."""
    return text[:1].upper() + text[1:]


def settings_of(jobs: Mapping[RunRecord, Job]) -> dict[str, str]:
    """What tells each run from the others of its kind, seeds apart, in short, by the run's id."""
    found = {}
    for kind in dict.fromkeys(map(kind_of, jobs)):
        own = {record: tuple(pairs_of(job)) for record, job in jobs.items() if kind_of(record) == kind}
        told = telling(list(dict.fromkeys(own.values())))
        for record, pairs in own.items():
            text = told[pairs]
            found[record.id] = text if len(text) <= LONGEST_SETTINGS else f"{text[: LONGEST_SETTINGS - 1]}…"
    return found


def pairs_of(job: Job) -> list[tuple[str, str]]:
    """Keys and values that tell a job from others, seeds apart."""
    return [(key, value) for key, value in job.choices.items() if not is_seed(key)]


def commands_of(records: Sequence[RunRecord], found: Found) -> list[str]:
    """The commands that made the runs, each once; of studies their own."""
    if found.studies:
        return [str(study.record["command"]) for study in found.studies if study.record.get("command")]
    commands = list(dict.fromkeys(record.command for record in records if record.command))
    if len(records) == 1 or len(commands) <= MOST_COMMANDS:
        return commands
    return [*commands[:MOST_COMMANDS], f"# and {len(commands) - MOST_COMMANDS} more, with each run"]


def title_of(sweep: Sweep) -> str:
    """Heading of a sweep: its verb and keys, without the digest.

    Examples
    --------
    >>> title_of(Sweep(Path("runs/sweeps/transfer-seed-0123abcd.csv"), pd.DataFrame()))
    'Sweep: transfer seed'
    """
    return f"Sweep: {' '.join(sweep.file.stem.split('-')[:-1]) or sweep.file.stem}"


def heading(paths: Sequence[str], found: Found) -> str:
    """Heading of the page."""
    if len(paths) > 1:
        return f"{len(found.runs)} runs"
    if found.studies:
        return question_of(found.studies[0])
    if found.sweeps:
        return title_of(found.sweeps[0])
    if len(found.runs) == 1:
        return found.runs[0].folder.resolve().name
    return f"{len(found.runs)} runs in {Path(paths[0]).resolve().name}"


def lead(paths: Sequence[str], records: Sequence[RunRecord], found: Found) -> str:
    """A sentence or two that say what the page is about."""
    if found.studies and len(paths) == 1:
        return f"{about(found.studies[0])} {states_of(records)}".strip()
    failed = sum(job.get("status") == FAILED for sweep in found.sweeps for job in sweep.jobs)
    if len(records) == 1 and not failed:
        record = records[0]
        text = ABOUT.get(record.task, f"A {record.task} run").format(data=record.data_name or "its data")
        return f"{text}."
    return states_of(records, failed)


def states_of(records: Sequence[RunRecord], failed: int = 0) -> str:
    """How many runs there are and where they stand, and how many jobs have none; empty without any."""
    if not records:
        return ""
    states = pd.Series([record.status for record in records]).value_counts(sort=False)
    counts = [f"{count} {state}" for state, count in states.items()] + ([f"{failed} failed"] if failed else [])
    if len(counts) == 1:
        count = f"{len(records)} runs, all" if len(records) > 1 else "1 run,"
        return f"{count} {states.index[0]}."
    return f"{len(records)} run{'s' * (len(records) > 1)}: {', '.join(counts)}."


ABOUT = {
    "train": "A model trained on {data}",
    "transfer": "A model carried over to {data}, and classes read from its latents",
    "superresolve": "Images of {data} recovered from low resolution, and what they measure",
    "evaluate": "What the latents of a finished run mean",
}
