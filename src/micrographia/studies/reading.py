"""A study's YAML, read and checked."""

import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import yaml

from micrographia.config import Between, check_value
from micrographia.errors import UserError, within
from micrographia.search_path import study_files
from micrographia.studies.patterns import pieces_of
from micrographia.studies.specification import Budget, Entry, Study, Sweep, as_list, merged, value_text
from micrographia.verbs import VERBS

DIRECTIONS = ("max", "min", "largest")  # of the best: largest looks at the size, whatever the sign
RESERVED = ("about", "sweeps", "all")  # keys of a budget that are no sweep's name


class SweepNode(TypedDict):
    """One sweep."""

    verb: Literal["train", "transfer", "superresolve", "evaluate"]
    of: NotRequired[str]
    overrides: list[str]


class Comparison(TypedDict):
    """A paired test of each value of a key against one of them."""

    across: str
    reference: str | int | float
    pair: NotRequired[list[str]]


class Document(TypedDict):
    """The first level of a study's file."""

    question: str
    source: str
    overrides: NotRequired[list[str]]
    labels: NotRequired[dict[str, Any]]
    sweeps: dict[str, Any]
    budgets: dict[str, Any]
    result: list[dict[str, Any]]


# As functions write it, since `from` is a word of the language.
Shown = TypedDict(
    "Shown",
    {
        "table": NotRequired[str],
        "figure": NotRequired[str],
        "caption": NotRequired[str],
        "metrics": NotRequired[str | list[str] | dict[str, str]],
        "from": NotRequired[str],
        "values": NotRequired[str | list[str]],
        "per_run": NotRequired[Literal["mean", "median"]],
        "where": NotRequired[dict[str, Any]],
        "over": NotRequired[list[str]],
        "scale": NotRequired[float],
        "rows": NotRequired[list[str]],
        "columns": NotRequired[list[str]],
        "digits": NotRequired[Annotated[int, Between(0, 9)]],
        "best": NotRequired[Literal["max", "min", "largest"] | dict[str, str]],
        "among": NotRequired[list[str]],
        "compare": NotRequired[Comparison],
        "kind": NotRequired[Literal["points", "lines", "bars", "boxes"]],
        "x": NotRequired[str],
        "hue": NotRequired[str],
        "panels": NotRequired[str],
        "label": NotRequired[str],
        "share": NotRequired[bool],
        "collect": NotRequired[str],
    },
)


def find_study(named: str) -> Study:
    """The study of a name, or of a path.

    Raises
    ------
    UserError
        If there is none, or its file has a mistake.
    """
    files = study_files()
    path = Path(named).expanduser()
    if named in files:
        return read_study(files[named])
    if path.is_file():
        return read_study(path)
    near = difflib.get_close_matches(path.stem, files, n=3)
    hint = f"Did you mean {' or '.join(near)}?" if near else "micrographia study list names all there are."
    raise UserError(f"{named}: no such study, and no such file. {hint}")


def read_study(file: Path) -> Study:
    """Read a study's file.

    Raises
    ------
    UserError
        With file and key, at the first mistake.
    """
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: is no YAML ({' '.join(str(error).split())}).") from error
    with within(str(file)):
        if not isinstance(content, Mapping):
            raise UserError("expected the keys question, source, sweeps, budgets and result.")
        check_document(content, Document)
        for name in ("sweeps", "budgets", "result"):
            if not content[name]:
                raise UserError(f"{name}: is empty. A study needs one at least.")
        sweeps = {str(name): sweep_of(str(name), node, content) for name, node in content["sweeps"].items()}
        check_origins(sweeps)
        budgets = {str(name): budget_of(str(name), node, sweeps) for name, node in content["budgets"].items()}
        entries = [entry_of(place, node) for place, node in enumerate(content["result"])]
        names = [entry.name for entry in entries]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise UserError(f"result: two entries are called {twice}, and would be one file.")
    labels = {value_text(value): str(text) for value, text in content.get("labels", {}).items()}
    return Study(file.stem, file, content["question"], content["source"], sweeps, budgets, entries, labels)


def check_document(node: Mapping[str, Any], hint: Any, key: str = "") -> None:
    """Compare a node with the keys that it may have, naming them without a key of their own at the first level."""
    try:
        check_value(dict(node), hint, key or "study")
    except UserError as error:
        text = str(error) if key else str(error).replace("study.", "", 1)
        raise UserError(text.partition(" Add ")[0]) from error


def sweep_of(name: str, node: Any, content: Mapping[str, Any]) -> Sweep:
    """One sweep of a file."""
    key = f"sweeps.{name}"
    if name in RESERVED:
        raise UserError(f"{key}: {', '.join(RESERVED)} are keys of a budget. Give the sweep another name.")
    if not isinstance(node, Mapping):
        raise UserError(f"{key}: expected the keys verb and overrides.")
    if node.get("verb") not in VERBS:
        raise UserError(f"{key}.verb={node.get('verb')}: no such verb. There are: {', '.join(VERBS)}.")
    check_document(node, SweepNode, key)
    if ("of" in node) != (node["verb"] == "evaluate" and not names_run(node["overrides"])):
        raise UserError(f"{key}: evaluate takes either of: SWEEP, whose runs it scores, or run=...; others take no of.")
    own = [*as_list(content.get("overrides")), *as_list(node["overrides"])]
    return Sweep(name, node["verb"], merged(own), node.get("of", ""))


