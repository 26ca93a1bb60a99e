"""What the user has set up: config folders, public sets, and W&B."""

import netrc
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlparse

from micrographia.config import config_directory
from micrographia.diagnosis.finding import Finding, shown_path, without_home
from micrographia.errors import UserError
from micrographia.help import group_choices
from micrographia.presets import GROUP, read
from micrographia.runs.environment import installed_version
from micrographia.search_path import STUDIES, VARIABLE, check_own_folders, own_folders, shadows

ACCOUNT_HOST = "https://api.wandb.ai"


def config_findings() -> Iterator[Finding]:
    """The user's config folders: what they hold, which files are taken in place of ours, and which are broken."""
    try:
        folders = own_folders()
        check_own_folders()
    except UserError as error:
        yield Finding("settings", "own configs", without_home(str(error)), "broken", without_home(str(error)))
        return
    yield Finding("settings", "shipped configs", shown_path(config_directory()))
    if not folders:
        yield Finding("settings", "own configs", f"none: no micrographia_conf/ here, and {VARIABLE} is not set")
    for folder in folders:
        yield Finding("settings", "own configs", f"{shown_path(folder)}: {holds(folder)}")
        for file in sorted(folder.rglob("*.yaml")):
            try:
                read(file)
            except UserError as error:
                said = without_home(str(error))
                yield Finding("settings", "own configs", said, "warning", f"Mend {shown_path(file)}.")
    for name, file in shadows().items():
        yield Finding("settings", "own configs", f"{name}: {shown_path(file)} in place of ours", "note")


def holds(folder: Path) -> str:
    """What there is in a config folder, in words."""
    choices = group_choices(folder)
    presets = choices.pop(GROUP, [])
    counts = {
        ("choice", "choices"): sum(map(len, choices.values())),
        ("preset", "presets"): len(presets),
        ("study", "studies"): len(list((folder / STUDIES).glob("*.yaml"))),
        ("module", "modules"): len(list(folder.glob("*.py"))),
    }
    return ", ".join(f"{count} {words[count > 1]}" for words, count in counts.items() if count) or "nothing yet"


def data_findings(paths: Mapping[str, str]) -> Iterator[Finding]:
    """Which public sets are there."""
    from micrographia.data.catalogue.sets import SETS
    from micrographia.tasks.public_sets import state

    root = Path(paths["data"])
    told = "" if "MICROGRAPHIA_DATA" in os.environ else " (MICROGRAPHIA_DATA is not set)"
    found = {name: state(public, root) for name, public in SETS.items()}
    here = [name for name, how in found.items() if how in ("fetched", "here")]
    partly = [name for name, how in found.items() if how == "in part"]
    value = f"{shown_path(root)}{told}: {', '.join(here) or 'none of them'}"
    yield Finding("settings", "public sets", value, "ok" if here else "note")
    for name in partly:
        advice = f"micrographia data fetch {name} goes on with what is missing."
        yield Finding("settings", "public sets", f"{name} is there in part", "warning", advice)


def wandb_finding() -> Finding:
    """Whether runs would be sent to W&B, as far as files and the environment tell; nothing is asked of its server."""
    if installed_version("wandb") is None:
        return Finding("settings", "W&B", "not installed: logger=csv writes curves and tables all the same", "note")
    host = os.environ.get("WANDB_BASE_URL", ACCOUNT_HOST)
    where = "" if host == ACCOUNT_HOST else f" at {urlparse(host).hostname}"
    if mode := os.environ.get("WANDB_MODE"):
        return Finding("settings", "W&B", f"logger=wandb works {mode} (WANDB_MODE)")
    if os.environ.get("WANDB_API_KEY"):
        return Finding("settings", "W&B", f"logged in{where} (WANDB_API_KEY is set; not tried)")
    if has_entry(str(urlparse(host).hostname)):
        return Finding("settings", "W&B", f"logged in{where} (an entry in the netrc file; not tried)")
    return Finding("settings", "W&B", "no account here: logger=wandb works offline; wandb login adds one", "note")


def has_entry(host: str) -> bool:
    """Whether the user's netrc file has an entry of a host."""
    named = os.environ.get("NETRC")
    for file in [Path(named)] if named else [Path.home() / name for name in (".netrc", "_netrc")]:
        try:
            if netrc.netrc(str(file)).authenticators(host):
                return True
        except (OSError, netrc.NetrcParseError):
            continue
    return False
