"""Folders of runs as their tasks leave them, written with known numbers and without any training."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from PIL import Image

from micrographia.plots.recovery import recovery_page
from micrographia.plots.traversal_page import traversal_page
from micrographia.runs.run import Run

CLASSES = ("copepod", "diatom", "<medusa>")
LATENTS = ("Scale", "Color", "z2")


class Written:
    """Writes runs below a folder ``runs``."""

    def __init__(self, root):
        self.root = root / "runs"

    def run(self, task, name, config=None, metrics=None, finished=True, command=None):
        """A run's records; ``metrics`` go into its result."""
        run = Run(self.root / task / name)
        run.folder.mkdir(parents=True)
        what = {"task": task, "name": name.rpartition("-")[0], **(config or {})}
        (run.folder / "config.yaml").write_text(yaml.safe_dump(what, sort_keys=False))
        environment = {"command": command or f"micrographia {task} seed={what.get('seed', 0)}", "micrographia": "0.1.0"}
        run.save_record("environment", environment)
        if finished:
            known = {"task": task, "name": what["name"], "digest": name[-10:], "status": "done", "seconds": 75.0}
            run.save_record("result", {**known, "metrics": metrics or {}})
        return run

    def transfer(self, digest="0000000000", seed=0, beta=1, accuracy=0.5, data="plankton", **options):
        """A transfer with everything that a page shows of one."""
        source = {"name": "a", "run": "pretrained/ada_gvae"}
        config = {
            "source": source,
            "seed": seed,
            "finetune": {"beta": beta, "epochs": 2},
            "data": {"name": data, "count": 90},
        }
        metrics = {
            **{f"probe/{probe}/before/balanced_accuracy": accuracy - 0.1 for probe in ("gbt", "mlp")},
            "probe/gbt/after/balanced_accuracy": accuracy,
            "probe/mlp/after/balanced_accuracy": accuracy - 0.05,
            "chance/balanced_accuracy": 1 / 3,
            "latents_after/kl": 12.5,
        }
        run = self.run("transfer", f"a-to-{data}-{digest}", config, metrics, **options)
        run.save_record("data", {"images": {"train": 60, "val": 15, "test": 15}})
        steps = np.arange(5, 500, 5)
        curves = [(step, step * 32, f"{part}/loss", 100 / step) for step in steps for part in ("train", "val")]
        pd.DataFrame(curves, columns=["batches", "images", "name", "value"]).to_csv(
            run.folder / "curves.csv", index=False
        )
        confusion = [
            {"phase": phase, "probe": probe, "part": part, "class": name, **dict(zip(CLASSES, counts, strict=True))}
            for phase in ("before", "after")
            for probe in ("gbt", "mlp")
            for part in ("train", "test")
            for name, counts in zip(CLASSES, ((4, 1, 0), (0, 5, 0), (3, 0, 2)), strict=True)
        ]
        run.save_table("confusion", pd.DataFrame(confusion))
        importance = [
            {"phase": phase, "probe": "gbt", "feature": name, "importance": 0.1 * place + bonus, "kind": "permutation"}
            for phase, bonus in (("before", 0.0), ("after", 0.2))
            for place, name in enumerate(LATENTS)
        ]
        run.save_table("importance", pd.DataFrame(importance))
        probes = [
            {"phase": "after", "probe": "gbt", "part": part, "accuracy": 0.7, "f1": 0.6} for part in ("train", "test")
        ]
        run.save_table("probes", pd.DataFrame(probes))
        features = [
            {"latent": name, "feature": feature, "spearman": value}
            for name, values in zip(LATENTS, ((0.9, -0.2), (0.1, 0.3), (-0.7, 0.0)), strict=True)
            for feature, value in zip(("area", "mean_red"), values, strict=True)
        ]
        for phase in ("before", "after"):
            run.save_table(f"latents_and_features_{phase}", pd.DataFrame(features))
            images = torch.linspace(0, 1, 3 * 5 * 3 * 64).view(3, 5, 3, 8, 8)
            page = traversal_page(images, LATENTS, (3.0, 2.0, 1.0), list("abcde"), "share", "Traversals")
            run.save_page(f"traversals_{phase}", page)
        self.figure(run, "samples")
        self.figure(run, "importance")
        return run

    def superresolve(self, digest="1111111111", **options):
        """A super-resolution with measurements and a page of its images."""
        metrics = {
            "image/psnr/bicubic": 20.0,
            "image/psnr/rls": 25.0,
            "image/lr_residual/rls": 0.01,
            "image/lr_residual/bicubic": 0.02,
            "assay/auc/hr": 1.0,
            "assay/auc/rls": 0.9,
            "assay/auc/bicubic": 0.7,
        }
        config = {"seed": 0, "data": {"name": "translocation"}, "contrast": None}
        run = self.run("superresolve", f"g-on-translocation-{digest}", config, metrics, **options)
        run.save_record("data", {"controls": {"condition": "control", "negative": "-1", "positive": "1"}})
        rows = [
            {"item": item, "ratio": item + shift, "flag": flag, "method": method, "solution": 0, "control": control}
            for method, shift in (("hr", 0.0), ("rls", 0.5))
            for control in (-1, 1)
            for item, flag in ((1, ""), (2, ""), (3, "untypical"))
        ]
        run.save_table("measurements", pd.DataFrame(rows))
        images = torch.rand(2, 2, 8, 8, generator=torch.Generator().manual_seed(0))
        columns = {"low resolution": images[..., ::2, ::2], "rls": images * 0.9, "high resolution": images}
        run.save_page("recovered", recovery_page(columns, ["image 3", "image 5"], "Recovered"))
        return run

    def figure(self, run, name, side=400):
        """A figure of noise, which no format makes small."""
        pixels = np.random.default_rng(0).integers(0, 255, (side, side, 3), dtype=np.uint8)
        (run.folder / "figures").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(run.folder / "figures" / f"{name}.png")

    def study(self, runs):
        """A study's folder, as ``micrographia study`` leaves it."""
        folder = self.root / "studies" / "ablation-smoke"
        folder.mkdir(parents=True)
        jobs = [{"sweep": "a", "overrides": ["seed=0"], "status": "done", "run": str(run.folder)} for run in runs]
        jobs.append({"sweep": "a", "overrides": ["seed=9"], "status": "failed", "run": None, "mistake": "no memory"})
        record = {"question": "Which term does it need?", "command": "micrographia study ablation", "jobs": jobs}
        (folder / "study.json").write_text(json.dumps(record))
        (folder / "table.md").write_text(
            "| method | PSNR |\n|---|---:|\n| rls | **25.0** |\n| pulse | 20.0 |\n\n"
            "Which term does it need? Means of 2.\n"
        )
        (folder / "table_tests.md").write_text(
            "| method | reference | pairs | difference | low | high | p t |\n|---|---|---|---|---|---|---|\n"
            "| pulse | rls | 3 | −1.822 | −4.028 | 0.3831 | < .001 |\n"
            "| bicubic | rls | 3 | 10.36 | 9.017 | 11.69 | 0.004 |\n"
        )
        (folder / "table.csv").write_text("method,psnr\nrls,25\n")
        (folder / "tests.csv").write_text("pair,p\nrls-pulse,0.01\n")
        (folder / "table_long.csv").write_text("method,value\nrls,25\n")
        Image.new("RGB", (40, 30), "white").save(folder / "table.png")
        return folder


@pytest.fixture
def written(tmp_path):
    return Written(tmp_path)
