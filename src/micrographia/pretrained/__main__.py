"""Ship a finished training with the package, in a checkout: ``python -m micrographia.pretrained RUN NAME [--half]``."""

import argparse
import shutil
from pathlib import Path

from safetensors.torch import load_file, save_file

from micrographia.errors import UserError
from micrographia.runs.address import digest
from micrographia.runs.run import Run

KEPT = ("config.yaml", "model.json", "tables/latents.csv", "tables/association.csv")
"""Files besides the weights, where a run has them."""
LARGEST = 5_000_000
"""Bytes of weights that may ship."""
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
    save_file(weights, shipped.weights)
    environment = run.record("environment")
    command = [word for word in environment["command"].split(" ") if not word.startswith("how.")]
    result = {key: value for key, value in run.result.items() if key not in OF_THE_DAY}
    result |= {"digest": digest(run.config), "packages": environment["packages"], "command": " ".join(command)}
    shipped.save_record("result", result | {"half_precision": half})
    return shipped.folder


if __name__ == "__main__":
    parser = argparse.ArgumentParser("python -m micrographia.pretrained", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a finished train run")
    parser.add_argument("name", help="name after pretrained/")
    parser.add_argument("--half", action="store_true", help="half precision")
    given = parser.parse_args()
    print(ship(Run(given.run), given.name, given.half))
