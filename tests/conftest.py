"""What every test has: one thread, a folder of its own for runs and caches."""

import json
import os
import subprocess
import sys

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """Keep runs, caches and W&B out of the checkout and of the user's home."""
    monkeypatch.setenv("MICROGRAPHIA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")  # its commands otherwise wait for the network
    monkeypatch.setattr("micrographia.runs.run.DPI", 30)  # half of a tiny run's time otherwise
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(False)  # a former test's training may have set it; hypothesis refuses to work with it


@pytest.fixture
def wandb_records():
    """Read the offline W&B runs in a run's folder: for each, in order of start, its records as (type, content)."""

    def read(folder):
        runs = []
        for file in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
            inspect = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(file)]
            lines = subprocess.run(inspect, capture_output=True, text=True, check=True).stdout.splitlines()
            records = [json.loads(line) for line in lines]
            runs.append([(record["type"], record.get(record["type"], {})) for record in records])
        return runs

    return read
