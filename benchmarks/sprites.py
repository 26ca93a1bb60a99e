"""Images and pairs per second of Texture-dSprites, beside rendering one image at a time.

    OMP_NUM_THREADS=1 python benchmarks/sprites.py

The reference implementation does per image what the data set does per batch: draw the sprite's upright coverage, turn,
scale and place it, and multiply by colour and texture. Numbers of a busy machine are low: the best of several rounds is
printed.
"""

import time
from collections.abc import Callable

import numpy as np
import torch

from micrographia.data.batches import step_generator
from micrographia.data.synthetic.cells import SyntheticCells
from micrographia.data.synthetic.sprites import ORIENTATIONS, SCALES, SHAPES, SIDE, DrawnSprites, is_inside
from micrographia.data.synthetic.texture_dsprites import COLORS, TextureDSprites
from micrographia.data.synthetic.textures import textures

BATCH = 64
ROUNDS = 5


def rate(work: Callable[[int], object], items: int, seconds: float = 0.5) -> float:
    """Items per second of a step that handles so many, the best of several rounds."""
    work(0)
    best = 0.0
    for _ in range(ROUNDS):
        start, steps = time.perf_counter(), 0
        while time.perf_counter() - start < seconds / ROUNDS or not steps:
            work(steps)
            steps += 1
        best = max(best, steps * items / (time.perf_counter() - start))
    return best


def one_at_a_time(size: int) -> Callable[[dict[str, int]], np.ndarray]:
    """Straightforward renderer of one image from its factor values."""
    brightness = textures(size)
    corners = DrawnSprites(size)
    axis = np.arange(size, dtype=np.float32) + 0.5

    def image(values: dict[str, int]) -> np.ndarray:
        centre_x = corners.corners[values["PosX"]] + corners.box / 2
        centre_y = corners.corners[values["PosY"]] + corners.box / 2
        side = np.float32(SIDE * size * SCALES[values["Scale"]])
        x, y = np.meshgrid((axis - centre_x) / side, (axis - centre_y) / side)
        angle = ORIENTATIONS[values["Orientation"]]
        cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        mask = is_inside(SHAPES[values["Shape"]], x * cosine + y * sine, y * cosine - x * sine)
        color = np.array(COLORS[values["Color"]], np.float32)[:, None, None]
        return np.rint(brightness[values["Texture"]] * color * 255 * mask).astype(np.uint8)

    return image


def main() -> None:
    torch.set_num_threads(1)
    print(f"{'size':>5} {'edges':>10} {'images/s':>10} {'pairs/s':>10} {'one at a time/s':>16} {'first image s':>14}")
    for size in (64, 128, 224):
        for antialias in (False, True):
            start = time.perf_counter()
            data = TextureDSprites("sprites", size=size, antialias=antialias)
            data.images(torch.zeros(1, dtype=torch.int64))
            first = time.perf_counter() - start

            def images(step: int, data: TextureDSprites = data) -> torch.Tensor:
                return data.images(data.draw_indices(BATCH, 0, step))

            def pairs(step: int, data: TextureDSprites = data) -> list[torch.Tensor]:
                one, other, _ = data.draw_pairs(BATCH, 1, step_generator(0, step))
                return [data.images(one), data.images(other)]

            slow = "-"
            if not antialias:
                image = one_at_a_time(size)
                rows = data.table(data.draw_indices(BATCH, 0, 0)).to_dict("records")
                drawn = np.stack([image(row) for row in rows])
                assert np.array_equal(drawn, data.images(data.draw_indices(BATCH, 0, 0)).numpy()), "images differ"
                slow = f"{rate(lambda step, image=image, rows=rows: image(rows[step % BATCH]), 1):.0f}"
            edges = "smooth" if antialias else "binary"
            print(
                f"{size:5} {edges:>10} {rate(images, BATCH):10.0f} {rate(pairs, BATCH):10.0f} {slow:>16} {first:14.2f}"
            )
    for size in (64, 128, 224):
        cells = SyntheticCells("cells", size=size)
        print(
            f"{size:5} {'cells':>10} {rate(lambda step, cells=cells: cells.images(torch.arange(BATCH)), BATCH):10.0f}"
        )


if __name__ == "__main__":
    main()
