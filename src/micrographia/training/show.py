"""Closing tables that a newcomer understands."""

from collections.abc import Mapping

from rich.table import Table

from micrographia.console import console


def closing_table(title: str, metrics: Mapping[str, float]) -> None:
    """Print a run's metrics, one a row."""
    table = Table(title=title, title_justify="left")
    table.add_column("metric")
    table.add_column("value", justify="right")
    for name, value in metrics.items():
        table.add_row(name, f"{value:.4g}")
    console.print(table)
