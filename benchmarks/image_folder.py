"""Images per second of a folder of images: first reading, reading from the cache, and training batches.

python benchmarks/image_folder.py                      a folder that it makes: 8 bit colour PNG and 16 bit TIFF
python benchmarks/image_folder.py PATH [KEY=VALUE...]  a folder of yours, with ImageFolder's settings
"""

import argparse
import ast
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from PIL import Image
from skimage.filters import gaussian

from micrographia.data.decoding import THREADS
from micrographia.data.image_folder import ImageFolder


def make_folder(root: Path, count: int, deep: bool) -> Path:
    """Two classes of ``count`` images in all, 60 to 120 px, smooth enough to compress as photographs do."""
    generator = np.random.default_rng(0)
    for number in range(count):
        height, width = generator.integers(60, 121, 2)
        pixels = gaussian(generator.random((height, width, 3)), 2, channel_axis=-1)
        folder = root / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        if deep:
            plane = (pixels.transpose(2, 0, 1) * 65535).astype(np.uint16)
            tifffile.imwrite(folder / f"{number}.tif", plane, photometric="minisblack", metadata={"axes": "CYX"})
        else:
            Image.fromarray((pixels * 255).astype(np.uint8)).save(folder / f"{number}.png")
    return root


def seconds(work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(title: str, root: Path, options: dict[str, Any], batch_size: int, steps: int) -> None:
    options = {"size": 64, **options}
    with tempfile.TemporaryDirectory() as cache:
        data = ImageFolder("benchmark", str(root), cache=cache, **options)
        rows = data.arrange()
        first = seconds(data.setup)
        again = ImageFolder("benchmark", str(root), cache=cache, **options)
        cached = seconds(again.setup)
        print(f"{title}: {len(rows)} images -> {tuple(data.shape)} {data.record()['dtype']}")
        print(f"  first reading, {THREADS} threads   {len(rows) / first:10.0f} images/s")
        print(f"  opening the cache          {cached:10.2f} s")
        memory = ImageFolder("benchmark", str(root), **options)
        memory.setup()
        for name, loaded in (("memory", memory), ("disk cache", again)):
            loaded.fit(seed=0, batch_size=batch_size, steps=steps, interval=steps)
            loader = loaded.train_dataloader()
            taken = seconds(lambda loader=loader, loaded=loaded: [loaded.on_after_batch_transfer(b, 0) for b in loader])
            print(f"  batches from {name:13} {steps * batch_size / taken:10.0f} images/s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, help="folder of images; without one, two are made")
    parser.add_argument("settings", nargs="*", help="ImageFolder's settings, KEY=VALUE")
    parser.add_argument("--count", type=int, default=2000, help="images of a folder that is made")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--steps", type=int, default=500)
    arguments = parser.parse_args()
    options = {}
    for setting in arguments.settings:
        key, _, text = setting.partition("=")
        try:
            options[key] = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            options[key] = text
    if arguments.root is not None:
        measure(arguments.root.name, arguments.root, options, arguments.batch_size, arguments.steps)
        return
    with tempfile.TemporaryDirectory() as folder:
        for title, deep in (("8 bit colour PNG", False), ("16 bit TIFF, 3 channels", True)):
            root = make_folder(Path(folder, title.split()[0]), arguments.count, deep)
            measure(title, root, options, arguments.batch_size, arguments.steps)


if __name__ == "__main__":
    main()
