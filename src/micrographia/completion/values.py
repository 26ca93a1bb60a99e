"""Values that a key may have, where they can be listed: those of the schema, and of what a target's signature says."""

import ast
import typing
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from micrographia.overrides import INPUTS

PACKAGE = "micrographia"


def values_of(key: str, keys: Mapping[str, Any]) -> list[str]:
    """Values of a key as they are written on the command line; empty where they cannot be listed.

    Parameters
    ----------
    key
        Dotted.
    keys
        The config that it stands in.

    Examples
    --------
    >>> values_of("how.precision", {}), values_of("source.budget.steps", {})
    (['32-true', '16-mixed', 'bf16-mixed'], [])
    >>> values_of("antialias", {"antialias": False})
    ['true', 'false']
    """
    found = values_of_hint(declared(key)) or argument_values(key, keys)
    return found or (["true", "false"] if isinstance(select(keys, key), bool) else [])


def declared(key: str) -> Any:
    """Type that the schema declares for a key, also for one of a run that is an input; None where it declares none."""
    from micrographia.schema import KEYS

    parts = key.split(".")
    while parts and parts[0] in INPUTS:
        parts = parts[1:]
    hint = KEYS.get(parts[0]) if parts else None
    for part in parts[1:]:
        node = next((option for option in (hint, *typing.get_args(hint)) if typing.is_typeddict(option)), None)
        hint = typing.get_type_hints(node, include_extras=True).get(part) if node is not None else None
    return hint


def values_of_hint(hint: Any) -> list[str]:
    """Values of a type, if they can be listed.

    Examples
    --------
    >>> values_of_hint(typing.Literal["high", "low"] | None), values_of_hint(list[typing.Literal["pca"]])
    (['high', 'low', 'null'], ['[pca]'])
    """
    from micrographia.config import LISTS, shown

    if typing.get_origin(hint) is typing.Literal:
        return [shown(value) for value in typing.get_args(hint)]
    if hint is bool:
        return ["true", "false"]
    if typing.get_origin(hint) in LISTS:
        return [f"[{value}]" for kind in typing.get_args(hint)[:1] for value in values_of_hint(kind)]
    options = [option for option in typing.get_args(hint) if option is not type(None)]
    found = [value for option in options for value in values_of_hint(option)]
    return [*found, "null"] if found and type(None) in typing.get_args(hint) else found


def select(keys: Mapping[str, Any], key: str) -> Any:
    """Value of a dotted key; None where it is not there."""
    node: Any = keys
    for part in key.split(".") if key else []:
        node = node.get(part) if isinstance(node, Mapping) else None
    return node


def argument_values(key: str, keys: Mapping[str, Any]) -> list[str]:
    """Values that the signature of a node's ``_target_`` allows an argument, read from its source without an import."""
    node, _, argument = key.rpartition(".")
    target = select(keys, f"{node}._target_")
    if not isinstance(target, str) or not target.startswith(f"{PACKAGE}."):
        return []
    module, _, name = target.rpartition(".")
    tree = source_of(module)
    made = next((item for item in tree.body if getattr(item, "name", None) == name), None)
    if isinstance(made, ast.ClassDef):
        made = next((item for item in made.body if getattr(item, "name", None) == "__init__"), None)
    if not isinstance(made, ast.FunctionDef):
        return []
    arguments = {each.arg: each.annotation for each in (*made.args.args, *made.args.kwonlyargs)}
    annotation = arguments.get(argument)
    return [] if annotation is None else literal_values(annotation, tree)


@cache
def source_of(module: str) -> ast.Module:
    """Source of one of the package's modules; an empty one where there is none."""
    file = Path(__file__).parents[1].joinpath(*module.split(".")[1:]).with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8")) if file.is_file() else ast.Module([], [])


def verb_values(place: str, key: str) -> list[str]:
    """Values that a verb declares for a key of its own config, in a ``TypedDict``, read without an import.

    Declared in its module, or in one of the tasks that this one imports.

    Parameters
    ----------
    place
        ``module:function`` of the verb.

    Examples
    --------
    >>> verb_values("micrographia.tasks.data:data_command", "weeks")
    ['all', 'null']
    """
    own = source_of(place.partition(":")[0])
    parts = [item.module or "" for item in own.body if isinstance(item, ast.ImportFrom)]
    for tree in (own, *(source_of(module) for module in parts if module.startswith("micrographia.tasks."))):
        declared = [line for item in tree.body if isinstance(item, ast.ClassDef) for line in item.body]
        for line in declared:
            if isinstance(line, ast.AnnAssign) and getattr(line.target, "id", "") == key:
                return literal_values(line.annotation, tree)
    return []


def literal_values(annotation: ast.expr, tree: ast.Module) -> list[str]:
    """Values of an annotation as it is written: ``Literal["a", "b"] | None``, or a name that stands for one."""
    if isinstance(annotation, ast.BinOp):
        sides = [literal_values(side, tree) for side in (annotation.left, annotation.right)]
        return [value for side in sides for value in side] if any(map(is_listed, sides)) else []
    if isinstance(annotation, ast.Constant) and annotation.value is None:
        return ["null"]
    if isinstance(annotation, ast.Subscript) and getattr(annotation.value, "id", "") == "Literal":
        items = annotation.slice.elts if isinstance(annotation.slice, ast.Tuple) else [annotation.slice]
        return [str(item.value) for item in items if isinstance(item, ast.Constant)]
    if isinstance(annotation, ast.Name):
        return ["true", "false"] if annotation.id == "bool" else alias_values(annotation.id, tree)
    return []


def is_listed(values: list[str]) -> bool:
    """Whether values are more than null, beside which anything may stand."""
    return bool(values) and values != ["null"]


def alias_values(name: str, tree: ast.Module) -> list[str]:
    """Values of a name that its module, or the one it is imported from, assigns a ``Literal``."""
    for item in tree.body:
        if isinstance(item, ast.Assign) and name in [getattr(target, "id", "") for target in item.targets]:
            return literal_values(item.value, tree)
        names = [each.asname or each.name for each in item.names] if isinstance(item, ast.ImportFrom) else []
        if isinstance(item, ast.ImportFrom) and name in names and str(item.module).startswith(f"{PACKAGE}."):
            return alias_values(name, source_of(str(item.module)))
    return []
