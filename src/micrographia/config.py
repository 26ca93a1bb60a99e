"""The config tree: where it lies, how its values are checked, and how a node of it becomes an object."""

import functools
import inspect
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from micrographia.errors import UserError

LISTS = (list, tuple, Sequence)  # what a YAML list may be given for


@dataclass(frozen=True)
class Between:
    """Limits of a number, both included, as in ``Annotated[int, Between(1)]``; neither infinity nor NaN is between any.

    Examples
    --------
    >>> Between(0, 1).holds(0.5), Between(1).holds(0), Between(0).holds(math.nan)
    (True, False, False)
    """

    least: float
    most: float = math.inf

    def holds(self, value: float) -> bool:
        """Whether a number is between the limits."""
        return self.least <= value <= self.most and value != math.inf

    def __str__(self) -> str:
        return f"from {self.least} on" if self.most == math.inf else f"from {self.least} to {self.most}"


@cache
def config_directory(name: str = "conf") -> Path:
    """Folder of the config tree (or of ``experiments``): the packaged copy, else the checkout's.

    Examples
    --------
    >>> (config_directory() / "train.yaml").exists()
    True
    """
    package = Path(__file__).parent
    packaged = package / name
    return packaged if packaged.is_dir() else package.parents[1] / name


# Hydra's own writing: no outputs/ folder, sweeps recorded beside the runs, log lines on stderr.
HYDRA_SETTINGS = (
    "hydra.run.dir=.",
    "hydra.output_subdir=null",
    "hydra.sweep.dir='${how.paths.runs}/.sweeps'",
    "hydra.sweep.subdir=.",
    "hydra/job_logging=stderr",
    "hydra/hydra_logging=stderr",
)


def instantiate(node: Mapping[str, Any], key: str, **given: Any) -> Any:
    """Build the object that a config node's ``_target_`` names, after checking the node against its signature.

    Parameters
    ----------
    node
        Config with ``_target_``.
    key
        Where the node stands in the config (``model``), for messages.
    given
        Further keyword arguments, which the config does not hold.

    Raises
    ------
    UserError
        If a key does not exist in the target's signature, or a value is not of the annotated type.
    """
    import hydra.utils
    from hydra.errors import InstantiationException

    check_arguments(node, key, frozenset(given))
    try:
        # Given objects bypass Hydra, which would copy them into a config.
        make = hydra.utils.instantiate(dict(node), _partial_=True, _convert_="all")
        return functools.partial(make, **given) if node.get("_partial_") else make(**given)
    except InstantiationException as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        raise UserError(f"{key}: {str(error).splitlines()[0]}") from error
    except (ValueError, TypeError) as error:
        raise UserError(f"{key}: {error}") from error


def check_arguments(node: Mapping[str, Any], key: str, given: frozenset[str] = frozenset()) -> None:
    """Compare a config node with the signature of its ``_target_``, and its child nodes with theirs."""
    if node.get("_target_") is None:
        return
    target = imported(node["_target_"], key)
    parameters = inspect.signature(target).parameters
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    hints = signature_hints(target)
    for name, value in node.items():
        if name in ("_target_", "_partial_", "_recursive_", "_convert_", "_args_"):
            continue
        if name not in parameters and not open_ended:
            names = ", ".join(sorted(set(parameters) - given - {"self"}))
            raise UserError(f"{key}.{name}: no such key. {key} ({target.__name__}) takes: {names}.")
        if name in hints:
            check_value(value, hints[name], f"{key}.{name}")
        if isinstance(value, Mapping):
            check_arguments(value, f"{key}.{name}")


def imported(target: str, key: str) -> Any:
    """The class or function that a ``_target_`` names.

    Parameters
    ----------
    key
        Of the node, for messages.

    Raises
    ------
    UserError
        If it cannot be imported, with the reason.
    """
    from hydra._internal.utils import _locate

    try:
        return _locate(target)
    except (ImportError, ValueError) as error:
        cause = error.__cause__ or error
        why = f"{type(cause).__name__}: {' '.join(str(cause).split())}"
        raise UserError(
            f"{key}._target_: {target} cannot be imported ({why}).\nModules of your own lie in micrographia_conf/ or "
            "another config folder, in the folder of the command, or are installed."
        ) from error


def check_value(value: Any, hint: Any, key: str) -> None:
    """Compare a config value with a type hint; a node of several keys with the ``TypedDict`` that declares them.

    Parameters
    ----------
    key
        Where it stands; empty for a whole config.

    Raises
    ------
    UserError
        If the value does not fit, or a key is not declared or lacks its value.
    """
    within = f"{key}." if key else ""
    if not accepts(hint, value):
        raise UserError(f"{key}={shown(value)}: expected {describe(hint)}.")
    if isinstance(value, Mapping):
        hint = next((option for option in typing.get_args(hint) if typing.is_typeddict(option)), hint)
    if typing.is_typeddict(hint):
        hints = typing.get_type_hints(hint, include_extras=True)
        for name in [*value, *hints]:
            if name not in hints:
                raise UserError(f"{within}{name}: no such key. {key or 'It'} takes: {', '.join(sorted(hints))}.")
            if name not in value and name in hint.__optional_keys__:
                continue
            if name not in value:
                raise UserError(f"{within}{name}: no value given. Add {within}{name}=VALUE to the command.")
            check_value(value[name], hints[name], f"{within}{name}")


