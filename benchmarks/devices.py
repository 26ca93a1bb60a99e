"""Images a second in training: one process with two threads, against two processes with one thread each.

    python benchmarks/devices.py [STEPS]

Both sides are the same training (a beta-VAE on 64 px images, batches of 64) on the same two cores, one after the other
and twice, so that a busy machine shows as a difference between the repetitions. What is timed is the training from
its eleventh batch on; the start of the second process (imports) is told by itself.
"""

import sys
import tempfile
import time
from pathlib import Path

from pytorch_lightning import Callback
from torch.optim import Adam

from micrographia.console import console
from micrographia.data.synthetic.texture_dsprites import TextureDSprites
from micrographia.devices.crew import assembled
from micrographia.models.vae.beta_vae import BetaVAE
from micrographia.models.vae.networks import ConvNetwork
from micrographia.training.fit import fit

BATCH = 64
WARM = 10  # batches before the clock starts
SIDES = {"1 process x 2 threads": (1, 2), "2 processes x 1 thread": (2, 1)}


class Clock(Callback):
    """Times a training from its tenth batch on."""

    def on_train_batch_end(self, trainer, module, *args):
        """Note when the clock starts and, so far, ends."""
        if module.batches == WARM:
            self.start = time.perf_counter()
        self.end = time.perf_counter()


def images_per_second(processes: int, threads: int, steps: int) -> float:
    """Train, and time it."""
    trainer = {"devices": processes, "nodes": 1, "backend": None, "timeout": 600}
    how = {"workers": 0, "accelerator": "cpu", "precision": "32-true", "progress": False, "log_every": 10**9}
    how |= {"threads": threads, "trainer": trainer}
    model = BetaVAE("beta_vae", (3, 64, 64), ConvNetwork, 10, Adam, seed=0)
    budget = {"steps": steps, "epochs": None, "batch_size": BATCH, "validate_every": steps}
    clock = Clock()
    with assembled(how) as crew, tempfile.TemporaryDirectory() as folder:
        if processes > 1:
            start = time.perf_counter()
            crew.gather()
            console.print(f"start of the other process: {time.perf_counter() - start:.1f} s")
        data = TextureDSprites()
        data.setup("fit")
        fit(model, data, budget, how, Path(folder), "benchmark", 0, callbacks=[clock])
    return (steps - WARM) * BATCH / (clock.end - clock.start)


def main() -> None:
    """Print both sides."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    for repetition in (1, 2):
        for name, (processes, threads) in SIDES.items():
            speed = images_per_second(processes, threads, steps)
            print(f"{repetition}  {name:<24} {speed:7.0f} images/s", flush=True)


if __name__ == "__main__":
    main()