def names_run(overrides: Any) -> bool:
    """Whether overrides of ``evaluate`` name what is evaluated."""
    return any(str(override).startswith("run=") for override in as_list(overrides))


def check_origins(sweeps: Mapping[str, Sweep]) -> None:
    """Refuse a sweep of the runs of one that comes later, or is none."""
    names = list(sweeps)
    for place, sweep in enumerate(sweeps.values()):
        if sweep.of and sweep.of not in names[:place]:
            raise UserError(f"sweeps.{sweep.name}.of={sweep.of}: no sweep of that name stands before it.")


def budget_of(name: str, node: Any, sweeps: Mapping[str, Sweep]) -> Budget:
    """One budget of a file, with the overrides of each of its sweeps."""
    key = f"budgets.{name}"
    node = node or {}
    if not isinstance(node, Mapping):
        raise UserError(f"{key}: expected keys: {', '.join([*RESERVED, *sweeps])}.")
    if unknown := next((part for part in node if part not in (*RESERVED, *sweeps)), None):
        raise UserError(f"{key}.{unknown}: no such sweep. There are: {', '.join(sweeps)}; and {', '.join(RESERVED)}.")
    if "about" in node:
        check_value(node["about"], Annotated[float, Between(0)], f"{key}.about")
    for part in node.keys() - {"about"}:
        check_value(node[part], list[str], f"{key}.{part}")
    chosen = as_list(node.get("sweeps", list(sweeps)))
    if unknown := next((part for part in chosen if part not in sweeps), None):
        raise UserError(f"{key}.sweeps: {unknown} is no sweep. There are: {', '.join(sweeps)}.")
    overrides = {}
    for sweep in (sweeps[part] for part in sweeps if part in chosen):
        if sweep.of and sweep.of not in chosen:
            raise UserError(f"{key}.sweeps: {sweep.name} evaluates the runs of {sweep.of}, which is left out.")
        # An evaluation has other keys than what it evaluates.
        common = as_list(node.get("all")) if not sweep.of else []
        overrides[sweep.name] = merged([*sweep.overrides, *common, *as_list(node.get(sweep.name))])
    if not overrides:
        raise UserError(f"{key}.sweeps: is empty. A budget needs one at least.")
    return Budget(name, overrides, node.get("about"))


def entry_of(place: int, node: Any) -> Entry:
    """One table or figure of a file."""
    key = f"result[{place}]"
    if not isinstance(node, Mapping) or ("table" in node) == ("figure" in node):
        raise UserError(f"{key}: expected a table: NAME or a figure: NAME.")
    is_table = "table" in node
    name = str(node["table" if is_table else "figure"])
    key = f"result.{name}"
    if not name.replace("_", "").replace("-", "").isalnum():
        raise UserError(f"{key}: is the name of a file; take letters, digits, - and _.")
    check_document(node, Shown, key)
    allowed = {
        "caption",
        "metrics",
        "from",
        "values",
        "per_run",
        "where",
        "over",
        "scale",
        "label",
        "digits",
        "share",
        "compare",
        "best",
        "among",
    }
    allowed |= {"table", "rows", "columns"} if is_table else {"figure", "kind", "x", "hue", "panels", "collect"}
    if unknown := next((part for part in node if part not in allowed), None):
        raise UserError(f"{key}.{unknown}: a {'table' if is_table else 'figure'} has no such key.")
    if sum(part in node for part in ("metrics", "from", "collect")) != 1:
        raise UserError(f"{key}: expected one of metrics, from{'' if is_table else ' and collect'}.")
    if "from" in node and "values" not in node:
        raise UserError(f"{key}.values: name the column of {node['from']}.csv that holds the values.")
    if is_table and not node.get("rows"):
        raise UserError(f"{key}.rows: name the keys that tell the rows from each other.")
    if not is_table and "collect" not in node and "x" not in node:
        raise UserError(f"{key}.x: name the key along the horizontal axis.")
    entry = Entry(name, is_table, dict(node))
    for pattern in entry.patterns.values():
        pieces_of(pattern, f"{key}.metrics")
    across = (node.get("compare") or {}).get("across")
    if across and across not in (*entry.rows, *entry.columns):
        raise UserError(f"{key}.compare.across={across}: is neither among its rows nor its columns.")
    check_best(entry, key)
    return entry


def check_best(entry: Entry, key: str) -> None:
    """Refuse a direction that is none, and rivals that the entry does not show."""
    best = entry.node.get("best")
    for piece, direction in best.items() if isinstance(best, Mapping) else ():
        if direction not in DIRECTIONS:
            raise UserError(f"{key}.best.{piece}={direction}: expected {', '.join(DIRECTIONS)}.")
    if "among" in entry.node and not best:
        raise UserError(f"{key}.among: nothing competes without best. Add best: max or best: min.")
    if unknown := next((name for name in entry.among if name not in (*entry.rows, *entry.columns)), None):
        raise UserError(f"{key}.among: {unknown} is neither among its rows nor its columns.")
