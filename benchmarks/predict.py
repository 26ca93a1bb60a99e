"""Images per second of `micrographia predict`, loading left out: latents by a network, and recovery by latent search.

python benchmarks/predict.py                            runs that ship, on images that are rendered
python benchmarks/predict.py RUN IMAGES [KEY=VALUE...]  a run and images of yours
"""

import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import tifffile
import torch
from PIL import Image

from micrographia.runs.address import composed
from micrographia.tasks.assembly import build_data
from micrographia.tasks.predict import predict, settings
from micrographia.tasks.superresolve import superresolve

COUNT, LOW = 2000, 16  # images to encode, and to search
HOW = ["how.threads=1", "how.accelerator=cpu", "how.progress=false"]


def measure(run: str, images: str, words: list[str]) -> None:
    """Predict once, and print the rate and the most memory that the process has had."""
    what, how = settings([*HOW, *words])
    options = {key: value for key, value in what.items() if key not in ("run", "input", "output")}
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        found = predict(run, images, Path(folder, "out"), how=how, **options)
        used = time.process_time() - start
        seconds = json.loads((found.folder / "prediction.json").read_text())["seconds"]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        f"{Path(run).name} {' '.join(words)}: {found.images} images, {seconds:.1f} s, {used:.1f} s of CPU with loading"
    )
    print(f"  {found.images / seconds:10.2f} images/s   at most {memory:.2f} GB in this process")


def write_sprites(folder: Path) -> str:
    """Images of what the shipped VAE has learned from, as PNG."""
    what, how = composed("train", HOW)
    data = build_data(what, how)
    pixels = data.images(torch.arange(COUNT) * (len(data) // COUNT)).numpy()
    folder.mkdir()
    for number, image in enumerate(pixels):
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"{number}.png")
    return str(folder)


def recovered(folder: Path) -> tuple[str, str]:
    """A superresolve run of the shipped generator, and low-resolution images for it, as 16-bit TIFF."""
    steps = ("methods.rls.schedule.steps=500", "~methods.no_regularization", "images=1")
    what, how = composed("superresolve", [*HOW, *steps, f"how.paths.runs={folder / 'runs'}"])
    run = superresolve(what, how)
    data = build_data(what, how, 64, {})
    high = data.images(data.indices("test")[: LOW * 50 : 50]).float()
    (folder / "low").mkdir()
    for number, image in enumerate(torch.nn.functional.avg_pool2d(high, 8).numpy()):
        counts = np.rint(image * 8000).astype(np.uint16)
        tifffile.imwrite(folder / "low" / f"{number}.tif", counts, photometric="minisblack", metadata={"axes": "CYX"})
    return str(run.folder), str(folder / "low")


def main() -> None:
    if len(sys.argv) > 2:
        measure(sys.argv[1], sys.argv[2], sys.argv[3:])
        return
    with tempfile.TemporaryDirectory() as folder:
        measure("pretrained/ada_gvae", write_sprites(Path(folder, "sprites")), [])
        measure(*recovered(Path(folder)), ["method=rls"])


if __name__ == "__main__":
    main()
