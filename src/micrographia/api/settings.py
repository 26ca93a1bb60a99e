"""Python values as the overrides of a command: keyword arguments, dictionaries, and text as on the command line."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from micrographia.api.results import Results
from micrographia.cli import INPUTS, with_named_run
from micrographia.config import config_directory
from micrographia.errors import UserError
from micrographia.presets import groups, read
from micrographia.pretrained import pretrained_names
from micrographia.runs.address import RUN_KEY
from micrographia.search_path import config_file

Overrides = str | Sequence[str] | Mapping[str, Any] | None

BARE = re.compile(r"/?[A-Za-z_][A-Za-z0-9_./-]*")  # texts that Hydra's grammar takes for themselves without quotes
WORDS = ("true", "false", "null", "nan", "inf")  # unless they mean something


def overrides_of(settings: Mapping[str, Any], overrides: Overrides = None, sweeping: bool = False) -> list[str]:
    """The overrides of a command that keyword arguments and further overrides stand for.

    Parameters
    ----------
    settings
        Values by key. A mapping gives the keys of a part of the configuration: ``finetune={"epochs": 5}`` is
        ``finetune.epochs=5``; as the value of a single key it is merged into what that holds. A run, or its folder, may
        stand for a group of runs (``source``, ``generator``, ``flow``, ``encoder``).
    overrides
        More of them: a mapping, whose keys may hold dots, or texts as on the command line, which are taken as written.
    sweeping
        A list is several values, a job each; a list as a value stands in a list of its own.

    Raises
    ------
    UserError
        If a value is of no type that a configuration holds.

    Examples
    --------
    >>> overrides_of({"finetune": {"epochs": 5}, "labels": None}, {"data.channels": ["DNA", 2]})
    ['finetune.epochs=5', 'labels=null', 'data.channels=[DNA,2]']
    >>> overrides_of({"seed": [0, 1]}, ["source.model.beta=1,4"], sweeping=True)
    ['seed=0,1', 'source.model.beta=1,4']
    """
    given = dict(settings)
    texts: list[str] = []
    if isinstance(overrides, Mapping):
        given |= overrides
    elif overrides is not None:
        texts = [overrides] if isinstance(overrides, str) else [*overrides]
    if wrong := next(
        (text for text in texts if not isinstance(text, str) or ("=" not in text and not text.startswith("~"))), None
    ):
        raise UserError(f"overrides: {wrong!r} is no key=value. Give a list of such texts, or a dictionary.")
    written = [override for key, value in given.items() for override in written_as(key, value, sweeping)]
    return written + [part for text in texts for part in with_named_run(text)]


def written_as(key: str, value: Any, sweeping: bool) -> Iterator[str]:
    """Overrides that one key and its value stand for."""
    if isinstance(value, Mapping) and key in nodes():
        for name, inner in value.items():
            yield from written_as(f"{key}.{name}", inner, sweeping)
        return
    values = several(key, value) if sweeping else [value]
    if key in INPUTS and (runs := [run for run in values if is_run(key, run)]):
        if len(runs) < len(values):
            raise UserError(f"{key}: finished runs, {runs[0]}, cannot be swept together with choices of {key}.")
        yield f"{key}=path"
        key = f"{key}.{RUN_KEY}"
    yield f"{key}={','.join(text_of(item, key) for item in values)}"


@cache
def nodes() -> frozenset[str]:
    """Keys that hold other keys: a group's choice, several choices, or a part of a root config.

    Examples
    --------
    >>> {"data", "methods", "methods.rls", "budget", "how.paths"} <= nodes(), "contrast" in nodes()
    (True, False)
    """
    roots = sorted(config_directory().glob("*.yaml"))
    packages = {package for root in roots for _, package in groups(root)}
    parts = {key for root in roots for key, value in read(root).items() if isinstance(value, Mapping)}
    return frozenset(packages | parts | {package.partition(".")[0] for package in packages} | {"how.paths"})


def several(key: str, value: Any) -> list[Any]:
    """The values of a swept key: those of a list, tuple, range or array, else the one."""
    value = value.tolist() if hasattr(value, "tolist") else value
    if not isinstance(value, (list, tuple, range)):
        return [value]
    if not len(value):
        raise UserError(f"{key}: a list without a value. A list stands for several values, a job each.")
    return list(value)


def is_run(key: str, value: Any) -> bool:
    """Whether a value of a group of runs is a run or its folder, and none of the group's choices."""
    text = value.place if isinstance(value, Results) else str(value)
    if config_file(f"{key}/{text}").is_file():
        return False
    return Path(text).expanduser().is_dir() or text.removeprefix("pretrained/") in pretrained_names()


def text_of(value: Any, key: str = "") -> str:
    """A value in Hydra's grammar, which reads the same value back.

    Examples
    --------
    >>> text_of(None), text_of([0.5, True]), text_of("my images"), text_of({"column": "class", "positive": "10"})
    ('null', '[0.5,true]', "'my images'", "{column:class,positive:'10'}")
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (str, Path)):
        return quoted(str(value))
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{name_of(name)}:{text_of(item, key)}" for name, item in value.items()) + "}"
    if isinstance(value, (list, tuple, range)):
        return f"[{','.join(text_of(item, key) for item in value)}]"
    if hasattr(value, "tolist"):  # numbers and arrays of numpy and torch
        return text_of(value.tolist(), key)
    if isinstance(value, Results):
        return text_of(value.place, key)
    raise UserError(
        f"{key}: a {type(value).__name__} is no setting. Give text, numbers, None, lists or dictionaries of these."
    )


def quoted(text: str) -> str:
    """A text in quotes, unless it is taken for itself without."""
    from hydra.core.override_parser.types import Quote, QuotedString

    if BARE.fullmatch(text) and text.lower() not in WORDS:
        return text
    return QuotedString(text, Quote.single).with_quotes()


def name_of(key: Any) -> str:
    """Name of a key within a value, where the grammar has no quotes."""
    from hydra._internal.grammar.utils import escape_special_characters

    return str(escape_special_characters(key)) if isinstance(key, str) else text_of(key)
