"""Ship a finished training with the package: ``python -m micrographia.pretrained RUN NAME`` (in a checkout)."""

import json
import shutil
import sys
from pathlib import Path

from micrographia.errors import UserError

KEPT = ("config.yaml", "model.json", "weights.safetensors", "tables/latents.csv", "tables/association.csv")
LARGEST = 5_000_000
"""Bytes of weights that may ship."""


def ship(run: Path, name: str) -> Path:
    """Copy what a shipped run needs to ``pretrained/<name>/``, with its scores and the command that made it.

    Raises
    ------
    UserError
        If the run is not finished, or its weights are too large.
    """
    if not (run / "result.json").exists():
        raise UserError(f"{run}: not a finished run.")
    if (size := (run / "weights.safetensors").stat().st_size) > LARGEST:
        raise UserError(f"{run}: weights of {size:,} bytes; {LARGEST:,} may ship.")
    folder = Path(__file__).parent / name
    (folder / "tables").mkdir(parents=True, exist_ok=True)
    for file in KEPT:
        shutil.copy(run / file, folder / file)
    environment = json.loads((run / "environment.json").read_text())
    command = [word for word in environment["command"].split(" ") if not word.startswith("how.")]
    result = json.loads((run / "result.json").read_text())
    for word in ("seconds", "resumed"):  # of the machine and the day, not of the weights
        result.pop(word, None)
    kept = {"packages": environment["packages"], "command": " ".join(command)}
    (folder / "result.json").write_text(json.dumps({**result, **kept}, indent=2) + "\n")
    return folder


if __name__ == "__main__":
    print(ship(Path(sys.argv[1]), sys.argv[2]))
