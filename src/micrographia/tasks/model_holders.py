"""Which runs hold a model that can be exported, told by their configs alone; and what to export instead of others."""

from collections.abc import Mapping
from typing import Any

from micrographia.errors import UserError
from micrographia.runs.run import How, Run, at_precision_of, finished_run


def require_model(run: Run, how: How) -> None:
    """Refuse a run that trained nothing.

    Raises
    ------
    UserError
        With the run that is to be exported in its place.
    """
    if run.config.get("task") not in ("train", "transfer"):
        raise UserError(f"run={run.folder}: {instead_of(run, how)}")


def instead_of(run: Run, how: How) -> str:
    """Why a run that trained nothing is not exported, and which one is to be."""
    config = run.config
    task = config.get("task")
    if task == "evaluate":
        return f"an evaluation holds no model. Export the run that it scored: run={config['run']}"
    if task == "superresolve":
        node = config["generator"]
        source = node.get("run")
        if source is None:
            found = finished_run(node, at_precision_of(run, how))
            source = found.place if found else f"<folder of {node['name']}>"
        return f"a super-resolution holds no model of its own. Export its generator: run={source}"
    return f"a {task} run holds no model. Export a train or transfer run."


def instead_of_flow(config: Mapping[str, Any]) -> str:
    """Why a flow is not exported, and what is to be."""
    node = config["data"].get("generator") or {}
    name = node.get("run") or node.get("name") or "its generator's folder"
    return f"a flow only says which codes of a generator are typical. Export the generator: run={name}"
