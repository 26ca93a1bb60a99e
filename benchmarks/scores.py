"""Seconds of each score of disentanglement beside published implementations', and what large sets take.

    OMP_NUM_THREADS=2 python benchmarks/scores.py [--samples 10000] [--without-dci] [--literature] [--memory]

Codes of 10 latents are a noisy mixture of 5 factors of 5, 7, 3, 6 and 40 values. The sampler encodes by the same
mixture, so that its own time is small; it is printed, and is contained in the scores that use it. ``--literature`` adds
DCI by scikit-learn's boosting, which takes a minute. ``--memory`` prints instead what MIG, SAP and OMES add to the
process's memory on 1,000,000 codes in single precision.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from micrographia.scores.disentanglement import (
    DiscreteFactors,
    active_units,
    beta_vae_score,
    dci,
    explicitness,
    factor_vae_score,
    irs,
    latent_information,
    mig,
    modularity,
    omes,
    sap,
    total_correlation,
    udr,
)
from micrographia.scores.disentanglement.predictors import Booster

SIZES = {"Texture": 5, "Color": 7, "Shape": 3, "Scale": 6, "Orientation": 40}
LATENTS = 10
MILLION = 1_000_000
MEMORY_LIMIT = 1024  # MiB at a million codes
# Seconds of published implementations on two cores, for the same numbers of codes, latents and factors.
PUBLISHED = {
    "mig": "0.19",
    "sap": "0.5 to 0.8",
    "beta_vae_score": "17",
    "factor_vae_score": "9 to 16",
    "omes": "45",
    "dci, lightgbm": "9 to 12",
    "dci, sklearn_gbt": "13 to 134",
}


def mixture(values: np.ndarray) -> np.ndarray:
    """Codes ``(n, latents)``: the first five hold a factor each and a little of the others, noise is added to all."""
    generator = np.random.default_rng(int(values[0].sum()))
    weights = np.hstack([np.eye(len(SIZES)), np.zeros((len(SIZES), LATENTS - len(SIZES)))])
    weights += 0.15 * np.random.default_rng(0).normal(size=weights.shape)
    relative = (values / np.array(list(SIZES.values()))).astype(np.float32)
    noise = generator.standard_normal((len(values), LATENTS), dtype=np.float32)
    return 3 * relative @ weights.astype(np.float32) + 0.1 * noise


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds by the clock and of the processor."""
    clock, processor = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - clock, time.process_time() - processor


def print_row(name: str, spent: tuple[float, float], published: str = "", limit: str = "") -> None:
    print(f"  {name:26}{spent[0]:8.3f}{spent[1]:12.3f}   {published:14}{limit}", flush=True)


def print_times(samples: int, with_dci: bool, literature: bool) -> None:
    world = DiscreteFactors(SIZES, mixture)
    factors = world.draw(samples, np.random.default_rng(0))
    codes = mixture(factors.to_numpy())
    models = {f"seed {seed}": codes[:, np.random.default_rng(seed).permutation(LATENTS)] for seed in range(5)}
    scores: dict[str, Callable[[], object]] = {
        "mig": lambda: mig(codes, factors),
        "sap": lambda: sap(codes, factors),
        "modularity": lambda: modularity(codes, factors),
        "explicitness": lambda: explicitness(codes, factors),
        "beta_vae_score": lambda: beta_vae_score(world),
        "factor_vae_score": lambda: factor_vae_score(world),
        "irs": lambda: irs(world),
        "omes": lambda: omes(world),
        "udr, 5 models": lambda: udr(models),
        "total_correlation": lambda: total_correlation(codes),
        "latent_information": lambda: latent_information(codes),
        "active_units": lambda: active_units(codes),
    }
    explicitness(codes[:100], factors[:100])  # imports scikit-learn
    print(f"{samples} codes x {LATENTS} latents x {len(SIZES)} factors, seconds, default settings")
    print(f"  {'':26}{'clock':>8}{'processor':>12}   {'published':14}limit")
    spent = np.zeros(2)
    for name, work in scores.items():
        found = seconds(work)
        spent += found
        print_row(name, found, PUBLISHED.get(name, ""))
    print_row("all but DCI", tuple(spent), limit="2")
    if with_dci:
        found = seconds(partial(dci, codes, factors))
        print_row("dci, lightgbm", found, PUBLISHED["dci, lightgbm"])
        print_row("the whole suite", tuple(spent + found), limit="10")
        boosters: list[Booster] = ["random_forest", "lasso"]
        if literature:
            boosters.append("sklearn_gbt")
        for booster in boosters:
            name = f"dci, {booster}"
            print_row(name, seconds(partial(dci, codes, factors, booster)), PUBLISHED.get(name, ""))
    print_row("sap, continuous", seconds(lambda: sap(codes, factors, continuous=True)))
    drawn = world.draw(100_000, np.random.default_rng(0)).to_numpy()
    print_row("encoding 100,000 samples", seconds(lambda: mixture(drawn)))


def peak_mib() -> float:
    """Largest memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def print_memory() -> None:
    generator = np.random.default_rng(0)
    factors = np.column_stack([generator.integers(0, size, MILLION, dtype=np.int16) for size in SIZES.values()])
    codes = np.concatenate([mixture(part) for part in np.array_split(factors, 50)])
    pairs = dict.fromkeys(SIZES, (codes, codes[:, ::-1]))
    print(f"{MILLION} codes; with these the process takes {peak_mib():.0f} MiB")
    for name, work in {
        "mig": lambda: mig(codes, factors),
        "sap": lambda: sap(codes, factors),
        "omes": lambda: omes(pairs),
    }.items():
        clock, _ = seconds(work)
        print(f"  {name:8}{clock:8.2f} s, largest so far {peak_mib():8.0f} MiB of {MEMORY_LIMIT}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=10_000)
    parser.add_argument("--without-dci", action="store_true", help="leave out the score that takes seconds")
    parser.add_argument("--literature", action="store_true", help="also DCI by scikit-learn's boosting")
    parser.add_argument("--memory", action="store_true", help="memory at 1,000,000 codes instead of times")
    given = parser.parse_args()
    if given.memory:
        print_memory()
    else:
        print_times(given.samples, not given.without_dci, given.literature)


if __name__ == "__main__":
    main()
