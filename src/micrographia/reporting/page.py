"""Sections written as one page of HTML that needs no network and stays below a size."""

import html
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from micrographia import __version__
from micrographia.plots.style import COLOURS
from micrographia.reporting.blocks import Cell, Note, Section, Variant
from micrographia.reporting.pictures import NARROW, WIDE, Allowance
from micrographia.reporting.records import RunRecord
from micrographia.reporting.sections import sections_of

# Colours by theme; series, phases and marks keep their hues in both. Figures have a white ground, which dark dims.
LIGHT = {
    **{"color-scheme": "light", "--ink": "#1d1f22", "--faint": "#5d636b", "--paper": "#fff", "--card": "#f7f7f5"},
    **{"--line": "#dfe0dd", "--accent": COLOURS[0], "--negative": COLOURS[1], "--good": "#00694c", "--warn": "#9a4300"},
    **{"--before": "#9CC6E3", "--after": COLOURS[0], "--baseline": "#9a9a9a", "--figures": "1"},
    **{f"--series-{place}": colour for place, colour in enumerate(COLOURS[:6])},
}
DARK = {
    **{"color-scheme": "dark", "--ink": "#e9e9e6", "--faint": "#a2a7ae", "--paper": "#15171a", "--card": "#1e2125"},
    **{"--line": "#34383d", "--accent": "#56B4E9", "--negative": "#F08A4B", "--good": "#4fd0a5", "--warn": "#ffb277"},
    **{"--before": "#2f6d94", "--after": "#7cc8f2", "--baseline": "#8a8a8a", "--figures": "0.82"},
    **dict(
        zip(
            (f"--series-{place}" for place in range(6)),
            ("#56B4E9", "#F08A4B", "#35C393", "#E39BC3", "#8ED1F5", "#F0B94A"),
            strict=True,
        )
    ),
}
MANY = 8  # runs from which on images are narrower
NOTES = 3000  # bytes kept for the names of images that are left out
LIBRARIES = {"d3": "d3.min.js", "plot": "plot.umd.min.js"}


def page_of(
    title: str,
    lead: str,
    sections: Sequence[Section],
    records: Sequence[RunRecord],
    settings: Mapping[str, str],
    limit: int,
) -> str:
    """HTML of a page.

    Parameters
    ----------
    title, lead
        Heading, and a sentence below it.
    sections
        Of the whole page; a single run's own sections follow them, several runs stand folded below.
    settings
        What tells each run, by its id, from the others.
    limit
        Bytes that the page stays below: images that do not fit are named in their run, and runs of which not even the
        text fits are shown without details.
    """
    environment = writer()
    several = len(records) > 1
    ids = {record.id for record in records} if several else set()
    known: dict[str, Any] = {"title": title, "lead": lead, "several": several, "ids": ids, **shell()}
    page = environment.get_template("page.html.j2")

    def whole(shown: Sequence[Section], runs: str) -> str:
        return page.render(sections=shown, runs=Markup(runs), **known)

    if not several:
        left = limit - size(whole([*sections, *run_sections(records, 0)], ""))
        return whole([*sections, *run_sections(records, left)], "")
    left = limit - size(whole(sections, ""))
    template = environment.get_template("run.html.j2")

    def written(record: RunRecord, shown: Sequence[Section]) -> str:
        return template.render(record=record, sections=shown, settings=settings.get(record.id, ""), ids=ids) + "\n"

    stubs = [written(record, [without_details(record)]) for record in records]
    to_come = sum(map(size, stubs))
    made = []
    for place, (record, stub) in enumerate(zip(records, stubs, strict=True)):
        to_come -= size(stub)
        share = (left - to_come) / (len(records) - place)
        text = size(written(record, sections_of(record, Allowance(0))))
        if text > left - to_come:
            made.append(stub)
        else:
            wide = NARROW if len(records) > MANY else WIDE
            made.append(written(record, sections_of(record, Allowance(max(0, share - text - NOTES), wide))))
        left -= size(made[-1])
    return whole(sections, "".join(made))


def without_details(record: RunRecord) -> Section:
    """What stands in place of a run's details where these do not fit."""
    note = Note(f"The page would grow too large with the details of this run. It lies in {record.folder}.")
    return Section("Left out", [note])


def run_sections(records: Sequence[RunRecord], allowed: float) -> list[Section]:
    """Sections of the only run of a page, if there is one."""
    return [section for record in records for section in sections_of(record, Allowance(max(0, allowed - NOTES)))]


def size(text: str) -> int:
    """Bytes of a text."""
    return len(text.encode())


def writer() -> Environment:
    """The templates, those of the sliders among them."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("micrographia.reporting", "."), PackageLoader("micrographia.plots", ".")]),
        autoescape=select_autoescape(["j2"]),
        undefined=StrictUndefined,
        trim_blocks=False,
    )
    environment.filters.update(variant_json=as_json, first_word=longest_first_word)
    return environment


def longest_first_word(rows: Sequence[Sequence[Cell]]) -> int:
    """Letters of the longest word in the first column of a table, which is not broken where there is room."""
    return max(len(word) for row in rows for word in re.split(r"(?<=-)|\s", row[0].text))


def as_json(variant: Variant) -> dict[str, Any]:
    """A view of a chart as its script reads it."""
    return {"spec": dict(variant.spec), "alt": variant.alt}


def shell() -> dict[str, Any]:
    """What every page has: colours, libraries, version and date."""
    vendor = files("micrographia.reporting") / "vendor"
    libraries = {name: Markup((vendor / file).read_text(encoding="utf-8")) for name, file in LIBRARIES.items()}
    colours = {
        name: Markup("; ".join(f"{key}: {html.escape(value)}" for key, value in theme.items()))
        for name, theme in (("light", LIGHT), ("dark", DARK))
    }
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return {**libraries, **colours, "version": __version__, "made": made}
