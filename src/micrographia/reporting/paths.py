"""Whether anything lies at the paths of a report: looked at first, since what reads runs takes seconds to import."""

from collections.abc import Sequence

from micrographia.errors import UserError
from micrographia.pretrained import run_folder

NAMED = "Name a run's folder, runs/, a sweep's CSV (runs/sweeps/NAME.csv) or a study's folder."


def check_paths(paths: Sequence[str]) -> None:
    """Refuse paths that are not there, and files that are no table.

    Raises
    ------
    UserError
        At the first one.
    """
    if not paths:
        raise UserError(f"report: nothing is named. {NAMED}")
    for path in paths:
        place = run_folder(path)
        if not place.exists():
            raise UserError(f"{path}: no such file or folder. {NAMED}")
        if place.is_file() and place.suffix.lower() != ".csv":
            raise UserError(f"{path}: is no run, sweep or study. {NAMED}")
