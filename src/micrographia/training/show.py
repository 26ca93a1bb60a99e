"""Closing tables that a newcomer understands."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from micrographia.console import console

PROBES = {"gbt": "boosted trees", "mlp": "perceptron", "logistic": "logistic regression"}


def closing_table(title: str, metrics: Mapping[str, float]) -> None:
    """Print a run's metrics, one a row."""
    table = Table(title=title, title_justify="left")
    table.add_column("metric")
    table.add_column("value", justify="right")
    for name, value in metrics.items():
        table.add_row(name, f"{value:.4g}")
    console.print(table)


def transfer_table(title: str, data: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
    """Print test balanced accuracy of each probe: on the source's codes, on the fine-tuned ones, on the raw input.

    Parameters
    ----------
    data
        Record of the target: ``images`` per part, and ``channels`` where the images' were mapped.
    """
    chance = metrics["chance/balanced_accuracy"]
    table = Table(
        title=f"{title}: balanced accuracy on the test images, %",
        title_justify="left",
        caption=f"Chance is {100 * chance:.1f} %. Codes are a few latents per image; the raw input is all of it.",
        caption_justify="left",
    )
    phases = {"before": "codes of the source model", "after": "codes after fine-tuning", "baseline": "raw input"}
    found = {name.split("/")[2] for name in metrics if name.startswith("probe/")}
    shown = {phase: words for phase, words in phases.items() if phase in found}
    table.add_column("probe")
    for words in shown.values():
        table.add_column(words, justify="right")
    for probe in dict.fromkeys(name.split("/")[1] for name in metrics if name.startswith("probe/")):
        values = [100 * metrics[f"probe/{probe}/{phase}/balanced_accuracy"] for phase in shown]
        table.add_row(PROBES.get(probe, probe), *(f"{value:.1f}" for value in values))
    console.print(table)
    counts = ", ".join(f"{count} {part}" for part, count in data["images"].items())
    console.print(
        f"images: {counts}" + (f"; channels: {data['channels']}" if "channels" in data else ""), highlight=False
    )