def shown(value: Any) -> str:
    """A config value as it is written on the command line."""
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)


def signature_hints(target: Any) -> dict[str, Any]:
    """Type hints of a class's constructor or of a function; empty where they cannot be resolved."""
    try:
        return typing.get_type_hints(target.__init__ if inspect.isclass(target) else target, include_extras=True)
    except (NameError, TypeError):
        return {}


def accepts(hint: Any, value: Any) -> bool:
    """Whether a config value fits a type hint; hints other than plain ones accept everything."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        options = typing.get_args(hint)
        if isinstance(value, Mapping) and "_target_" in value:  # a node stands for the object that is made of it
            return not all(plain(option) for option in options)
        # Else a config holds plain values: of other classes in a union, as a Tensor, it can hold none.
        return any(accepts(option, value) for option in options if plain(option))
    if origin is typing.NotRequired:
        return accepts(typing.get_args(hint)[0], value)
    if origin is typing.Literal:
        return value in typing.get_args(hint)
    if origin is typing.Annotated:
        kind, limits = typing.get_args(hint)
        return accepts(kind, value) and limits.holds(value)
    if typing.is_typeddict(hint):
        return isinstance(value, Mapping)
    if origin is dict:
        _, kind = typing.get_args(hint)
        return isinstance(value, Mapping) and all(accepts(kind, item) for item in value.values())
    if origin in LISTS:
        return is_list_of(typing.get_args(hint), value)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint in (bool, str):
        return isinstance(value, hint)
    if hint is type(None):
        return value is None
    return True


def is_list_of(kinds: tuple[Any, ...], value: Any) -> bool:
    """Whether a config value is a list of the kinds that ``list[...]`` or ``tuple[...]`` names.

    A list of texts may hold numbers, and one text may stand without brackets: ``data.group=plate``.
    """
    several = isinstance(value, Sequence) and not isinstance(value, str)  # a list, or OmegaConf's own
    if kinds[:1] == (str,):
        return isinstance(value, str) or (several and not any(isinstance(item, Mapping) for item in value))
    if not several:
        return False
    if len(kinds) == 1 or kinds[1:] == (...,):
        return all(accepts(kinds[0], item) for item in value)
    return len(value) == len(kinds) and all(accepts(kind, item) for kind, item in zip(kinds, value, strict=True))


def bracketed(node: Mapping[str, Any]) -> dict[str, Any]:
    """A config in which one text that stands for a list is a list, at any depth: both are the same run.

    Examples
    --------
    >>> node = {"_target_": "micrographia.data.image_folder.ImageFolder", "group": "plate", "split": "row"}
    >>> bracketed({"data": node})["data"]["group"], bracketed({"data": node})["data"]["split"]
    (['plate'], 'row')
    """
    hints = target_hints(node)
    found: dict[str, Any] = {}
    for name, value in node.items():
        if isinstance(value, Mapping):
            found[name] = bracketed(value)
        elif isinstance(value, str) and name in hints and takes_texts(hints[name]):
            found[name] = [value]
        else:
            found[name] = value
    return found


def takes(node: Mapping[str, Any], argument: str) -> bool:
    """Whether a node's ``_target_`` takes an argument.

    Examples
    --------
    >>> takes({"_target_": "micrographia.config.Between"}, "most"), takes({"_target_": "builtins.len"}, "size")
    (True, False)
    """
    parameters = inspect.signature(imported(node["_target_"], "")).parameters.values()
    return any(each.name == argument or each.kind is each.VAR_KEYWORD for each in parameters)


def target_hints(node: Mapping[str, Any]) -> dict[str, Any]:
    """Type hints of the arguments of a node's ``_target_``; empty where it has none, or none that can be imported."""
    if node.get("_target_") is None:
        return {}
    try:
        return signature_hints(imported(node["_target_"], ""))
    except UserError:
        return {}  # checked, and answered, where the config is


def takes_texts(hint: Any) -> bool:
    """Whether a type hint is of a list of texts, or of that or nothing.

    Examples
    --------
    >>> takes_texts(list[str] | None), takes_texts(str | None)
    (True, False)
    """
    options = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    kinds = [typing.get_args(option)[:1] for option in options if typing.get_origin(option) in LISTS]
    return str not in options and kinds == [(str,)]


def plain(hint: Any) -> bool:
    """Whether a config value could be of this type."""
    origin = typing.get_origin(hint)
    if origin in LISTS:
        return True
    known = hint in (int, float, bool, str, type(None), Any) or typing.is_typeddict(hint)
    return known or origin not in (None, Callable)


def describe(hint: Any) -> str:
    """A type hint in words."""
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(hint)))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(describe(option) for option in typing.get_args(hint) if plain(option))
    if origin is typing.Annotated:
        kind, limits = typing.get_args(hint)
        return f"{describe(kind)} {limits}"
    if origin is typing.NotRequired:
        return describe(typing.get_args(hint)[0])
    if typing.is_typeddict(hint):
        return f"the keys {', '.join(hint.__annotations__)}"
    if origin in LISTS:
        kinds = [kind for kind in typing.get_args(hint) if kind is not ...]
        items = describe(kinds[0]) if len(kinds) == 1 else " and ".join(map(describe, kinds))
        return f"a list in brackets, as [a,b], of {items}"
    if origin is dict:
        return "keys with values, as {key: value}"
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}
    return words.get(hint, str(hint))
