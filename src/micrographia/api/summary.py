"""Summaries of runs as HTML for notebooks: in the colours of the notebook, light or dark."""

from collections.abc import Iterable, Mapping
from html import escape
from math import isfinite
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from micrographia.api.run import Run

CARD = "display:inline-block;margin:0 1.6em .6em 0;vertical-align:top"
SMALL = "font-size:85%;opacity:.75"
TERM = "font-size:85%;opacity:.75;margin-right:.6em"


def run_summary(run: "Run") -> str:
    """A run: its name, settings, leading metrics, and the names of its tables and figures."""
    from micrographia.durations import duration
    from micrographia.reporting.summary import headline_cards, spread_over

    cards = "".join(
        f'<div style="{CARD}"><div style="{SMALL}">{escape(card.label)}</div>'
        f'<div style="font-size:140%;font-weight:600">{escape(card.value)}</div>'
        f'<div style="{SMALL}">{escape(card.note)}</div></div>'
        for card in headline_cards(spread_over([dict(run.metrics)])).cards
    )
    made = f' <span style="{SMALL}">made in {duration(run.seconds)}</span>' if isfinite(run.seconds) else ""
    facts = {
        "settings": code(f"{key}={value}" for key, value in run.settings.items()),
        "tables": code(run.tables),
        "figures": code(run.figures),
        "with sliders": code(run.pages),
        "folder": code([run.place]) + made,
    }
    return framed(f"{run.task}: {run.name}", cards, facts)


def code(texts: Iterable[str]) -> str:
    """Texts that can be copied, with commas between."""
    return ", ".join(f"<code>{escape(text)}</code>" for text in texts)


def framed(title: str, head: str, facts: Mapping[str, str]) -> str:
    """A title, what leads, and a line for each fact that there is something to say of."""
    lines = "".join(
        f'<div style="margin:.15em 0"><span style="{TERM}">{name}</span>{text}</div>'
        for name, text in facts.items()
        if text
    )
    style = "border:1px solid #8886;border-radius:6px;padding:.8em 1em;max-width:62em;text-align:left"
    heading = f'<div style="font-weight:600;margin-bottom:.6em">{escape(title)}</div>'
    return f'<div style="{style}">{heading}{head}{lines}</div>'
