"""Training speed of StyleGAN2 without data or Lightning: seconds per thousand images, each speed-up left out in turn.

    python benchmarks/stylegan2_steps.py [--threads 2] [--sizes 64 128] [--channels 64] [--batch 16] [--repeats 3]
                                         [--clock wall]

A step's time is that of its phases, the lazy ones shared out over their interval (path lengths every 4th batch, R1
every 16th). Variants take turns, so that other load on the machine falls on all alike; the table shows the best of the
repeats. On a busy machine ``--threads 1 --clock cpu`` counts only the seconds that the process itself ran.

For scale, on 2 idle cores a plain PyTorch version with at most 64 channels took 45 s/kimg at 64 px and 183 at 128 px.

    channels_last   activations with their channels last in memory
    scaling         activations scaled by styles before a convolution that all images share, not one group per image
    convolutions    second derivatives that are convolutions, not torch's own
"""

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.nn import functional

from micrographia.data.batches import step_generator
from micrographia.models.gan import modulation
from micrographia.models.gan.convolution import Convolution, Geometry
from micrographia.models.gan.stylegan2 import PATH_INTERVAL, R1_INTERVAL, StyleGAN2
from micrographia.training.fit import prepare_threads

SPEEDUPS = ("channels_last", "scaling", "convolutions")
VARIANTS = {
    "all": SPEEDUPS,
    **{f"no {left_out}": tuple(kept for kept in SPEEDUPS if kept != left_out) for left_out in SPEEDUPS},
    "none": (),
}
PHASES = {"Gmain": 1, "Greg": PATH_INTERVAL, "Dmain": 1, "Dreg": R1_INTERVAL}


@contextmanager
def only(speedups: tuple[str, ...]) -> Iterator[None]:
    """Context in which the other speed-ups are left out."""
    with ExitStack() as left_out:
        if "channels_last" not in speedups:
            left_out.enter_context(patch.object(torch, "channels_last", torch.contiguous_format))
        if "scaling" not in speedups:
            left_out.enter_context(patch.object(modulation, "scaled_convolution", modulation.grouped_convolution))
            left_out.enter_context(patch.object(modulation, "demodulation", once_per_layer(modulation.demodulation)))
        if "convolutions" not in speedups:
            left_out.enter_context(patch.object(Convolution, "apply", torch_convolution))
        yield


def once_per_layer(demodulation: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Tensor], Tensor]:
    """Demodulation within the grouped weights, and no further factors on the activations."""
    calls = 0

    def factors(weight: Tensor, styles: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return demodulation(weight, styles) if calls % 2 else styles.new_ones(len(styles), len(weight))

    return factors


def torch_convolution(images: Tensor, weight: Tensor, bias: Tensor | None, geometry: Geometry) -> Tensor:
    """The convolution with torch's own derivatives."""
    stride, padding, _, transposed, output_padding, groups = geometry.arguments
    if transposed:
        return functional.conv_transpose2d(images, weight, bias, stride, padding, output_padding, groups)
    return functional.conv2d(images, weight, bias, stride, padding, groups=groups)


def phases_of(gan: StyleGAN2, real: Tensor) -> dict[str, Callable[[], Any]]:
    """Each phase as a function without arguments."""
    optimizers = gan.configure_optimizers()
    gan.manual_backward = lambda loss: loss.backward()  # type: ignore[method-assign]
    random = step_generator(0, 0)
    return {
        "Gmain": partial(gan.main_generator_phase, optimizers[0], len(real), random),
        "Greg": partial(gan.path_length_phase, optimizers[0], len(real), random),
        "Dmain": partial(gan.main_discriminator_phase, optimizers[1], real, random),
        "Dreg": partial(gan.r1_phase, optimizers[1], real, random),
    }


def seconds(gan: StyleGAN2, real: Tensor, clock: str) -> dict[str, float]:
    """Seconds of one run of each phase, after one to warm up."""
    now = time.process_time if clock == "cpu" else time.perf_counter
    found = {}
    for name, phase in phases_of(gan, real).items():
        gan.discriminator.requires_grad_(name.startswith("D"))
        phase()
        start = now()
        phase()
        found[name] = now() - start
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    given = parser.parse_args()
    prepare_threads({"threads": given.threads})
    adam = partial(torch.optim.Adam, lr=2e-3, betas=(0.0, 0.99), fused=True)
    print(
        f"seconds per kimg ({given.clock} clock), at most {given.channels} channels, batch {given.batch}, "
        f"{given.threads} threads"
    )
    print(f"{'':24}{'s/kimg':>10}" + "".join(f"{name:>10}" for name in PHASES) + "   (phases: ms a run)")
    for size in given.sizes:
        gan = StyleGAN2(
            "gan", (3, size, size), adam, adam, 0, z_dim=128, w_dim=128, channel_max=given.channels, augment_p=0.2
        )
        real = torch.rand(given.batch, 3, size, size, generator=step_generator(0, 0))
        best: dict[str, dict[str, float]] = {}
        for _ in range(given.repeats):
            for variant, speedups in VARIANTS.items():
                with only(speedups):
                    measured = seconds(gan, real, given.clock)
                former = best.get(variant, measured)
                best[variant] = {name: min(measured[name], former[name]) for name in PHASES}
        for variant, phases in best.items():
            total = sum(phases[name] / every for name, every in PHASES.items()) / given.batch * 1000
            row = "".join(f"{1000 * phases[name]:10.0f}" for name in PHASES)
            print(f"{size:4} px  {variant:16}{total:10.1f}{row}", flush=True)


if __name__ == "__main__":
    main()
