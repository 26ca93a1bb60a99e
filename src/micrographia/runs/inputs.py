"""The run that a finished run has taken as an input, found again where folders and images lie elsewhere by now."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from micrographia.errors import UserError
from micrographia.runs.run import How, Run, finished_run


def made_run(node: Mapping[str, Any], how: How, key: str) -> Run:
    """The finished run that a node of a finished run's configuration stands for; nothing is trained.

    It is looked for at its address. Where the images that it was trained on have gone, or are others by now, it is the
    only run of that very configuration. A folder that is named, and is not there, may lie among the other runs.

    Parameters
    ----------
    key
        Where the node stands, for messages.

    Raises
    ------
    UserError
        If there is no such run, or it cannot be told which.
    """
    runs = Path(how["paths"]["runs"])
    if "task" not in node:
        moved = runs / "train" / Path(node["run"]).name
        there = Path(node["run"]).is_dir() or not Run(moved).finished
        return Run.named(node["run"] if there else str(moved), f"{key}.run")
    try:
        found = finished_run(node, how)
    except UserError:  # a folder that its address depends on is not there
        found = None
    if found is not None:
        return found
    alike = runs_of(node, runs)
    if not alike:
        raise UserError(
            f"{key}: {node['name']}, from which a model was made, is not in {runs} any more. "
            "Set how.paths.runs to the folder where it lies."
        )
    if len(alike) > 1:
        names = ", ".join(run.folder.name for run in alike)
        raise UserError(
            f"{key}: its images have changed, and several runs have its configuration: {names}. Nobody knows which one "
            f"it was: move the others out of {alike[0].folder.parent}."
        )
    return alike[0]


def runs_of(node: Mapping[str, Any], runs: Path) -> list[Run]:
    """Finished runs whose configuration is that of a node, whatever the precision that they were made at."""
    wanted = without_precision(node)
    folders = (runs / str(node["task"])).glob("*/config.yaml")
    finished = (Run(file.parent) for file in sorted(folders))
    return [run for run in finished if run.finished and without_precision(content_of(run)) == wanted]


def content_of(run: Run) -> Mapping[str, Any]:
    """A run's configuration as plain YAML, which is read fast; nothing of one that is damaged."""
    try:
        return yaml.load((run.folder / "config.yaml").read_bytes(), getattr(yaml, "CSafeLoader", yaml.SafeLoader)) or {}
    except (OSError, yaml.YAMLError):
        return {}


def without_precision(what: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration without the precision that runs keep beside it."""
    return {key: value for key, value in what.items() if key != "precision"}
