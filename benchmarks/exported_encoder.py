"""Images per second of an exported encoder: the ONNX graph under onnxruntime beside the trained model in torch.

    python benchmarks/exported_encoder.py [RUN ...] [--batch 32] [--seconds 3] [--threads 1]

Both sides are fed the same raw pixel values and do all of the work: the graph holds the pre-processing, torch runs the
same steps as a module (`load_exported`). The third column is torch's model alone, fed items that a data set has
prepared. They take turns, and the best of three rounds counts. Default runs: shipped encoders, and, with images that
are resized and padded, a tiny classifier that is trained first on a folder of noise.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from PIL import Image

from micrographia.cli import command
from micrographia.models.exported import load_exported
from micrographia.tasks.export import ONNX, export

ROUNDS = 3
SHIPPED = ("pretrained/ada_gvae", "pretrained/ada_gvae_efficientnet_lite0")
SHAPE = (120, 90)  # of images that are resized


def rate(step: Callable[[], object], batch: int, seconds: float) -> float:
    """Images per second."""
    step()
    steps, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        step()
        steps += 1
    return batch * steps / spent


def compare(run: str, folder: Path, batch: int, seconds: float, threads: int) -> list[float]:
    """Rates of onnxruntime, torch, and torch without pre-processing."""
    for kind in ("onnx", "safetensors"):
        export(run, kind, folder)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(folder / ONNX, options, providers=["CPUExecutionProvider"])
    model = load_exported(folder)
    steps = model.preprocessing.steps
    shape = SHAPE if steps.resized else (steps.size, steps.size)
    raw = np.random.default_rng(0).integers(0, 256, (batch, len(steps.channels), *shape)).astype(np.float32)
    tensor = torch.from_numpy(raw)
    with torch.inference_mode():
        items = model.preprocessing(tensor)
        backbone = model.backbone or torch.nn.Identity()
        sides = [
            lambda: session.run(None, {"image": raw}),
            lambda: model(tensor),
            lambda: model.body(backbone(items)),
        ]
        rounds = [[rate(side, batch, seconds) for side in sides] for _ in range(ROUNDS)]
    return [max(column) for column in zip(*rounds, strict=True)]


def classifier_of_noise(folder: Path) -> str:
    """A tiny classifier of images that have to be resized."""
    for name in ("a", "b"):
        (folder / "images" / name).mkdir(parents=True)
        for number in range(10):
            pixels = np.random.default_rng(number).integers(0, 256, (*SHAPE, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / "images" / name / f"{number}.png")
    budget = ("budget.steps=1", "budget.epochs=null", "budget.batch_size=8", "budget.validate_every=1")
    data = ("data=image_folder", f"data.root={folder / 'images'}", f"how.paths.cache={folder / 'cache'}")
    command(["train", "model=cnn", *budget, *data, f"how.paths.runs={folder / 'runs'}", "how.progress=false"])
    return str(next((folder / "runs" / "train").glob("cnn-*")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        runs = given.runs or [*SHIPPED, classifier_of_noise(folder)]
        torch.set_num_threads(given.threads)
        rows = [
            (run, compare(run, folder / str(number), given.batch, given.seconds, given.threads))
            for number, run in enumerate(runs)
        ]
    print(f"images per second, batches of {given.batch}, {given.threads} threads, best of {ROUNDS}")
    print(f"{'':45}{'onnxruntime':>14}{'torch':>14}{'torch, model':>14}")
    for run, rates in rows:
        print(f"{'/'.join(Path(run).parts[-2:]):45}" + "".join(f"{value:14.0f}" for value in rates))


if __name__ == "__main__":
    main()
