"""A study as sections of a page: what it found and an image of it first, then its tables, figures and tests."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from micrographia.reporting.blocks import Block, Cards, Cell, Column, Gallery, Note, Section, Table
from micrographia.reporting.figures import words_of
from micrographia.reporting.finding import Study
from micrographia.reporting.metrics import MOST_CARDS, wording
from micrographia.reporting.pictures import Allowance, embedded
from micrographia.reporting.records import DONE, RunRecord
from micrographia.reporting.tables import markdown_table, table_of, tests_table

LONGEST_MISTAKE = 240  # characters of why a job failed
TESTS = "_tests"  # ending of the name of an entry's tests
# Figures of a run that show cells, those first that tell most at a glance.
CELLS = ("recovered", "traversals_after", "traversals", "reconstructions_after", "reconstructions", "samples")


def study_sections(
    study: Study, cards: Cards | None, records: Sequence[RunRecord], allowance: Allowance
) -> list[Section]:
    """What a study found, then its tables and figures.

    Parameters
    ----------
    cards
        Its headline numbers.
    records
        Its runs, of which one shows what is studied where no figure of the study does.
    """
    entries = entries_of(study.folder)
    lead, picture = cells_picture(study, entries, records, allowance)
    blocks: list[Block] = [cards] if cards else []
    blocks += picture
    tables: list[Block] = []
    for entry in entries:
        tables += entry_blocks(study, entry, allowance, pictured=entry != lead)
    return [Section("Findings", blocks), Section("Tables and figures", tables)]


def question_of(study: Study) -> str:
    """What a study answers; of one that does not say, its name."""
    return str(study.record.get("question") or study.folder.name)


def about(study: Study) -> str:
    """A study's name and budget in a sentence.

    Examples
    --------
    >>> about(Study(Path("runs/studies/a-smoke"), {"study": "a", "budget": "smoke"})), about(Study(Path("a"), {}))
    ('Study a, budget smoke.', 'Study a.')
    """
    budget = f", budget {study.record['budget']}" if study.record.get("budget") else ""
    return f"Study {study.record.get('study') or study.folder.name}{budget}."


def headlines(found: Mapping[str, Section]) -> Cards | None:
    """The cards that lead a study: those of its only comparison, of several the first ones of each, named by it.

    Parameters
    ----------
    found
        The sections of its comparisons by what is compared, as ``transfer on plankton``.
    """
    own = {
        name: [card for block in section.blocks if isinstance(block, Cards) for card in block.cards]
        for name, section in found.items()
    }
    own = {name: cards for name, cards in own.items() if cards}
    if len(own) < 2:
        return next((Cards(cards) for cards in own.values()), None)
    each = max(1, MOST_CARDS // len(own))
    verbs = {name.partition(" on ")[0] for name in own}
    short = {name: name.partition(" on ")[2] or name if len(verbs) == 1 else name for name in own}
    named = [
        (place, replace(card, label=f"{card.label}: {short[name].replace('_', ' ')}"))
        for name, cards in own.items()
        for place, card in enumerate(cards[:each])
    ]
    if len(own) > 2:  # what is the same stands side by side
        named.sort(key=lambda pair: pair[0])
    return Cards([card for _, card in named[:MOST_CARDS]])


def entries_of(folder: Path) -> list[str]:
    """Names of a study's tables and figures, in the order of its own page and then of the alphabet."""
    suffixes = (".md", ".csv", ".png")
    files = [file for file in sorted(folder.glob("*")) if file.suffix in suffixes and file.name != "README.md"]
    stems = {file.stem for file in files if not file.stem.endswith("_long")}
    names = [name for name in sorted(stems) if not (name.endswith(TESTS) and name.removesuffix(TESTS) in stems)]
    page = folder / "README.md"
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    places = {name: text.find(f"]({name}.png)") for name in names}
    return sorted(names, key=lambda name: (places[name] < 0, places[name]))


