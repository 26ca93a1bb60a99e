"""One console on stderr for progress, tables and notices; stdout carries the run's folder alone."""

import logging
import os

from rich.console import Console
from rich.logging import RichHandler

console = Console(stderr=True, soft_wrap=not os.isatty(2))


def show_notices() -> None:
    """Send the package's log messages to the console as plain lines."""
    logger = logging.getLogger("micrographia")
    if not any(isinstance(handler, RichHandler) for handler in logger.handlers):
        handler = RichHandler(console=console, show_time=False, show_level=False, show_path=False, highlighter=None)
        logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
