"""Help of one verb, read from the config tree without composing it."""

from collections.abc import Sequence
from pathlib import Path

from micrographia import presets
from micrographia.config import config_directory
from micrographia.overrides import is_execution
from micrographia.search_path import STUDIES, config_file, folders, own_folders

# Launchers that come with a plugin of Hydra's, and our extra that brings it.
LAUNCHERS = {"joblib": "joblib", "submitit_local": "cluster", "submitit_slurm": "cluster", "ray": "ray"}


def verb_help(verb: str, about: str) -> str:
    """Text of ``micrographia VERB --help``: usage, groups with their choices, and the root config."""
    root = config_directory()
    own, trained = groups_of(verb), inputs_of(verb)
    inner = {place: choices for place, choices in groups_of("train", "RUN").items() if is_free(place, trained)}
    groups = "\n".join(f"  {place}={'|'.join(choices)}" for place, choices in own.items())
    if trained:
        further = "\n".join(f"  {place}={'|'.join(choices)}" for place, choices in inner.items())
        names = " or ".join(trained)
        groups += f"\n\nGroups of a run that is trained on the way, where RUN is {names}, "
        groups += f"with {trained[0]}=trained:\n{further}"
    if added := own_groups():
        further = "\n".join(f"  +{group}@KEY={'|'.join(choices)}" for group, choices in added.items())
        groups += f"\n\nGroups of your own that no verb names, added where KEY says:\n{further}"
    return (
        f"micrographia {verb}: {about}\n\n"
        f"  micrographia {verb} [key=value ...] [group=choice ...] [-m] [--cfg job]\n\n"
        f"Groups and their choices:\n{groups}\n\n"
        f"Keys of {verb}.yaml, besides those of the groups:\n{(root / f'{verb}.yaml').read_text().rstrip()}"
    )


def own_groups() -> dict[str, list[str]]:
    """Choices of groups that are in the user's folders alone."""
    return {group: choices for group, choices in group_choices(*own_folders()).items() if not is_shipped(group)}


def is_shipped(group: str) -> bool:
    """Whether a group is one of the tree that ships."""
    return (config_directory() / group).is_dir()


def groups_of(verb: str, run: str = "") -> dict[str, list[str]]:
    """Choices of each group that a verb takes, by what is written before the ``=``, as ``model/network``.

    Parameters
    ----------
    verb
        A root config.
    run
        Where the verb's config stands in another one, as ``source``: groups are then ``model@source.model``; the verb's
        execution and presets are not among them.

    Examples
    --------
    >>> groups_of("train", "source")["model/network@source.model.network"]
    ['conv', 'features', 'reference_conv']
    """
    choices = choices_of(verb)
    found = {}
    for group, package in presets.groups(config_directory() / f"{verb}.yaml"):
        if run and (is_execution(group) or group == presets.GROUP):
            continue
        nested = [name for name in choices if name.startswith(f"{group}/")]
        for name in (group, *nested):
            place = f"{package}{name.removeprefix(group)}".replace("/", ".")
            found[f"{name}@{run}.{place}" if run else written(name, place)] = choices[name]
    return found


def written(group: str, package: str) -> str:
    """How a choice of a group is written that is placed in a package: any of several is a NAME in it.

    Examples
    --------
    >>> written("model/network", "model.network"), written("backbone", "features"), written("probe", "probes.gbt")
    ('model/network', 'backbone@features', 'probe@probes.NAME')
    """
    if package == group.replace("/", "."):
        return group
    place, several, _ = package.partition(".")
    return f"{group}@{place}.NAME" if several else f"{group}@{place}"


def inputs_of(verb: str) -> list[str]:
    """Groups of a verb that may be a run trained on the way."""
    named = [group for group, _ in presets.groups(config_directory() / f"{verb}.yaml")]
    return [group for group in dict.fromkeys(named) if config_file(f"{group}/trained").is_file()]


def is_free(place: str, runs: Sequence[str]) -> bool:
    """Whether none of the runs trained on the way takes what stands in a place from elsewhere, as ``data: ${data}``."""
    key = place.rpartition(".")[2]
    bodies = [presets.read(config_file(f"{run}/trained")) for run in runs]
    return not any(str(body.get(key)).startswith("${") for body in bodies)


def choices_of(verb: str) -> dict[str, list[str]]:
    """Choices of each config group, by the group's name; of the presets, those of a verb."""
    return group_choices(*folders()) | {presets.GROUP: presets.presets(verb)}


def launchers() -> list[str]:
    """Launchers of Hydra's, of the plugins that our extras bring, and settings of them in the user's folders."""
    own = [file.stem for folder in own_folders() for file in sorted((folder / "hydra" / "launcher").glob("*.yaml"))]
    return ["basic", *LAUNCHERS, *own]


def group_choices(*roots: Path) -> dict[str, list[str]]:
    """Choices of each config group in one or several trees, by the group's name."""
    found: dict[str, set[str]] = {}
    for folder in (path for root in roots for path in root.iterdir() if path.is_dir()):
        if folder.name in ("hydra", STUDIES):
            continue
        nested = {part.name for part in folder.iterdir() if part.is_dir() and is_group(part)}
        names = {file.relative_to(folder).with_suffix("").as_posix() for file in folder.rglob("*.yaml")}
        if names:
            found.setdefault(folder.name, set()).update(name for name in names if name.split("/")[0] not in nested)
        for part in nested:
            own = {file.stem for file in (folder / part).glob("*.yaml")}
            found.setdefault(f"{folder.name}/{part}", set()).update(own)
    return {group: sorted(found[group]) for group in sorted(found)}


def is_group(folder: Path) -> bool:
    """Whether a subfolder is a group of its own (``model/network``) rather than part of a choice's name."""
    return folder.parent.name in ("model", "how")
