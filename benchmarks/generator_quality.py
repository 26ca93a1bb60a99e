"""How real a generator's images look: Frechet and kernel distance to the test part, beside what real images get.

    python benchmarks/generator_quality.py [--generators pretrained/stylegan2_translocation ...] [--images 1000]

In the features of EfficientNet-Lite0; the distances depend on the number of images, so that those of as many real
images of the training part, which no generator can be expected to beat, stand beside them.
"""

import argparse

import torch

from micrographia.data.batches import step_generator
from micrographia.data.datamodule import spread
from micrographia.models.backbones import EfficientNetLite0
from micrographia.runs.run import Run
from micrographia.scores.frechet import FrechetScores
from micrographia.tasks.assembly import build_data, load_generator
from micrographia.tasks.fidelity import chunks

HOW = {"accelerator": "cpu", "threads": None, "paths": {"runs": "runs", "cache": "cache"}, "progress": False}
CODES = 0  # seed of the codes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generators", nargs="+", default=["pretrained/stylegan2_translocation"])
    parser.add_argument("--images", type=int, default=1000)
    given = parser.parse_args()
    network = EfficientNetLite0()
    for name in given.generators:
        run = Run.named(name, "generators")
        generator = load_generator({"run": name}, HOW, "generators")
        data = build_data(run.config, HOW, generator.size, {})
        parts = {
            part: torch.cat(list(data.chunks(spread(data.indices(part), given.images)))) for part in ("train", "test")
        }
        with torch.no_grad():
            z = torch.randn(given.images, generator.z_dim, generator=step_generator(CODES, 0))
            made = torch.cat([generator(part).clamp(0, 1) for part in z.split(32)])
        scores = FrechetScores(network, chunks(parts["test"], network))
        print(f"{name}: {len(made)} images against {len(parts['test'])} of the test part of {data.name}")
        for label, images in {"generated": made, "real, training part": parts["train"]}.items():
            found = scores(chunks(images, network))
            print(f"  {label:22}" + "  ".join(f"{score} {value:.4g}" for score, value in found.items()), flush=True)


if __name__ == "__main__":
    main()
