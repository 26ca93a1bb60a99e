"""A diagnosis as a table in the terminal, with what to do at its end; or as JSON."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from micrographia.diagnosis.finding import Finding, Mark, worst

MARKS: dict[Mark, tuple[str, str, str]] = {  # sign, the same in ASCII, colour
    "ok": ("✓", "+", "green"),
    "note": ("·", "-", "dim"),
    "warning": ("!", "!", "yellow"),
    "broken": ("✗", "x", "bold red"),
}
NAMES = 17  # columns of names: the longest is how.accelerator
VERDICTS: dict[Mark, str] = {
    "ok": "Nothing. All commands can run.",
    "note": "Nothing that must be done. All commands can run.",
    "warning": "Commands run, but:",
    "broken": "Before any command can run:",
}


def as_json(findings: Sequence[Finding]) -> str:
    """Findings as JSON, to be sent with a report of a bug."""
    content = {"status": worst(findings), "findings": [asdict(finding) for finding in findings]}
    return json.dumps(content, indent=2, ensure_ascii=False)


def as_table(findings: Sequence[Finding], unicode: bool = True) -> RenderableType:
    """Findings by section, then what to do, the worst first."""
    sections = dict.fromkeys(finding.section for finding in findings)
    parts: list[RenderableType] = []
    for section in sections:
        parts += [Text(section, style="bold"), rows(findings, section, unicode), Text()]
    return Group(*parts, Text("what to do", style="bold"), *to_do(findings, unicode))


def rows(findings: Iterable[Finding], section: str, unicode: bool) -> Table:
    """The findings of one section."""
    table = Table.grid(padding=(0, 1))
    table.add_column(width=2, justify="right")
    table.add_column(min_width=NAMES, overflow="fold")
    table.add_column(overflow="fold", ratio=1)
    for finding in findings:
        if finding.section == section:
            style = "dim" if finding.mark == "note" else ""
            table.add_row(sign(finding.mark, unicode), escape(finding.name), Text(finding.value, style=style))
    return table


def sign(mark: Mark, unicode: bool) -> Text:
    """The sign of a mark."""
    drawn, plain, colour = MARKS[mark]
    return Text(drawn if unicode else plain, style=colour)


def to_do(findings: Sequence[Finding], unicode: bool) -> list[RenderableType]:
    """The advice of all findings, each once, the worst first."""
    status = worst(findings)
    found: list[RenderableType] = [Padding(Text(VERDICTS[status]), (0, 0, 0, 1))]
    table = Table.grid(padding=(0, 1))
    table.add_column(width=2, justify="right")
    table.add_column(overflow="fold", ratio=1)
    told: set[str] = set()
    for mark in ("broken", "warning"):
        for finding in findings:
            if finding.mark == mark and finding.advice and finding.advice not in told:
                told.add(finding.advice)
                table.add_row(sign(finding.mark, unicode), Text(f"{finding.name}: {finding.advice}"))
    return [*found, table] if told else found


def show(findings: Sequence[Finding]) -> None:
    """Print a diagnosis on stdout."""
    console = Console(highlight=False)
    console.print(as_table(findings, unicode=console.encoding.lower().startswith("utf")))
