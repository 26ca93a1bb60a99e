"""Configurations of commands that make no run of their own: composed, checked and shown."""

from collections.abc import Mapping, Sequence
from typing import Any

from micrographia.config import check_value

SHOW = ("--cfg", "job")  # at the end of a command: print its configuration


def without_show(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """A command's arguments, and whether they end in the wish to see its configuration.

    Examples
    --------
    >>> without_show(["runs", "--cfg", "job"]), without_show(["runs"])
    ((['runs'], True), (['runs'], False))
    """
    shown = tuple(arguments[-2:]) == SHOW
    return list(arguments[:-2] if shown else arguments), shown


def print_config(task: str, content: Mapping[str, Any]) -> None:
    """Print the configuration of a command, in its own order."""
    import yaml

    print(yaml.safe_dump({"task": task, **content}, sort_keys=False), end="")


def composed_for(verb: str, overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What and how of a root config; mistakes in overrides are answered."""
    from micrographia.hydra_messages import explained
    from micrographia.runs.address import composed
    from micrographia.schema import Execution

    with explained(verb, overrides):
        what, how = composed(verb, overrides)
    check_value({"logger": {}, **how}, Execution, "how")  # nothing is logged here
    return what, how


def checked_for(verb: str, overrides: Sequence[str], keys: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The same, with *what* compared with the ``TypedDict`` that declares its keys.

    Raises
    ------
    UserError
        At the first key that does not exist, or value that does not fit.
    """
    what, how = composed_for(verb, overrides)
    check_value(what, keys, "")
    return what, how
