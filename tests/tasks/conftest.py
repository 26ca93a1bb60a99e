"""Tiny runs: overrides that make any task take seconds, and small folders in the layout of each real set."""

import csv
import shutil

import numpy as np
import pytest
import tifffile
from PIL import Image

from micrographia.cli import command


class Tiny:
    """Overrides that make a run take seconds."""

    training = ("budget.steps=2", "budget.epochs=null", "budget.batch_size=8", "budget.validate_every=2")
    sprites = ("data.samples={train: 32, val: 16, test: 16}", "naming.samples=200")
    # 18 sprites in all, so that a backbone sees few images.
    grid = (
        *("+data.fixed.Orientation=0", "+data.fixed.Color=0", "+data.fixed.Texture=0"),
        *("data.samples={train: 8, val: 4, test: 4}", "naming.samples=18"),
    )
    cells = ("data.count=120",)
    probes = ("probes.gbt.trees=2", "probes.mlp.steps=5", "probes.logistic.iterations=5")
    interpretation = (
        *("interpretation.resamples=5", "interpretation.traversals=2", "interpretation.steps=2"),
        "interpretation.counterfactuals.images=2",
    )
    transfer = (
        "finetune.epochs=1",
        "finetune.batch_size=32",
        "naming.samples=200",
        *interpretation,
        *probes,
    )

    # Where a test is not about what the latents mean.
    uninterpreted = (
        *("interpretation.images=0", "interpretation.traversals=0", "interpretation.counterfactuals.images=0"),
        *("interpretation.importance=[]", "interpretation.projections=[]"),
    )
    # A transfer whose codes and probes alone are looked at.
    carried = ("finetune.epochs=1", "finetune.batch_size=32", "naming.samples=200", *uninterpreted, *probes)

    @staticmethod
    def source(*overrides):
        """The same overrides for a trained source."""
        return [f"source.{override}" for override in overrides]


@pytest.fixture
def tiny():
    return Tiny


@pytest.fixture
def micrographia(tmp_path, monkeypatch, capsys):
    """Run a command in an empty directory and return the run that its last line names."""
    from micrographia.runs.run import Run

    monkeypatch.chdir(tmp_path)

    def run(*arguments, status=0):
        capsys.readouterr()
        assert command([*arguments, "how.progress=false"]) == status
        if status:
            return None
        lines = capsys.readouterr().out.splitlines()
        runs = [Run(tmp_path / line) for line in lines]
        return runs[0] if len(runs) == 1 else runs

    return run


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Folder of finished runs that tests of a module have in common."""
    return tmp_path_factory.mktemp("store")


@pytest.fixture
def kept_runs(store, tmp_path):
    """Find trainings and searches of former tests again, as any run at its address; not for tests that change them."""
    shutil.copytree(store, tmp_path / "runs")
    yield
    for verb in ("train", "superresolve"):
        for result in (tmp_path / "runs" / verb).glob("*/result.json"):
            kept = store / verb / result.parent.name
            if not kept.exists():
                shutil.copytree(result.parent, kept)


@pytest.fixture
def undrawn(monkeypatch):
    """Make figures without drawing them, which takes half of a tiny run's time; other tests look at the files."""
    monkeypatch.setattr("micrographia.runs.run.Run.save_figure", lambda run, name, figure: None)


def picture(generator, side=24):
    return generator.integers(0, 255, (side, side, 3), dtype=np.uint8)


@pytest.fixture
def real_layouts(tmp_path, monkeypatch):
    """Folders of noise in the layout of each real set, named by MICROGRAPHIA_DATA."""
    root = tmp_path / "sets"
    generator = np.random.default_rng(0)

    def write(folder, name, rows, image):
        path = root / folder
        for row in rows:
            file = path / row["file"]
            file.parent.mkdir(parents=True, exist_ok=True)
            if file.suffix == ".tif":
                tifffile.imwrite(file, generator.permuted(image, axis=-1), metadata={"axes": "CYX"})
            else:
                Image.fromarray(picture(generator)).save(file)
        with (path / name).open("w", newline="") as table:
            writer = csv.DictWriter(table, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)

    for kind in ("copepod", "diatom", "medusa"):
        for number in range(10):
            file = root / "plankton" / "ndsb15" / kind / f"{number}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture(generator)).save(file)
    deep = generator.integers(0, 60000, (3, 24, 24), dtype=np.uint16)
    blood = [
        {"file": f"{name}/{smear}_{n}.png", "label": label, "name": name, "smear": f"{smear}.jpg"}
        for label, name in enumerate(("normal", "target_cell"))
        for smear in range(10)
        for n in range(2)
    ]
    write("human/chula_rbc12", "labels.csv", blood, deep)
    yeast = [
        {"file": f"S{strain}_t{time}/c{cell}.tif", "strain": f"S{strain}", "position": 1, "time": time, "cell_id": cell}
        for strain in (1, 2)
        for time in (10, 20, 30)
        for cell in range(8)
    ]
    write("yeast/rcell2_cells", "labels.csv", yeast, deep)
    cells = [
        {
            "file": f"{moa.replace(' ', '_')}/{plate}_{field}_{n}.tif",
            "moa": moa,
            "field": f"{plate}_{moa}_{field}",
            "plate": plate,
            "well": "B02" if moa == "DMSO" else "B03",
        }
        for moa in ("DMSO", "Protein synthesis")
        for plate in ("Week4_27801", "Week4_27821")
        for field in range(5)
        for n in range(3)
    ]
    write("hcs/bbbc021_cells", "metadata.csv", cells, deep)
    wells = [
        {"file": f"cells/{row}{col}_{n}.tif", "well": f"{row}{col}", "row": row, "dose": dose, "control": control}
        for row in "ABEF"
        for col, (dose, control) in enumerate([(0, -1), (0, -1), (5, 0), (5, 0), (10, 1), (10, 1)])
        for n in range(2)
    ]
    write("hcs/sbs_translocation", "cells.csv", wells, generator.integers(0, 255, (2, 24, 24), dtype=np.uint8))
    monkeypatch.setenv("MICROGRAPHIA_DATA", str(root))
    return root
