"""``micrographia data``: public sets listed and fetched, and any set looked at before it is used."""

from collections.abc import Callable, Sequence

from micrographia.data.catalogue.sets import SETS
from micrographia.errors import UserError
from micrographia.tasks.composing import print_config, without_show
from micrographia.tasks.inspecting import check_set, data_choices, inspection, preview_set
from micrographia.tasks.public_sets import fetch_set, list_sets, settings

ABOUT = {
    "list": "the public sets: what they show, how large they are, which are here; list NAME tells all of one",
    "fetch": "download a set, check it and make it ready: fetch NAME",
    "check": "read every image of a set and say all that is wrong: check NAME, check image_folder data.root=PATH",
    "preview": "draw a set at a glance, and images of each class as a model sees them: preview NAME",
}


def data_command(arguments: Sequence[str]) -> int:
    """Answer ``micrographia data ACTION [NAME] [key=value ...]`` and return the exit status.

    Raises
    ------
    UserError
        If the action, the name or a key is unknown, or the action fails.
    """
    from micrographia.console import show_notices

    if not arguments or {"-h", "--help"} & set(arguments):
        print(overview())
        return 0
    action, *rest = arguments
    if action not in ACTIONS:
        raise UserError(f"data {action}: no such command. There are: {', '.join(f'data {name}' for name in ACTIONS)}.")
    rest, shown = without_show(rest)
    if option := next((item for item in rest if item.startswith("-")), None):
        raise UserError(f"{option}: data {action} takes --cfg job, at the end, and key=value.")
    names = [item for item in rest if "=" not in item]
    if len(names) > 1:
        raise UserError(f"data {action}: one set at a time, these are {len(names)}: {', '.join(names)}.")
    name, overrides = next(iter(names), None), [item for item in rest if "=" in item]
    if shown:
        return show_config(action, name, overrides)
    show_notices()
    return ACTIONS[action](name, overrides)


def show_config(action: str, name: str | None, overrides: Sequence[str]) -> int:
    """Print the configuration that an action would have."""
    if action in ("check", "preview") and name in data_choices():
        what, how = inspection(name, overrides)
    else:
        what, how = settings(overrides)
    print_config(f"data {action}", {**what, "how": how})
    return 0


def overview() -> str:
    """Text of ``micrographia data --help``."""
    actions = "\n".join(f"  micrographia data {name:<8} {about}" for name, about in ABOUT.items())
    return (
        f"micrographia data: public sets, and looking at any set before it is used\n\n{actions}\n\n"
        "Sets lie below how.paths.data=FOLDER (default: ./data, or where MICROGRAPHIA_DATA says).\n"
        f"Public sets: {', '.join(SETS)}."
    )


ACTIONS: dict[str, Callable[[str | None, Sequence[str]], int]] = {
    "list": list_sets,
    "fetch": fetch_set,
    "check": check_set,
    "preview": preview_set,
}
