"""One console on stderr for progress, tables and notices; stdout carries the run's folder alone."""

import logging
import warnings
from typing import Any

from rich.console import Console
from rich.table import Table


class HouseConsole(Console):
    """A console that leaves tables out in a notebook, where a call returns what they show."""

    def print(self, *objects: Any, **options: Any) -> None:
        """Print as rich does."""
        shown = [item for item in objects if not (self.is_jupyter and isinstance(item, Table))]
        if shown or not objects:
            super().print(*shown, **options)


console = HouseConsole(stderr=True)


class NoticeHandler(logging.Handler):
    """Print the package's log messages as plain lines that do not disturb a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one message; long ones are left to the terminal to wrap, so that paths can be copied."""
        console.print(record.getMessage(), markup=False, highlight=False, soft_wrap=True)


def show_notices() -> None:
    """Send the package's log messages to the console."""
    logger = logging.getLogger("micrographia")
    if not any(isinstance(handler, NoticeHandler) for handler in logger.handlers):
        logger.addHandler(NoticeHandler())
    logger.setLevel(logging.INFO)


def quieten_lightning() -> None:
    """Keep Lightning's advertisements off stderr; its warnings about our loaders do not apply."""
    for name in ("pytorch_lightning", "lightning.pytorch", "lightning_fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
