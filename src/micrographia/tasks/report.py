"""``micrographia report``: runs, sweeps and studies as one page of HTML; imports nothing heavy before the work."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypedDict

from micrographia.config import Between
from micrographia.errors import UserError
from micrographia.reporting.paths import check_paths
from micrographia.tasks.composing import checked_for, print_config, without_show

MEGABYTE = 1_000_000


class Report(TypedDict):
    """Keys of ``report.yaml``."""

    output: str | None
    megabytes: Annotated[float, Between(1)]


def report_command(arguments: Sequence[str]) -> int:
    """Answer ``micrographia report PATH... [key=value ...] [--wandb]`` and return the exit status.

    Raises
    ------
    UserError
        If an option or key is unknown, a path is not there or holds nothing, or the page cannot be written.
    """
    from micrographia.console import show_notices

    if not arguments or {"-h", "--help"} & set(arguments):
        print(overview())
        return 0
    words, shown = without_show(arguments)
    words = [word for word in words if word != "--wandb"]
    if option := next((word for word in words if word.startswith("-")), None):
        raise UserError(f"{option}: report takes --wandb, --cfg job at the end, and key=value.")
    paths = [word for word in words if "=" not in word or Path(word).exists()]
    overrides = [word for word in words if word not in paths]
    if "--wandb" in arguments and not any(word.startswith("logger=") for word in overrides):
        overrides.append("logger=wandb")
    if not shown:
        check_paths(paths)
    what, how = settings(overrides)
    if shown:
        print_config("report", {"paths": paths, **what, "how": how})
        return 0
    show_notices()
    file = write_page(paths, what, how)
    print(file, flush=True)
    return 0


def write_page(paths: Sequence[str], what: Mapping[str, Any], how: Mapping[str, Any]) -> Path:
    """Write the page of what lies at paths, upload it where a logger is named, and return its file."""
    from micrographia.reporting.finding import page_name
    from micrographia.runs.writing import write_atomically
    from micrographia.tasks.reporting import report

    file = Path(what["output"] or Path(how["paths"]["runs"], "reports", f"{page_name(paths)}.html"))
    if file.is_dir():
        raise UserError(f"output={what['output']}: is a folder. Name a file in it, as output={file / 'report.html'}.")
    page = report(paths, int(what["megabytes"] * MEGABYTE))
    write_atomically(file, lambda part: part.write_text(page, encoding="utf-8"), "output")
    if how["logger"].get("_target_"):
        from micrographia.reporting.upload import upload

        upload(file, how["logger"])
    return file


def overview() -> str:
    """Text of ``micrographia report --help``."""
    return (
        "micrographia report: one page of HTML for runs, a sweep or a study; it needs no network and no server\n\n"
        "  micrographia report PATH... [output=FILE] [--wandb]\n\n"
        "A PATH is the folder of a run, a folder that holds runs (runs/, runs/transfer), the table of a sweep\n"
        "(runs/sweeps/NAME.csv), or the folder of a study (runs/studies/NAME).\n\n"
        "  output=FILE            the page; otherwise <how.paths.runs>/reports/<name>.html\n"
        "  megabytes=20           the page stays below: images that do not fit are named in it\n"
        "  how.paths.runs=FOLDER  where reports/ lies\n"
        "  --wandb                upload the page to W&B as well (offline without an account);\n"
        "                         how.logger.project=NAME, how.logger.entity=NAME\n\n"
        "The last line on stdout is the page's file."
    )


def settings(overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What and how of ``report.yaml`` with overrides, checked."""
    return checked_for("report", overrides, Report)
