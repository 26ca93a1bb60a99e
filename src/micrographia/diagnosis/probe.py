"""A process of its own that imports what is heavy, so that a crash or a wait in a library ends nothing but itself."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from micrographia.diagnosis.finding import Finding, size, without_home

PATIENCE = 90.0  # seconds that libraries have to be imported, from a slow network mount too
STAGES = {"torch": "import torch", "lightning": "import pytorch_lightning", "models": "load the models that ship"}


@dataclass
class Probe:
    """A started look at torch, Lightning and the shipped models."""

    process: "subprocess.Popen[str]"
    answers: dict[str, Any] = field(default_factory=dict)
    mistake: str = ""

    @classmethod
    def start(cls) -> "Probe":
        """Start it."""
        command = [sys.executable, "-m", "micrographia.diagnosis.probe"]
        pipe = subprocess.PIPE
        return cls(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True))

    def finish(self, patience: float = PATIENCE) -> None:
        """Wait for it, and read what it has answered."""
        try:
            out, err = self.process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            out, err = self.process.communicate()
            self.mistake = f"no answer within {patience:.0f} s"
        for line in out.splitlines():
            if line.startswith("{"):
                self.answers |= json.loads(line)
        if self.process.returncode and not self.mistake:
            lines = [line for line in err.splitlines() if line.strip()]
            died = f"ended by signal {-self.process.returncode}" if self.process.returncode < 0 else "failed"
            self.mistake = lines[-1].strip() if lines else died

    def findings(self, how: Mapping[str, Any]) -> Iterator[Finding]:
        """What it has found, and where it stopped."""
        if "torch" in self.answers:
            yield from device_findings(self.answers["torch"], how)
        for name, mistake in self.answers.get("models", {}).items():
            if mistake:
                advice = "The installation is damaged: pip install --force-reinstall micrographia"
                yield Finding("shipped models", name, without_home(mistake), "broken", advice)
        if "models" in self.answers:
            whole = [name for name, mistake in self.answers["models"].items() if not mistake]
            yield Finding("shipped models", "load", ", ".join(whole) or "none")
        stage = next((stage for stage in STAGES if stage not in self.answers), None)
        if stage is not None:
            advice = f"Nothing works without it. Try it by itself: python -c '{STAGES[stage]}'"
            if stage == "lightning":
                advice += (
                    ". Most often torchvision or torchaudio does not match torch: pip uninstall torchvision torchaudio"
                )
            if stage == "models":
                advice = "The installation is damaged: pip install --force-reinstall micrographia"
            yield Finding("versions", STAGES[stage], without_home(self.mistake) or "stopped", "broken", advice)


def device_findings(torch: Mapping[str, Any], how: Mapping[str, Any]) -> Iterator[Finding]:
    """GPUs, and the device that commands will take."""
    for device in torch["cuda"]:
        free = f"{size(device['free'])} of {size(device['total'])} free"
        yield Finding("devices", f"cuda:{device['index']}", f"{device['name']}, {free}")
    if torch["mps"]:
        yield Finding("devices", "mps", "Apple's GPU")
    if torch["cuda_mistake"]:
        advice = (
            "torch cannot use the GPU. nvidia-smi tells whether its driver works; how.accelerator=cpu goes without."
        )
        yield Finding("devices", "cuda", without_home(torch["cuda_mistake"]), "warning", advice)
    elif not torch["cuda"] and torch["driver"]:
        built = torch["cuda_build"]
        value = f"a GPU's driver is here, and torch {'sees no GPU' if built else 'is built without CUDA'}"
        advice = (
            "CUDA_VISIBLE_DEVICES may hide it, or the driver is older than torch's CUDA."
            if built
            else "Install torch with CUDA: https://pytorch.org/get-started/locally"
        )
        yield Finding("devices", "cuda", value, "warning", advice)
    elif not torch["cuda"] and not torch["mps"]:
        yield Finding("devices", "GPU", "none: everything runs on the CPU")
    chosen = how["accelerator"]
    best = "cuda" if torch["cuda"] else "mps" if torch["mps"] else "cpu"
    have = {"auto": best, "gpu": best if best != "cpu" else "", "cpu": "cpu"}
    have |= {"cuda": "cuda" if torch["cuda"] else "", "mps": "mps" if torch["mps"] else ""}
    if taken := have[chosen]:
        yield Finding("devices", "how.accelerator", f"{chosen}: models train on {taken}")
    else:
        advice = "Take how.accelerator=auto, or cpu."
        yield Finding("devices", "how.accelerator", f"{chosen}: no such device", "broken", advice)


def tell(**answer: Any) -> None:
    """Write one answer on stdout."""
    print(json.dumps(answer), flush=True)


def look_at_torch() -> dict[str, Any]:
    """Threads and devices of torch, as JSON-able values."""
    import torch

    found: dict[str, Any] = {
        "threads": torch.get_num_threads(),
        "cuda_build": torch.version.cuda,
        "driver": has_driver(),
        "mps": torch.backends.mps.is_available(),
        "cuda": [],
        "cuda_mistake": "",
    }
    try:
        for index in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(index)
            name = torch.cuda.get_device_name(index)
            found["cuda"].append({"index": index, "name": name, "free": free, "total": total})
    except RuntimeError as error:
        found["cuda_mistake"] = str(error).splitlines()[0]
    return found


def has_driver() -> bool:
    """Whether a driver of NVIDIA's GPUs is loaded."""
    from pathlib import Path

    return Path("/proc/driver/nvidia/version").exists()


def load_shipped() -> dict[str, str]:
    """The models that ship, each with why it cannot be loaded; empty of those that can."""
    from micrographia.pretrained import pretrained_folder, pretrained_names
    from micrographia.runs.run import Run
    from micrographia.tasks.assembly import load_model

    how = {"accelerator": "cpu", "paths": {"runs": "runs", "cache": "cache"}, "progress": False}
    found = {}
    for name in pretrained_names():
        try:
            load_model(Run(pretrained_folder(name)), how)
            found[name] = ""
        except Exception as error:  # whatever a damaged file brings about
            found[name] = f"{type(error).__name__}: {error}"
    return found


def main() -> None:
    """Answer stage by stage, so that one that fails is known."""
    import warnings

    warnings.filterwarnings("ignore")
    tell(torch=look_at_torch())
    import pytorch_lightning  # noqa: F401

    tell(lightning=True)
    tell(models=load_shipped())


if __name__ == "__main__":
    main()
