"""One console on stderr for progress, tables and notices; stdout carries the run's folder alone."""

import logging

from rich.console import Console

console = Console(stderr=True)


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
