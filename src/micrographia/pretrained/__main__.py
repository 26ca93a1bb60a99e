"""Ship a finished training with the package, in a checkout: ``python -m micrographia.pretrained RUN NAME [--half]``.

``python -m micrographia.pretrained --renew NAME`` composes the config of a shipped run anew from its command, after the
config tree has gained keys that change nothing for it: else the run would no longer be found by its digest.
"""

import argparse
import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from safetensors.torch import load_file, save

from micrographia.errors import UserError
from micrographia.pretrained import pretrained_folder
from micrographia.runs.address import composed, digest
from micrographia.runs.environment import words_of
from micrographia.runs.run import Run, What
from micrographia.tasks.assembly import DEFAULT_SIZE
from micrographia.tasks.model_card import CARD, model_card

KEPT = ("config.yaml", "model.json", "tables/latents.csv", "tables/association.csv")
"""Files besides the weights, where a run has them."""
LARGEST = 5_000_000
"""Bytes of weights that may ship."""
PREFIX = "pretrained/"
OF_THE_DAY = ("seconds", "resumed")
"""What a result says of the machine and the day, not of the weights."""


def ship(run: Run, name: str, half: bool = False, into: Path = Path(__file__).parent) -> Path:
    """Copy what a shipped run needs to ``<into>/<name>/``, with its scores and the command that made it.

    Parameters
    ----------
    half
        Round weights to half precision. What is trained on these later (a flow on a generator) has to be trained on the
        rounded ones: ship first.

    Raises
    ------
    UserError
        If the run is not finished, or its weights are too large.
    """
    if not run.finished:
        raise UserError(f"{run.folder}: not a finished run.")
    weights = load_file(run.weights)
    if half:
        weights = {key: tensor.half() if tensor.is_floating_point() else tensor for key, tensor in weights.items()}
    if (size := sum(tensor.nbytes for tensor in weights.values())) > LARGEST:
        raise UserError(f"{run.folder}: weights of {size:,} bytes; {LARGEST:,} may ship. See --half.")
    shipped = Run(into / name)
    for file in KEPT:
        if (run.folder / file).exists():
            (shipped.folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(run.folder / file, shipped.folder / file)
    shipped.weights.write_bytes(save(weights))
    environment = run.record("environment")
    command = [word for word in words_of(environment["command"]) if not word.startswith("how.")]
    result = {key: value for key, value in run.result.items() if key not in OF_THE_DAY}
    result |= {"packages": environment["packages"], "command": shlex.join(command), "half_precision": half}
    shipped.save_record("result", result | digests(run.config))
    return carded(shipped)


def renew(name: str) -> Path:
    """Compose the config of a shipped run anew from its command."""
    run = Run(pretrained_folder(name))
    _, verb, *overrides = words_of(run.result["command"])
    what, _ = composed(verb, overrides)
    OmegaConf.save(OmegaConf.create(what), run.folder / "config.yaml")
    run.save_record("result", run.result | digests(what))
    return carded(run)


def carded(run: Run) -> Path:
    """Write the model card of a shipped run, and return its folder."""
    (run.folder / CARD).write_text(model_card(run), encoding="utf-8")
    return run.folder


def digests(what: What) -> dict[str, Any]:
    """The ``digest`` of a shipped run, and ``also`` those of configs that say the same in other words."""
    variants = [what]
    generator = what["data"].get("generator", {})
    if str(generator.get("run")).startswith(PREFIX):  # of a flow, whose generator may also be given by its config
        trained = Run.named(generator["run"]).config
        variants.append({**what, "data": {**what["data"], "generator": trained}})
    variants += [with_sizes(variant) for variant in variants]
    own, *others = dict.fromkeys(digest(variant) for variant in variants)
    return {"digest": own, "also": others}


def with_sizes(node: Any) -> Any:
    """A config in which the side of images is written out where it is the usual one."""
    if not isinstance(node, Mapping):
        return node
    found = {key: with_sizes(value) for key, value in node.items()}
    if "task" in found and found["data"].get("size", DEFAULT_SIZE) is None:
        found["data"]["size"] = DEFAULT_SIZE
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m micrographia.pretrained", description=__doc__)
    parser.add_argument("run", type=Path, nargs="?", help="folder of a finished train run")
    parser.add_argument("name", help="name after pretrained/")
    parser.add_argument("--half", action="store_true", help="half precision")
    parser.add_argument("--renew", action="store_true", help="compose the config of a shipped run anew")
    given = parser.parse_args()
    print(renew(given.name) if given.renew else ship(Run(given.run), given.name, given.half))
