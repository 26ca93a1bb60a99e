"""What a learnt start saves: losses of RLS after few steps from the encoder, beside as few and many from the mean of W.

    python benchmarks/encoder_start.py [--images 8] [--short 50] [--long 500] [--training 5000] [--runs runs]

The encoder is trained first, on the shipped generator of the simulated translocation assay, unless its run is there
already; the images are cells of the test part, 8 times reduced.
"""

import argparse

import pandas as pd

from micrographia.runs.address import composed
from micrographia.tasks.superresolve import superresolve


def losses(overrides: list[str], given: argparse.Namespace) -> pd.Series:
    """Loss of each image's best solution by RLS."""
    common = [
        "~methods.bicubic",
        "~methods.no_regularization",
        f"images={given.images}",
        f"how.paths.runs={given.runs}",
    ]
    return superresolve(*composed("superresolve", [*common, *overrides])).table("images").set_index("key")["loss"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=8, help="per condition")
    parser.add_argument("--short", type=int, default=50)
    parser.add_argument("--long", type=int, default=500)
    parser.add_argument("--training", type=int, default=5000, help="steps of the encoder's training")
    parser.add_argument("--runs", default="runs")
    given = parser.parse_args()
    short, long = (f"methods.rls.schedule.steps={steps}" for steps in (given.short, given.long))
    encoder = ["encoder=trained", f"encoder.budget.steps={given.training}", "methods.rls.start.kind=encoder"]
    table = pd.DataFrame(
        {
            f"mean of W, {given.short} steps": losses([short], given),
            f"encoder, {given.short} steps": losses([*encoder, short], given),
            f"mean of W, {given.long} steps": losses([long], given),
        }
    )
    print(table.describe().loc[["mean", "std", "50%", "max"]].T.to_string(float_format=lambda value: f"{value:.4g}"))
    reached = (table.iloc[:, 1] <= table.iloc[:, 2]).mean()
    print(f"{reached:.0%} of {len(table)} images: as low from the encoder as after {given.long} steps from the mean")


if __name__ == "__main__":
    main()
