"""What the configuration of a run may hold, beside the arguments of its targets; checked before any work starts."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict

from micrographia.config import Between, check_arguments, check_value, config_directory
from micrographia.errors import UserError
from micrographia.presets import offers

Count = Annotated[int, Between(0)]
Positive = Annotated[int, Between(1)]
Seed = Annotated[int, Between(0, 2**31 - 1)]  # what every library takes that draws by it


KIMG = re.compile(r"(\d+(?:\.\d+)?)kimg")
"""Thousands of images, where batches are counted otherwise."""


class Paths(TypedDict):
    """Where runs, data and caches lie."""

    runs: str
    data: str
    cache: str


class Tuning(TypedDict):
    """What is tuned, on which metric, in how many trials; nothing without an engine."""

    engine: Literal["optuna"] | None
    metric: NotRequired[str]
    direction: NotRequired[Literal["maximize", "minimize"]]
    trials: NotRequired[Positive]
    space: NotRequired[dict[str, Any] | None]
    baseline: NotRequired[bool]
    random: NotRequired[Positive]
    seed: NotRequired[Seed]
    intermediate: NotRequired[str | None]
    intermediate_direction: NotRequired[Literal["maximize", "minimize"]]
    patience: NotRequired[Positive]
    warmup: NotRequired[Count]


class Devices(TypedDict):
    """How many processes share the work of a run."""

    devices: Positive
    nodes: Positive
    backend: Literal["gloo", "nccl"] | None
    timeout: Positive


class Execution(TypedDict):
    """How a run is executed."""

    accelerator: Literal["cpu", "gpu", "cuda", "mps", "auto"]
    precision: Literal["32-true", "16-mixed", "bf16-mixed"]
    threads: Positive | None
    workers: Count
    progress: bool
    log_every: Positive
    score_every: Positive | None
    rerun: bool
    paths: Paths
    logger: dict[str, Any]
    sweep: NotRequired[Tuning]  # not of evaluate
    trainer: NotRequired[Devices]  # of verbs that train or search
    processes: NotRequired[Positive | None]  # of evaluate


class Budget(TypedDict):
    """How long a model is trained: in steps, in epochs or in thousands of images."""

    steps: Positive | None
    epochs: Positive | None
    kimg: Annotated[float, Between(0.001)] | None
    batch_size: Positive
    validate_every: Positive | str


class Naming(TypedDict):
    """How latents earn the names of factors."""

    samples: Annotated[int, Between(2)]
    strength: Annotated[float, Between(0, 1)]


class Counterfactuals(TypedDict):
    """Of which images, and of which probe's answers."""

    images: Count
    probe: str | None
    target: str | None


class Interpretation(TypedDict):
    """What the latents are compared with on the target."""

    images: Count
    features: list[Literal["basic", "cellprofiler"]]
    resamples: Annotated[int, Between(2)]
    strength: Annotated[float, Between(0, 1)]
    traversals: Count
    steps: Annotated[int, Between(2)]
    counterfactuals: Counterfactuals
    importance: list[Literal["own", "permutation", "shap"]]
    projections: list[Literal["pca", "tsne", "umap"]]


class OpenSetSettings(TypedDict):
    """Which classes are left out, and how it is judged whether they are noticed."""

    classes: list[str | int]
    exclude_from_finetuning: bool
    neighbours: Positive
    kept: Annotated[float, Between(0.5, 1)]
    resamples: Count


class FineTuning(TypedDict):
    """How a source model is trained on the target."""

    epochs: Count
    batch_size: Positive
    beta: Annotated[float, Between(0)] | None
    optimizer: dict[str, Any]


class Contrast(TypedDict):
    """Conditions that are to be told apart."""

    column: str
    negative: str | int | float
    positive: str | int | float
    well: NotRequired[str]  # column of the replicates
    replicate: NotRequired[str]  # column that is resampled in place of wells, where these are too few; of transfer
    block: NotRequired[str | None]  # column within whose values replicates are permuted, null: over all; of transfer


class Intervals(TypedDict):
    """Which cells calibrate the intervals of several solutions, and what these should cover."""

    nominal: Annotated[float, Between(0.01, 0.99)]
    part: Literal["val", "test"]  # the generator has seen the training part
    images: Positive | None


