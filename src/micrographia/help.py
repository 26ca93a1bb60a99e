"""Help of one verb, read from the config tree without composing it."""

from pathlib import Path

from micrographia import presets
from micrographia.config import config_directory


def verb_help(verb: str, about: str) -> str:
    """Text of ``micrographia VERB --help``: usage, groups with their choices, and the root config."""
    root = config_directory()
    groups = "\n".join(f"  {name}={'|'.join(choices)}" for name, choices in choices_of(verb).items())
    return (
        f"micrographia {verb}: {about}\n\n"
        f"  micrographia {verb} [key=value ...] [group=choice ...] [-m] [--cfg job]\n\n"
        "Groups and their choices (group@part chooses for an input run, as in model@source.model=factor_vae):\n"
        f"{groups}\n\n"
        f"Keys of {verb}.yaml, besides those of the groups:\n{(root / f'{verb}.yaml').read_text().rstrip()}"
    )


def choices_of(verb: str) -> dict[str, list[str]]:
    """Choices of each config group, by the group's name; of the presets, those of a verb."""
    return group_choices(config_directory()) | {presets.GROUP: presets.presets(verb)}


def group_choices(root: Path) -> dict[str, list[str]]:
    """Choices of each config group, by the group's name."""
    found: dict[str, list[str]] = {}
    for folder in sorted(path for path in root.iterdir() if path.is_dir() and path.name != "hydra"):
        files = sorted(folder.rglob("*.yaml"))
        nested = {part.name for part in folder.iterdir() if part.is_dir() and is_group(part)}
        names = [file.relative_to(folder).with_suffix("").as_posix() for file in files]
        if names:
            found[folder.name] = [name for name in names if name.split("/")[0] not in nested]
        for part in sorted(nested):
            found[f"{folder.name}/{part}"] = [file.stem for file in sorted((folder / part).glob("*.yaml"))]
    return found


def is_group(folder: Path) -> bool:
    """Whether a subfolder is a group of its own (``model/network``) rather than part of a choice's name."""
    return folder.parent.name == "model"
