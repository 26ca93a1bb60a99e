"""Images per minute of the batched search beside one image at a time, and what settling saves.

    python benchmarks/inversion.py [--threads 2] [--size 64] [--images 16] [--steps 500] [--seconds 20] [--clock wall]
                                   [--device cpu] [--generator RUN] [--settling]

The generator is StyleGAN2 with at most ``--channels`` channels, of random weights unless ``--generator`` names a
finished run; the images are its own samples, 8 times smaller. The first table times steps of RLS at several batch
sizes, in turns, so that other load on the machine falls on all alike, and prints the best of the turns as images per
minute at the full number of steps, with the memory that autograd keeps. The second (``--settling``) searches all images
to the end, without and with settling, and shows what it saves and what it costs. On a busy machine ``--threads 1
--clock cpu`` counts only the seconds that the process itself ran.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from micrographia.inversion.memory import kept_bytes
from micrographia.inversion.objective import L1, Cross, LogP, PNorm
from micrographia.inversion.problem import HELD_OUT, Problem, frozen
from micrographia.inversion.schedule import Schedule, Settling
from micrographia.inversion.search import LatentSearch
from micrographia.inversion.spaces import WPlus
from micrographia.inversion.starts import Start
from micrographia.models.gan.generator import Generator
from micrographia.training.fit import prepare_threads

FACTOR = 8
TIMED_STEPS = 5
TERMS = {"data": L1(10.0), "log_p": LogP(0.002), "p_norm": PNorm(0.004), "cross": Cross(0.5)}


class Pooling(nn.Module):
    """Means over squares: next to the generator no degradation takes time."""

    factor = FACTOR

    def clean(self, images: Tensor) -> Tensor:
        """Low-resolution images."""
        return functional.avg_pool2d(images, FACTOR)


class Normal(nn.Module):
    """The standard normal distribution in place of a flow, whose cost depends on its size."""

    def gaussianise(self, w: Tensor) -> tuple[Tensor, Tensor]:
        """The same, and its log density."""
        return w, self.log_prob(w)

    def log_prob(self, w: Tensor) -> Tensor:
        """Up to a constant."""
        return -w.square().sum(1) / 2


def problem_of(given: argparse.Namespace) -> Problem:
    torch.manual_seed(0)
    if given.generator:
        from micrographia.runs.run import Run
        from micrographia.tasks.assembly import load_model

        how = {
            "accelerator": given.device,
            "paths": {"runs": "runs", "cache": str(Path.home() / ".cache/micrographia")},
        }
        generator = load_model(Run.named(given.generator), how).generator
    else:
        base = 64 * given.channels
        generator = Generator(given.size, 2, given.width, given.width, channel_base=base, channel_max=given.channels)
    return Problem(generator, Pooling(), Normal(), samples=4000).to(given.device)


def search(steps: int, settling: Settling | None = None) -> LatentSearch:
    return LatentSearch("rls", TERMS, Schedule(steps), Start(), WPlus(), 0.5, 0, settling=settling, chunk=10**6)


def seconds_of(work: Callable[[], object], given: argparse.Namespace) -> float:
    now = time.process_time if given.clock == "cpu" else time.perf_counter
    start = now()
    work()
    if given.device == "cuda":
        torch.cuda.synchronize()
    return now() - start


def steps_table(problem: Problem, low: Tensor, given: argparse.Namespace) -> None:
    """Images per minute at each batch size, from a few steps each."""
    batches = [count for count in (1, 2, 4, 8, 16, 32, 64, 128, 256) if count <= len(low)]
    method = search(TIMED_STEPS)
    best = dict.fromkeys(batches, float("inf"))
    for count in batches:
        method.solve(problem, low[:count], list(range(count)))
    end = time.perf_counter() + given.seconds
    while time.perf_counter() < end:
        for count in batches:
            work = seconds_of(lambda count=count: method.solve(problem, low[:count], list(range(count))), given)
            best[count] = min(best[count], work / TIMED_STEPS)
    full = f"images/min at {given.steps} steps"
    print(f"{'batch':>6} {'ms/image/step':>14} {full:>28} {'against one':>12} {'kept MB':>9}")
    for count in batches:
        rate = 60 * count / best[count] / given.steps
        print(
            f"{count:6} {1000 * best[count] / count:14.2f} {rate:28.2f} {best[1] * count / best[count]:11.2f}x"
            f" {kept(problem, low[:count]) / 1e6:9.1f}"
        )


def kept(problem: Problem, low: Tensor) -> int:
    """Bytes that autograd keeps in a step."""
    method = search(1)
    values = {"code": method.variables(problem, low, list(range(len(low))))["code"].start.requires_grad_()}
    rows = torch.arange(len(low), device=low.device)
    with frozen(problem):
        return kept_bytes(lambda: torch.stack(list(method.evaluation(problem, low)(values, rows).values())).sum())


def settling_table(problem: Problem, low: Tensor, given: argparse.Namespace) -> None:
    """All steps against settling at several tolerances: time and the loss reached."""
    names = ("seconds", "images/min", "mean steps", "median loss", "LR residual")
    print(f"\n{'settling':>20}" + "".join(f"{name:>13}" for name in names))
    choices = {"none": None} | {f"tolerance {share:g}": Settling(25, share) for share in (0.01, 0.02, 0.05, 0.1)}
    for name, settling in choices.items():
        tables = []
        method = search(given.steps, settling)
        keys = list(range(len(low)))
        spent = seconds_of(lambda: tables.append(method.solve(problem, low, keys).table), given)  # noqa: B023
        table = tables[0]
        print(
            f"{name:>20}{spent:13.1f}{60 * len(low) / spent:13.2f}{table['steps'].mean():13.0f}"
            f"{table['loss'].median():13.5f}{table['lr_residual'].median():13.5f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--generator", default=None)
    parser.add_argument("--settling", action="store_true")
    given = parser.parse_args()
    prepare_threads({"threads": given.threads})
    problem = problem_of(given)
    styles = torch.cat(list(problem.sample_w(given.images, 1, HELD_OUT)))[:, None]
    with torch.no_grad():
        low = problem.degrade(problem.synthesis(styles))
    print(f"{given.size} px to {low.shape[-1]}, {given.threads} threads, {given.clock} seconds, {given.device}")
    steps_table(problem, low, given)
    if given.settling:
        settling_table(problem, low, given)


if __name__ == "__main__":
    main()