# The keys of a run that have no target, by name.
KEYS: dict[str, Any] = {
    "seed": Seed,
    "budget": Budget,
    "naming": Naming,
    "finetune": FineTuning,
    "interpretation": Interpretation,
    "open_set": OpenSetSettings,
    "labels": Positive | None,
    "baseline": bool,
    "how": Execution,
    "part": Literal["train", "val", "test"],
    "images": Positive | None,
    "run": str,
    "samples": Annotated[int, Between(2)],
    "bootstrap": Count,
    "only": list[str] | None,
    "interpret": bool | None,
    "contrast": Contrast | None,
    "intervals": Intervals,
    "given": Literal["high", "low"] | None,
}
# Arguments of targets that a task gives and no config holds.
GIVEN = frozenset(
    {
        "shape",
        "classes",
        "seed",
        "optimizer",
        "source_model",
        "generator_model",
        "cache",
        "progress",
        "run",
        "config",
        "threads",
        "n_bootstrap",
        "codes",
        "factors",
        "sampler",
        "source",
        "moved",
        "real",
        "periods",
    }
)


def check_run(node: Mapping[str, Any], key: str = "") -> None:
    """Check every value of a run's configuration and, at any depth, of the runs that it takes as inputs.

    Parameters
    ----------
    node
        The resolved configuration, or a node of it.
    key
        Where the node stands; empty for the whole.

    Raises
    ------
    UserError
        At the first value that does not fit, or key that does not exist.
    """
    if "task" in node:
        require_known(node, key)
    for name, value in node.items():
        path = f"{key}.{name}" if key else name
        if "task" in node and name in KEYS:
            if KEYS[name] is Budget and isinstance(value, Mapping):
                check_interval(value.get("validate_every"), f"{path}.validate_every")
            check_value(value, KEYS[name], path)
            if KEYS[name] is Budget:
                check_one_unit(value, path)
        if isinstance(value, Mapping):
            own = {argument: child for argument, child in value.items() if not is_input(child)}
            check_arguments(own, path, GIVEN)
            check_run(value, path)


def require_known(node: Mapping[str, Any], key: str) -> None:
    """Refuse keys of a run's configuration that its verb does not have, as ``+seeds=1`` would add them."""
    known = offers(config_directory() / f"{node['task']}.yaml") | {"how"}
    for name in node:
        if name not in known:
            path = f"{key}.{name}" if key else name
            raise UserError(f"{path}: no such key. {node['task']} has: {', '.join(sorted(known))}.")


def check_apart(node: Mapping[str, Any], paths: Mapping[str, str], key: str = "") -> None:
    """Refuse to keep runs or caches in a folder of images, whose content says which run it is.

    Raises
    ------
    UserError
        With both keys.
    """
    for name, value in node.items():
        path = f"{key}.{name}" if key else name
        if isinstance(value, Mapping):
            check_apart(value, paths, path)
        elif name == "root" and isinstance(value, str):
            for kind in ("runs", "cache"):
                if Path(value).resolve() in Path(paths[kind]).resolve().parents:
                    raise UserError(
                        f"{path}={value}: holds how.paths.{kind}={paths[kind]}, and results are no images. "
                        f"Set how.paths.{kind} to a folder elsewhere, as how.paths.{kind}=../{kind}."
                    )


def check_one_unit(budget: Mapping[str, Any], key: str) -> None:
    """Refuse a budget that names steps, epochs and kimg more than once, or none of them."""
    if sum(budget[unit] is not None for unit in ("steps", "epochs", "kimg")) != 1:
        raise UserError(f"{key}: give either {key}.steps, {key}.epochs or {key}.kimg, and set the others to null.")


def check_interval(every: Any, key: str) -> None:
    """Refuse an interval between validations that is neither a number of batches nor of thousands of images."""
    batches = isinstance(every, int) and not isinstance(every, bool) and every > 0
    if not batches and not (isinstance(every, str) and KIMG.fullmatch(every) and thousands(every)):
        value = "null" if every is None else every
        raise UserError(
            f"{key}={value}: expected a whole number of batches from 1 on, as 500, or thousands of images, as 4kimg."
        )


def thousands(text: str) -> float:
    """The number in a text as ``4kimg``, which `check_interval` has checked.

    Examples
    --------
    >>> thousands("4kimg"), thousands("0.5kimg")
    (4.0, 0.5)
    """
    return float(text.removesuffix("kimg"))


def is_input(node: Any) -> bool:
    """Whether a config node stands for another run: one to be made, or one to be read back."""
    return isinstance(node, Mapping) and ("task" in node or "run" in node)
