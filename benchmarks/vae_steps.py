"""Training speed of the VAEs without data or Lightning: images (pairs) per second, each speed-up left out in turn.

    python benchmarks/vae_steps.py [--threads 2] [--size 64] [--batch 64] [--seconds 1] [--repeats 3] [--clock wall]

Variants take turns, so that other load on the machine falls on all alike; the table shows the best of the repeats, each
the median of its steps. The allocator is set once per process, so either setting of it has a process of its own.
On a busy machine ``--threads 1 --clock cpu`` counts only the seconds that the process itself ran.
``one_pass`` (both images of a pair through the encoder at once) is of Ada-GVAE only.
"""

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import cache, partial

import torch
from torch import Tensor, nn

from micrographia.data.batches import Batch, step_generator
from micrographia.models.vae.ada_gvae import AdaGVAE
from micrographia.models.vae.beta_vae import BetaVAE
from micrographia.models.vae.factor_vae import FactorVAE
from micrographia.models.vae.networks import ChannelsLast, ConvNetwork
from micrographia.models.vae.vae import VAE
from micrographia.runs.allocator import keep_large_allocations

SPEEDUPS = ("allocator", "channels_last", "fused", "one_pass")
CASES = {
    "beta_vae, 1 channel": (BetaVAE, 1),
    "beta_vae, 3 channels": (BetaVAE, 3),
    "factor_vae, 3 channels": (FactorVAE, 3),
    "ada_gvae, 3 channels (pairs)": (AdaGVAE, 3),
}
VARIANTS = {
    "all": SPEEDUPS,
    **{f"no {left_out}": tuple(kept for kept in SPEEDUPS if kept != left_out) for left_out in SPEEDUPS},
    "none": (),
}


class TwoPasses(nn.Module):
    """Encoder that takes the two halves of a batch, the images of pairs, one after the other."""

    def __init__(self, encoder: nn.Module):
        super().__init__()
        self.encoder = encoder

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance of first images, then of partners."""
        first, second = (self.encoder(half) for half in images.chunk(2))
        return torch.cat([first[0], second[0]]), torch.cat([first[1], second[1]])


@cache
def prepare(case: str, speedups: tuple[str, ...], size: int, batch: int) -> Callable[[], None]:
    """One training step of a case as a function without arguments."""
    method, channels = CASES[case]
    adam = partial(torch.optim.Adam, lr=1e-4, fused="fused" in speedups)
    extra = {"discriminator_optimizer": adam} if method is FactorVAE else {}
    vae = method(
        name=case, shape=(channels, size, size), network=ConvNetwork, latents=10, optimizer=adam, seed=0, **extra
    )
    if "channels_last" not in speedups:
        lay_out_plainly(vae)
    if "one_pass" not in speedups and method is AdaGVAE:
        vae.network.encoder = TwoPasses(vae.network.encoder)
    images = torch.rand(2, batch, channels, size, size, generator=step_generator(0, 0))
    data = {"image": images[0]} if method is not AdaGVAE else {"image": images[0], "partner": images[1]}
    optimizers = vae.configure_optimizers()
    if isinstance(vae, FactorVAE):
        return partial(adversarial_step, vae, data, optimizers)
    return partial(step, vae, data, optimizers)


def lay_out_plainly(vae: VAE) -> None:
    """Channels first, as torch does by default."""
    vae.to(memory_format=torch.contiguous_format)
    for module in list(vae.modules()):
        for name, child in module.named_children():
            if isinstance(child, ChannelsLast):
                setattr(module, name, nn.Identity())


def step(vae: VAE, data: Batch, optimizer: torch.optim.Optimizer) -> None:
    parts = vae.loss(data, step_generator(0, vae.batches))
    descend(optimizer, parts["loss"])
    vae.count(data, parts)


def adversarial_step(vae: FactorVAE, data: Batch, optimizers: list[torch.optim.Optimizer]) -> None:
    generator = step_generator(0, vae.batches)
    vae.discriminator.requires_grad_(False)
    passed = vae(data, generator)
    parts = vae.objective(passed)
    descend(optimizers[0], parts["loss"])
    vae.discriminator.requires_grad_(True)
    descend(optimizers[1], vae.discriminator_loss(passed.codes, generator))
    vae.count(data, parts)


def descend(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def rate(case: str, speedups: tuple[str, ...], size: int, batch: int, seconds: float, clock: str) -> float:
    """Items per second at the median step of a stretch of time."""
    now = time.process_time if clock == "cpu" else time.perf_counter
    one_step = prepare(case, tuple(name for name in speedups if name != "allocator"), size, batch)
    one_step()
    durations = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(durations) < 3:
        start = now()
        one_step()
        durations.append(now() - start)
    return batch / statistics.median(durations)


def start_process(threads: int, allocator: bool) -> None:
    torch.set_num_threads(threads)
    if allocator and not keep_large_allocations():
        print("The C library is not glibc: the allocator stays as it is.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    given = parser.parse_args()
    settings = (given.size, given.batch, given.seconds, given.clock)
    spawn = multiprocessing.get_context("spawn")
    processes = {
        allocator: ProcessPoolExecutor(1, spawn, start_process, (given.threads, allocator))
        for allocator in (True, False)
    }
    best: dict[tuple[str, str], float] = {}
    for case in CASES:
        for _ in range(given.repeats):
            for variant, speedups in VARIANTS.items():
                process = processes["allocator" in speedups]
                measured = process.submit(rate, case, speedups, *settings).result()
                best[case, variant] = max(measured, best.get((case, variant), 0.0))
    print(f"items per {given.clock} second at {given.size} px, batch {given.batch}, {given.threads} threads")
    print(f"{'':30}" + "".join(f"{variant:>18}" for variant in VARIANTS))
    for case in CASES:
        print(f"{case:30}" + "".join(f"{best[case, variant]:18.0f}" for variant in VARIANTS))
    for process in processes.values():
        process.shutdown()


if __name__ == "__main__":
    main()
