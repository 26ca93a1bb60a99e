"""Which seeds vary among configurations, and whose they are."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from micrographia.schema import is_input


def seeds_varied(configs: Sequence[Mapping[str, Any]]) -> str:
    """Which seeds are not the same in all configurations, and how many values each side has.

    A side is an input run's (``source``), or the run's own: ``target`` if it has inputs, else ``training``.

    Examples
    --------
    >>> seeds_varied([{"seed": n, "source": {"task": "train", "seed": n}} for n in range(3)])
    'source (3), target (3)'
    >>> seeds_varied([{"seed": n, "source": {"run": "pretrained/ada_gvae"}} for n in range(3)])
    'target (3)'
    """
    sides: dict[str, set[tuple[Any, ...]]] = {}
    for config in configs:
        for side, values in seeds(config).items():
            sides.setdefault(side, set()).add(tuple(values))
    return ", ".join(f"{side} ({len(values)})" for side, values in sorted(sides.items()) if len(values) > 1) or "none"


def seeds(config: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Values of a configuration's seeds, by the side that they belong to."""
    found: dict[str, list[Any]] = {}
    names = inputs(config)
    for key, value in flat(config):
        if is_seed(key):
            side = next((name for name in key.split(".") if name in names), "target" if names else "training")
            found.setdefault(side, []).append(value)
    return found


def inputs(config: Mapping[str, Any]) -> set[str]:
    """Names of the keys, at any depth, that hold a run which is taken as an input."""
    nodes = {name: node for name, node in config.items() if isinstance(node, Mapping)}
    deeper = [inputs(node) for node in nodes.values()]
    return {name for name, node in nodes.items() if is_input(node)}.union(*deeper)


def is_seed(key: str) -> bool:
    """Whether a key holds a seed: ``seed``, ``source.seed``, ``data.split_seed``."""
    name = key.rpartition(".")[2]
    return name == "seed" or name.endswith("_seed")


def flat(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a configuration with its full key."""
    for name, value in node.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