def cells_picture(
    study: Study, entries: Sequence[str], records: Sequence[RunRecord], allowance: Allowance
) -> tuple[str, list[Block]]:
    """An image of what is studied: a figure of images that the study has collected, else one of its first run.

    Returns
    -------
    The study's entry that is shown, if it is one, and its blocks.
    """
    for entry in entries:
        if not any((study.folder / f"{entry}{suffix}").is_file() for suffix in (".md", ".csv")):
            return entry, pictures_of(study.folder / f"{entry}.png", words(entry), figure_of(entry), allowance)
    for name in CELLS:
        for record in records:
            file = record.folder / "figures" / f"{name}.png"
            if record.status == DONE and file.is_file():
                title, alt = words_of(name)
                return "", pictures_of(file, f"{title}, in the run {record.folder.name}", alt, allowance)
    return "", []


def entry_blocks(study: Study, entry: str, allowance: Allowance, pictured: bool = True) -> list[Block]:
    """A table or figure of a study: its table, its figure, and its tests folded."""
    blocks: list[Block] = []
    described, listed, drawn = (study.folder / f"{entry}{suffix}" for suffix in (".md", ".csv", ".png"))
    table = markdown_table(described.read_text(encoding="utf-8"), words(entry)) if described.is_file() else None
    if table is not None:
        note = table.note.removeprefix(str(study.record.get("question") or "")).strip()
        blocks.append(replace(table, note=note))
    elif listed.is_file():
        try:
            blocks.append(table_of(pd.read_csv(listed), words(entry), sortable=True))
        except (OSError, ValueError) as error:
            blocks.append(Note(f"{listed.name} cannot be read: {' '.join(str(error).split())}."))
    if pictured and drawn.is_file():
        blocks += pictures_of(drawn, "" if blocks else words(entry), figure_of(entry), allowance)
    tests = study.folder / f"{entry}{TESTS}.md"
    if tests.is_file():
        caption = f"Statistical tests: {words(entry)}"
        blocks += [table for table in [tests_table(tests.read_text(encoding="utf-8"), caption)] if table is not None]
    return blocks


def pictures_of(file: Path, title: str, alt: str, allowance: Allowance) -> list[Block]:
    """A figure, if it fits; or a note that it cannot be read."""
    try:
        found = embedded(file, title, alt, allowance)
    except OSError as error:
        return [Note(f"{file.name} cannot be read: {error}.")]
    return [Gallery([found])] if found else []


def figure_of(entry: str) -> str:
    """What a reader who cannot see an entry's figure is told."""
    return f"Figure of the study: {words(entry)}."


def jobs_table(study: Study, caption: str = "Jobs") -> list[Table]:
    """The jobs of a study, with where each stands: folded, unless one of them failed."""
    jobs: list[Mapping[str, object]] = [job for job in study.record.get("jobs") or [] if isinstance(job, dict)]
    if not jobs:
        return []
    columns = [Column("sweep"), Column("overrides"), Column("status"), Column("run")]
    mistakes = [" ".join(str(job.get("mistake") or "").split())[:LONGEST_MISTAKE] for job in jobs]
    if any(mistakes):
        columns.append(Column("mistake"))
    rows = []
    for job, mistake in zip(jobs, mistakes, strict=True):
        overrides = job.get("overrides") or []
        text = " ".join(map(str, overrides)) if isinstance(overrides, list) else str(overrides)
        name = Path(str(job.get("run") or job.get("folder") or "")).name
        cells = [Cell(str(job.get("sweep") or "")), Cell(text), Cell(str(job.get("status") or ""))]
        cells.append(Cell(name, link=f"run-{name}"))
        rows.append([*cells, Cell(mistake)] if any(mistakes) else cells)
    statuses = sorted({row[2].text for row in rows})
    filters = {"status": statuses} if len(statuses) > 1 else {}
    return [Table(caption, columns, rows, "", True, filters, folded=True)]


def words(stem: str) -> str:
    """A file's name in words.

    Examples
    --------
    >>> words("table_2-tests"), words("psnr")
    ('Table 2 tests', 'PSNR')
    """
    text = wording(stem).replace("-", " ")
    return text[:1].upper() + text[1:]
