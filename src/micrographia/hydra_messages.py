"""Hydra's and OmegaConf's errors in one or two lines, with the valid choices."""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from micrographia.errors import UserError
from micrographia.help import LAUNCHERS, choices_of, launchers
from micrographia.presets import offers, read
from micrographia.runs.address import following
from micrographia.search_path import config_file, hydra_initialized, is_group

# How Hydra's plain ValueError begins where a group is given a number or null.
NO_CHOICE = "Config group override must be"


def is_mistake(error: Exception) -> bool:
    """Whether an error comes from the command line's overrides rather than from a bug."""
    return isinstance(error, (HydraException, OmegaConfBaseException, YAMLError)) or NO_CHOICE in str(error)


@contextmanager
def explained(verb: str, overrides: Sequence[str]) -> Iterator[None]:
    """Answer in our words what Hydra or OmegaConf says of a command's overrides in this block; see `explain`.

    Raises
    ------
    UserError
        In place of their errors.
    """
    try:
        yield
    except Exception as error:
        if not is_mistake(error):
            raise
        raise UserError(explain(error, verb, overrides)) from error


def explain(error: Exception, verb: str, overrides: Sequence[str]) -> str:
    """Say what is wrong with a command line, where, and what to do.

    Parameters
    ----------
    error
        What Hydra or OmegaConf raised.
    verb
        Root config that was composed.
    overrides
        The command's overrides.
    """
    if isinstance(error, YAMLError):
        return f"a config is no YAML ({' '.join(str(error).split())}). Mend the file, or leave it out of its folder."
    lines = [line.strip() for line in f"{error}\n{error.__cause__ or ''}".splitlines() if line.strip()]
    text = " ".join(lines)
    if missing := re.search(r"Could not find '([^']+)'", text):
        return unknown_choice(missing[1], verb)
    if refused := re.search(r"Could not (?:override|delete from config\.?|append to config\.?) '?([\w./@]+)'?", text):
        return unknown_key(refused[1], verb, overrides)
    if "INTERVAL_SWEEP" in text or "requires --multirun" in text:
        given = next((item for item in overrides if "(" in value_of(item)), "")
        return (
            f"{given}: intervals are searched by sweep=optuna how.sweep.metric=METRIC, without -m; "
            "choice(...) and range(...) make a run of each value with -m."
        )
    if "mbiguous value" in text:
        several = next((item for item in overrides if "," in value_of(item)), "")
        return f"{several}: several values. Add -m to make a run of each, or write a list in brackets, as key=[a,b]."
    if NO_CHOICE in text:
        return no_choice(overrides, verb)
    if twice := re.search(r"Multiple values for ([\w./@]+)", text):
        return f"{twice[1]}: given more than once. Give it once."
    if (
        "extraneous input" in text
        or "mismatched input" in text
        or "no viable alternative" in text
        or "NoViableAlt" in text
    ):
        return (
            f"{lines[0]}\nOverrides are key=value; "
            "quote values with spaces, commas, brackets or a leading ~: 'data.root=\"~/my images\"'."
        )
    return " ".join(lines[:2])


def unknown_choice(name: str, verb: str) -> str:
    """Answer a group's choice that does not exist."""
    groups = {**choices_of(verb), "hydra/launcher": launchers()}
    group = max((group for group in groups if name.startswith(f"{group}/")), key=len, default="")
    choices = groups.get(group, [])
    wanted = name.removeprefix(f"{group}/")
    if group == "hydra/launcher" and wanted in LAUNCHERS:
        return f"{group}={wanted}: its plugin is not installed: pip install 'micrographia[{LAUNCHERS[wanted]}]'"
    return f"{group}={wanted}: no such choice{suggestion(wanted, choices)}.\n{group} is one of: {', '.join(choices)}."


def no_choice(overrides: Sequence[str], verb: str) -> str:
    """Answer a number or null where one of a group's choices belongs."""
    groups = choices_of(verb)
    override = next(item for item in overrides if value_of(item) not in groups.get(group_of(item), [value_of(item)]))
    return f"{override}: a group takes one of its choices: {', '.join(groups[group_of(override)])}."


def unknown_key(key: str, verb: str, overrides: Sequence[str]) -> str:
    """Answer a key or group that does not exist, naming those that do."""
    config = composed(verb, [override for override in overrides if bare_key(override) != key])
    if config is None:
        return f"{key}: no such key in {verb}. `micrographia {verb} --help` lists them."
    if answer := following(config, key):
        return f"{key}: {answer}"
    parent, _, leaf = key.rpartition(".")
    node = OmegaConf.select(config, parent) if parent else config
    while parent and not isinstance(node, DictConfig):
        parent, _, leaf = parent.rpartition(".")
        node = OmegaConf.select(config, parent) if parent else config
    names = sorted(str(name) for name in node if name != "_target_")
    where = parent or verb
    elsewhere = choices_with(key)
    hint = f" {' or '.join(elsewhere)} has it." if elsewhere else ""
    return f"{key}: no such key{suggestion(leaf, names)}.{hint}\n{where} has: {', '.join(names)}."


def choices_with(key: str) -> list[str]:
    """At most three choices of a key's group that have the key, the shortest names first.

    Examples
    --------
    >>> choices_with("data.root")[0], choices_with("source.model.beta"), choices_with("seed")
    ('data=image_folder', ['source=trained'], [])
    """
    group, _, rest = key.partition(".")
    name = rest.partition(".")[0]
    if not rest or not is_group(group):
        return []
    found = []
    for choice in choices_of("train").get(group, []):
        content = read(config_file(f"{group}/{choice}"))
        if name in content or (choice == "trained" and name in offers(config_file("train"))):
            found.append(f"{group}={choice}")
    return sorted(found, key=len)[:3]


def bare_key(override: str) -> str:
    """Key of an override, without its sign and value."""
    return override.partition("=")[0].lstrip("+~")


def group_of(override: str) -> str:
    """Group that an override chooses from, without its sign, package and value."""
    return bare_key(override).partition("@")[0]


def value_of(override: str) -> str:
    """Value of an override as it was written."""
    return override.partition("=")[2]


def composed(verb: str, overrides: Sequence[str]) -> DictConfig | None:
    """Compose a verb's config with those overrides that fit; None if even the rest does not."""
    from hydra import compose

    simple = [override for override in overrides if "," not in override]
    choices = [override for override in simple if "." not in bare_key(override)]  # a second mistake is among the others
    for attempt in (simple, choices, []):
        try:
            with hydra_initialized():
                return compose(verb, list(attempt))
        except (HydraException, OmegaConfBaseException):
            continue
    return None


def suggestion(wanted: str, names: Iterable[str]) -> str:
    """The nearest of the names, as a question in brackets; empty if none is near."""
    names = list(names)
    near = [name for name in names if name.endswith(f"/{wanted}")] or difflib.get_close_matches(wanted, names, n=1)
    return f" (did you mean {near[0]}?)" if near else ""
