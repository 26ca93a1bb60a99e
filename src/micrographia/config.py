"""The config tree: where it lies, and how a node of it becomes an object."""

import functools
import inspect
import types
import typing
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from micrographia.errors import UserError


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
    from hydra.errors import InstantiationException
    from hydra.utils import get_object

    if "_target_" not in node:
        return
    try:
        target = get_object(node["_target_"])
    except (ImportError, InstantiationException, ValueError) as error:
        raise UserError(f"{key}._target_: {node['_target_']} cannot be imported: {error}.") from error
    parameters = inspect.signature(target).parameters
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    hints = signature_hints(target)
    for name, value in node.items():
        if name in ("_target_", "_partial_", "_recursive_", "_convert_", "_args_"):
            continue
        if name not in parameters and not open_ended:
            names = ", ".join(sorted(set(parameters) - given - {"self"}))
            raise UserError(f"{key}.{name}: no such key. {key} ({target.__name__}) takes: {names}.")
        if name in hints and not accepts(hints[name], value):
            raise UserError(f"{key}.{name}={value}: expected {describe(hints[name])}.")
        if isinstance(value, Mapping):
            check_arguments(value, f"{key}.{name}")


def signature_hints(target: Any) -> dict[str, Any]:
    """Type hints of a class's constructor or of a function; empty where they cannot be resolved."""
    try:
        return typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    except (NameError, TypeError):
        return {}


def accepts(hint: Any, value: Any) -> bool:
    """Whether a config value fits a type hint; hints other than plain ones accept everything."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        # A config holds plain values: of other classes in a union, as a Tensor, it can hold none.
        return any(accepts(option, value) for option in typing.get_args(hint) if plain(option))
    if origin is typing.Literal:
        return value in typing.get_args(hint)
    if hint is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if hint in (bool, str):
        return isinstance(value, hint)
    if hint is type(None):
        return value is None
    return True


def plain(hint: Any) -> bool:
    """Whether a config value could be of this type."""
    return typing.get_origin(hint) is not None or hint in (int, float, bool, str, type(None), Any)


def describe(hint: Any) -> str:
    """A type hint in words."""
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, typing.get_args(hint)))
    if origin in (typing.Union, types.UnionType):
        return " or ".join(describe(option) for option in typing.get_args(hint) if plain(option))
    words = {int: "a whole number", float: "a number", bool: "true or false", str: "text", type(None): "null"}
    return words.get(hint, str(hint))
