"""A run's address: the digest of what it is, whatever the way it is executed."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import InterpolationKeyError, MissingMandatoryValue, OmegaConfBaseException

from micrographia.config import bracketed
from micrographia.errors import UserError
from micrographia.overrides import PATH_KEYS, RUN_KEY
from micrographia.pretrained import run_folder
from micrographia.runs.fingerprint import ContentHashes
from micrographia.search_path import config_file, hydra_initialized

# Labels, which change nothing: left out of runs' configurations and of the nodes of this package's classes. A class
# from elsewhere may mean something by its ``name``.
LABELS = ("name",)


def split_config(config: DictConfig) -> tuple[dict[str, Any], dict[str, Any]]:
    """Resolve a composed config and split it into *what* the run is and *how* it is executed.

    Raises
    ------
    UserError
        If a mandatory value is missing or an interpolation names no key.
    """
    try:
        resolved: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        raise UserError(f"{error.full_key}: no value given. Add {error.full_key}=VALUE to the command.") from error
    except InterpolationKeyError as error:
        raise UserError(f"{error.full_key}: {str(error).splitlines()[0]}.") from error
    except OmegaConfBaseException as error:
        raise UserError(f"config: {str(error).splitlines()[0]}") from error
    how = resolved.pop("how", {})
    how["paths"] = {name: with_home(path) for name, path in (how.get("paths") or {}).items()}
    return bracketed(expand_home(resolved)), how


def check_effect(config: DictConfig, overrides: Sequence[str]) -> None:
    """Refuse a group's choice in a place that follows another: it would be overwritten without a word.

    Raises
    ------
    UserError
        With the override, and what the place follows.
    """
    for override in overrides:
        package = override.partition("=")[0].partition("@")[2]
        if package and (answer := following(config, package)):
            raise UserError(f"{override}: {answer}")


def following(config: DictConfig, key: str) -> str:
    """Say which other part of a config a key lies in by reference, and what to do; empty if it has values of its own.

    Examples
    --------
    >>> config = OmegaConf.create({"data": {"size": 64}, "generator": {"data": "${data}"}})
    >>> following(config, "generator.data.size")
    'generator.data follows data. Set that, or train the generator first and name its run: generator=FOLDER.'
    >>> following(config, "data.size")
    ''
    """
    node, places = config, key.split(".")
    for depth, name in enumerate(places):
        if not isinstance(node, DictConfig) or name not in node:
            return ""
        if OmegaConf.is_interpolation(node, name) and isinstance(node[name], DictConfig):
            place = ".".join(places[: depth + 1])
            written: Any = OmegaConf.to_container(node)
            origin = written[name][2:-1]
            is_run = config_file(f"{places[0]}/path").is_file()
            apart = f", or train the {places[0]} first and name its run: {places[0]}=FOLDER" if is_run else ""
            return f"{place} follows {origin}. Set that{apart}."
        node = node[name]
    return ""


def composed(verb: str, overrides: Sequence[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """*What* and *how* of a verb's config with overrides, as its command composes them, from within another one too."""
    from hydra import compose

    with hydra_initialized():
        return split_config(compose(verb, list(overrides)))


def digest(what: Mapping[str, Any], hashes: ContentHashes | None = None) -> str:
    """Ten hexadecimal digits that address a run.

    Parameters
    ----------
    what
        The resolved *what* half of a config. Paths in it stand as fingerprints, finished runs as their weights' hash
        with the names of their latents.
    hashes
        Remembered content hashes.

    Examples
    --------
    >>> digest({"task": "train", "seed": 0}) == digest({"seed": 0.0, "task": "train", "name": "label"})
    True
    """
    content = stand_in(what, hashes or ContentHashes(), ())
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def expand_home(node: Any) -> Any:
    """A config whose paths may begin with ``~``, with the home folder in its place."""
    if isinstance(node, Mapping):
        return {
            key: with_home(value) if key in (*PATH_KEYS, RUN_KEY) else expand_home(value) for key, value in node.items()
        }
    return node


def with_home(path: Any) -> Any:
    """A path that may begin with ``~``, with the home folder in its place; any other value as it is."""
    return str(Path(path).expanduser()) if isinstance(path, str) and path.startswith("~") else path


def stand_in(value: Any, hashes: ContentHashes, path: tuple[str, ...]) -> Any:
    """What stands for a config value in the digest."""
    if isinstance(value, Mapping):
        labels = LABELS if is_labelled(value) else ()
        value = {**value, **table_below_root(value)}
        return {key: stand_in(item, hashes, (*path, key)) for key, item in value.items() if key not in labels}
    if isinstance(value, (list, tuple)):
        return [stand_in(item, hashes, path) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)  # beta=4 and beta=4.0 are one run
    if path and isinstance(value, str):
        key = ".".join(path)
        if path[-1] == RUN_KEY:
            weights = weights_of(value, key)
            names = latent_names(weights.parent)
            return [hashes.of_file(weights), *names] if names else hashes.of_file(weights)
        if path[-1] in PATH_KEYS:
            if not Path(value).exists():
                raise UserError(missing_path(key, value))
            return hashes.of_path(Path(value))
    return value


def is_labelled(node: Mapping[str, Any]) -> bool:
    """Whether a node's ``name`` is but a label."""
    return "task" in node or RUN_KEY in node or str(node.get("_target_")).startswith("micrographia.")


def table_below_root(node: Mapping[str, Any]) -> dict[str, str]:
    """A data node's table, where its path is given relative to the data folder."""
    root, table = node.get("root"), node.get("table")
    if root and table and not Path(table).exists() and Path(root, table).exists():
        return {"table": str(Path(root, table))}
    return {}


def missing_path(key: str, value: str) -> str:
    """Say which key names a path that is not there, and what to do."""
    folder = Path(value)
    hint = f"set {key}=PATH"
    if path_is_below_data(key):
        hint += ", or how.paths.data=FOLDER where the sets lie"
    return f"{key}: {folder} does not exist (looked in {folder.absolute().parent}). To mend it, {hint}."


def path_is_below_data(key: str) -> bool:
    """Whether the shipped configs build this key from ``how.paths.data``."""
    return key.endswith(("data.root", "data.fields.root"))


def weights_of(run: str, key: str = RUN_KEY) -> Path:
    """Weights file of a finished run, named by its folder or as ``pretrained/NAME``.

    Raises
    ------
    UserError
        If there is no such run, or it is not finished.
    """
    folder = run_folder(run)
    weights = folder / "weights.safetensors"
    if not folder.is_dir():
        raise UserError(
            f"{key}: {run} is no run's folder. Name a folder like runs/train/NAME-DIGEST, or pretrained/NAME."
        )
    if not (folder / "result.json").exists() or not weights.exists():
        raise UserError(f"{key}: the run in {run} is not a finished training (no result.json or weights.safetensors).")
    return weights


def latent_names(folder: Path) -> list[str]:
    """Names of the latents of a finished run's model, which tables and figures bear; none where there is no record."""
    record = folder / "model.json"
    if not record.exists():
        return []
    try:
        return list(json.loads(record.read_text())["latents"])
    except (ValueError, KeyError) as error:
        raise UserError(f"{record}: cannot be read ({error}). Restore the file, or make the run anew.") from error
