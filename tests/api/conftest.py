"""Calls of seconds, made once for all tests of the API."""

import pytest

import micrographia as mg

TRAINING = {
    "budget": {"steps": 2, "batch_size": 4, "validate_every": 2},
    "data": {"samples": {"train": 16, "val": 8, "test": 8}},
    "naming": {"samples": 100},
}
COMMAND = (
    *("budget.steps=2", "budget.batch_size=4", "budget.validate_every=2"),
    *("data.samples={train: 16, val: 8, test: 8}", "naming.samples=100"),
)
HOW = {"progress": False, "threads": 1}
SEARCH = {"rls": {"schedule": {"steps": 2}}}
TRANSFER = {
    "source": "pretrained/beta_vae",
    "finetune": "none",
    "naming": {"samples": 100},
    "interpretation": {"images": 0, "traversals": 0, "counterfactuals": {"images": 0}, "projections": []},
    "probes": {"gbt": {"trees": 2}, "mlp": {"steps": 5}, "logistic": {"iterations": 5}},
    "baseline": False,
    "how": HOW,
}


@pytest.fixture
def training():
    """A training of two steps, as keyword arguments and as the overrides of its command."""
    return TRAINING, COMMAND


@pytest.fixture
def transfer():
    """A transfer of seconds, less its data."""
    return TRANSFER


@pytest.fixture
def search():
    """Settings of a search of two steps."""
    return {"methods": SEARCH, "overrides": ["~methods.no_regularization"], "how": HOW}


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    """Folder in which runs are made."""
    return tmp_path_factory.mktemp("place")


@pytest.fixture
def here(place, monkeypatch):
    """Be in the folder in which runs are made."""
    monkeypatch.chdir(place)
    return place


@pytest.fixture(scope="session")
def trained(place):
    """A finished training of two steps."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.setattr("micrographia.runs.run.DPI", 30)
        run = mg.train(**TRAINING, how=HOW)
    assert not run.found
    return run
