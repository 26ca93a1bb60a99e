import json

import pytest
import yaml

from micrographia.runs.run import Run
from micrographia.studies.expansion import StudyJob
from micrographia.studies.reading import read_study

CONTENT = {
    "question": "Which is better?",
    "source": "micrographia",
    "labels": {"rls": "RLS", "bicubic": "bicubic", "score": "score"},
    "sweeps": {"cells": {"verb": "superresolve", "overrides": ["images=8", "seed=0,1,2"]}},
    "budgets": {"smoke": {"about": 3, "cells": ["images=1"]}, "paper": None},
    "result": [
        {
            "table": "fidelity",
            "metrics": "image/{score}/{method}",
            "rows": ["method"],
            "columns": ["score"],
            "best": {"psnr": "max"},
            "compare": {"across": "method", "reference": "bicubic", "pair": ["seed"]},
        }
    ],
}


@pytest.fixture
def content():
    """What a study's file holds, to be changed."""
    return json.loads(json.dumps(CONTENT))


@pytest.fixture
def study(tmp_path):
    """Write a study's file and read it."""

    def read(content):
        file = tmp_path / "own.yaml"
        file.write_text(yaml.safe_dump(content, sort_keys=False))
        return read_study(file)

    return read


@pytest.fixture
def job(tmp_path):
    """A finished job: its overrides, its run's metrics, and tables."""

    def make(*overrides, metrics=None, tables=None, sweep="cells", what=None, origin=None):
        folder = tmp_path / "runs" / sweep / "-".join(overrides).replace("/", ".")
        (folder / "tables").mkdir(parents=True, exist_ok=True)
        for name, table in (tables or {}).items():
            table.to_csv(folder / "tables" / f"{name}.csv", index=False)
        (folder / "result.json").write_text(json.dumps({"seconds": 60.0, "metrics": metrics or {}}))
        config = {"task": "superresolve", "seed": 0, "data": {"name": "assay", "size": 64}} | (what or {})
        return StudyJob(sweep, "superresolve", overrides, origin, config, Run(folder))

    return make
