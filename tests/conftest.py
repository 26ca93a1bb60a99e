"""What every test has: one thread, a folder of its own for runs and caches."""

import os

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    """Keep runs, caches and W&B out of the checkout and of the user's home."""
    monkeypatch.setenv("MICROGRAPHIA_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("WANDB_MODE", "offline")
    import torch

    torch.set_num_threads(1)
    torch.set_flush_denormal(False)  # a former test's training may have set it; hypothesis refuses to work with it
