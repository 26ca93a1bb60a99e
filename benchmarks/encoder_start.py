"""What a learnt start saves: 50 steps of RLS from an encoder beside as many, and 500, from the mean of W.

    python benchmarks/encoder_start.py [--images 8] [--training 4000] [--runs runs] [OVERRIDES ...]

The encoder is trained first, on the shipped generator of the simulated translocation assay, unless its run is there
already; the images are cells of the test part, 8 times reduced. Overrides are those of ``micrographia superresolve``.
"""

import argparse

from micrographia.runs.address import composed
from micrographia.tasks.superresolve import superresolve

STARTS = {
    "rls": "mean of W",
    "from_mean": "mean of W",
    "from_mean_slowly": "mean of W, at the rate and along the axes of the learnt start",
    "rls_short": "encoder",
    "along_styles": "encoder, without its axes",
    "unsearched": "encoder alone",
}
METHODS = (
    *("~methods.bicubic", "~methods.no_regularization", "encoder=trained"),
    *("+inversion@methods.from_mean=rls", "methods.from_mean.schedule.steps=50", "methods.from_mean.settling=null"),
    *("+inversion@methods.from_mean_slowly=rls_short", "methods.from_mean_slowly.start.kind=mean"),
    *("+inversion@methods.rls_short=rls_short", "+inversion@methods.unsearched=rls_short"),
    *("methods.unsearched.schedule.steps=1", "+inversion@methods.along_styles=rls_short"),
    "methods.along_styles.axes=styles",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=8, help="per condition")
    parser.add_argument("--training", type=int, default=4000, help="steps of the encoder's training")
    parser.add_argument("--runs", default="runs")
    parser.add_argument("overrides", nargs="*")
    given = parser.parse_args()
    own = [f"images={given.images}", f"encoder.budget.steps={given.training}", f"how.paths.runs={given.runs}"]
    run = superresolve(*composed("superresolve", [*METHODS, *own, *given.overrides]))
    table = run.table("images")
    searched = table.groupby("method")
    parts = [name for name in table if name.startswith("loss/")]
    shown = searched[[*parts, "log_p", "psnr"]].mean()
    loss = searched["loss"]
    shown.insert(0, "loss", loss.mean().map("{:.3f} ± ".format) + loss.std().map("{:.3f}".format))
    shown["flagged"] = [run.metrics[f"flagged/{method}"] for method in shown.index]
    shown["error"] = [run.metrics.get(f"assay_all/mae/{method}") for method in shown.index]
    steps = {name: node["schedule"]["steps"] for name, node in run.config["methods"].items() if node}
    labels = {name: f"{start}, {steps[name]} steps" for name, start in STARTS.items()}
    print(shown.loc[list(STARTS)].rename(index=labels).to_string(float_format=lambda value: f"{value:.4g}"))
    losses = table.pivot(index="key", columns="method", values="loss")
    reached = losses["rls_short"] <= losses["rls"]
    print(f"{reached.sum()} of {len(reached)} images end as low from the encoder as by rls from the mean")


if __name__ == "__main__":
    main()
